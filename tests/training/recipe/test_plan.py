from charrnn.training.recipe.plan import GPU_BATCH, ON_CPU, choose_batch_shape


def test_one_or_two_processes_on_a_cpu_keep_its_shape_and_more_get_more_readers() -> None:
    assert choose_batch_shape("cpu", 1) == choose_batch_shape("cpu", 2) == ON_CPU
    eight = choose_batch_shape("cpu", 8)
    assert eight.batch > ON_CPU.batch
    assert eight.seq_len == ON_CPU.seq_len


def test_on_a_cpu_neither_readers_nor_epochs_depend_on_the_text() -> None:
    assert {ON_CPU.fit_batch(chars) for chars in (100, 10**4, 10**9)} == {ON_CPU.batch}
    assert ON_CPU.max_overfit_pressure is None


def test_every_gpu_has_readers_enough() -> None:
    one, eight = choose_batch_shape("cuda", 1), choose_batch_shape("cuda", 8)
    assert one.batch == GPU_BATCH
    assert (eight.batch, eight.seq_len) == (8 * one.batch, one.seq_len)


def test_a_small_text_gets_fewer_readers_on_a_gpu_but_no_process_goes_without() -> None:
    one, many = choose_batch_shape("cuda", 1), choose_batch_shape("cuda", 32)
    readers = [one.fit_batch(chars) for chars in (10**4, 3 * 10**5, 10**6, 10**9)]
    assert readers == sorted(readers)
    assert ON_CPU.batch == readers[0] < readers[1] < readers[-1] == GPU_BATCH
    assert many.fit_batch(10**4) == 32
