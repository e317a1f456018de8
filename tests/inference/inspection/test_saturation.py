import numpy as np

from charrnn.inference.inspection.trace_page import measure_saturation


def test_shares_of_time_nearly_shut_and_nearly_open() -> None:
    gate = np.array([[[0.05, 0.95], [0.5, 0.99], [0.01, 0.2], [0.95, 0.91]]], dtype=np.float32)  # (L, T, H)
    found = measure_saturation(gate)
    assert found.shut.tolist() == [[0.5, 0.0]]
    assert found.open.tolist() == [[0.25, 0.75]]
