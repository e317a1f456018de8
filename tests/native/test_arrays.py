from charrnn.native.arrays import aligned_array


def test_arrays_begin_at_a_cache_line() -> None:
    for shape in ((1,), (3, 16), (2, 5, 32)):
        assert aligned_array(*shape).ctypes.data % 64 == 0
        assert aligned_array(*shape).shape == shape
        assert not aligned_array(*shape).any()
