from charrnn.training.recipe.shape import GPU_BATCH, Shape, shape_for

ON_CPU = Shape(16, 64, 130.0)


def test_one_or_two_processes_on_a_cpu_keep_its_shape_and_more_get_more_readers() -> None:
    assert shape_for("cpu", 1, ON_CPU) == shape_for("cpu", 2, ON_CPU) == ON_CPU
    assert shape_for("cpu", 4, ON_CPU) == Shape(32, 64, 130.0)


def test_every_gpu_has_readers_enough() -> None:
    one, eight = shape_for("cuda", 1, ON_CPU), shape_for("cuda", 8, ON_CPU)
    assert one.batch == GPU_BATCH
    assert eight == Shape(8 * one.batch, one.seq_len, one.half_speed)
