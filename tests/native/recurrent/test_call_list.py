import numpy as np

from charrnn.native.recurrent.call_list import CallList
from charrnn.native.recurrent.compiled import load_kernel


def test_calls_are_made_in_their_order_as_often_as_the_list_is_run() -> None:
    kernel = load_kernel("rnn")
    assert kernel is not None
    recording, rows = CallList(kernel), np.arange(12, dtype=np.float32).reshape(6, 2)
    factors, total = np.array([[2.0, 1.0], [0.0, 3.0]], dtype=np.float32), np.zeros((2, 2), dtype=np.float32)
    symbols = np.array([0, 1, 1, 0, 0, 1])
    scaled, (address, size) = np.zeros_like(rows), (rows.ctypes.data, 2)
    recording.kernel.scale_rows(address, 6, size, factors.ctypes.data, 2, scaled.ctypes.data)
    recording.kernel.add_rows(scaled.ctypes.data, size, symbols.ctypes.data, 6, size, total.ctypes.data, size)
    assert not scaled.any()
    recording.run()
    wanted = rows * np.tile(factors, (3, 1))
    assert np.array_equal(scaled, wanted)
    assert np.array_equal(total, [wanted[symbols == symbol].sum(axis=0) for symbol in range(2)])
    recording.run()
    assert np.array_equal(total, [2 * wanted[symbols == symbol].sum(axis=0) for symbol in range(2)])


def test_an_empty_list_does_nothing() -> None:
    kernel = load_kernel("rnn")
    assert kernel is not None
    CallList(kernel).run()
