import pytest

from scripts import benchmark


def test_it_measures_training_generation_and_costs_on_any_device(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--hidden-size", "8", "--batch-size", "2", "--seq-len", "4", "--vocab", "9", "--sizes", "8"]
    options = benchmark.parse_arguments(["gpu", "--device", "cpu", *sizes, "--samples", "3", "--seconds", "0.01"])
    options.run(options)
    out = capsys.readouterr().out
    for row in ("training, float32", "training, bfloat16", "bare", "classic", "naive loop", "3 samples", "| 8 | "):
        assert row in out
    assert "% of a step is not recurrent kernels; peak memory" in out
