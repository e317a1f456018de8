from charrnn.training.recipe.language import ON_CPU
from charrnn.training.recipe.shape import GPU_BATCH, choose_shape


def test_one_or_two_processes_on_a_cpu_keep_its_shape_and_more_get_more_readers() -> None:
    assert choose_shape("cpu", 1, ON_CPU) == choose_shape("cpu", 2, ON_CPU) == ON_CPU
    four = choose_shape("cpu", 4, ON_CPU)
    assert (four.batch, four.seq_len) == (32, ON_CPU.seq_len)


def test_on_a_cpu_neither_readers_nor_epochs_depend_on_the_text() -> None:
    assert {ON_CPU.fit_batch(chars) for chars in (100, 10**4, 10**9)} == {16}
    assert ON_CPU.pressure is None


def test_every_gpu_has_readers_enough() -> None:
    one, eight = choose_shape("cuda", 1, ON_CPU), choose_shape("cuda", 8, ON_CPU)
    assert one.batch == GPU_BATCH
    assert (eight.batch, eight.seq_len) == (8 * one.batch, one.seq_len)


def test_a_small_text_gets_fewer_readers_on_a_gpu_but_no_process_goes_without() -> None:
    one, many = choose_shape("cuda", 1, ON_CPU), choose_shape("cuda", 32, ON_CPU)
    assert [one.fit_batch(chars) for chars in (10**4, 3 * 10**5, 10**6, 10**9)] == [16, 39, 128, 128]
    assert many.fit_batch(10**4) == 32
