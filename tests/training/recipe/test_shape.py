from charrnn.training.recipe.shape import GPU_BATCH, Shape, choose_shape

ON_CPU = Shape(16, 64, 130.0)


def test_one_or_two_processes_on_a_cpu_keep_its_shape_and_more_get_more_readers() -> None:
    assert choose_shape("cpu", 1, ON_CPU) == choose_shape("cpu", 2, ON_CPU) == ON_CPU
    assert choose_shape("cpu", 4, ON_CPU) == Shape(32, 64, 130.0)


def test_every_gpu_has_readers_enough() -> None:
    one, eight = choose_shape("cuda", 1, ON_CPU), choose_shape("cuda", 8, ON_CPU)
    assert one.batch == GPU_BATCH
    assert eight == Shape(8 * one.batch, one.seq_len, one.half_speed)
