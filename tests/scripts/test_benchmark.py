from pathlib import Path

import numpy as np
import pytest

from charrnn.model.config import ModelConfig
from scripts import benchmark
from scripts.benchmarks import generation, quality, timing


def test_a_row_of_quality_tells_settings_and_loss(tmp_path: Path, rhyme: str) -> None:
    text = tmp_path / "rhyme.txt"
    text.write_text(rhyme)
    fixed = ["--hidden-size", "16", "--layers", "2", "--lr", "0.02", "--dropout", "0", "--batch-size", "4"]
    name, seconds, settings, epochs, loss = quality.quality_row(text, "1s", fixed)
    assert (name, seconds) == ("rhyme.txt", "1s")
    assert settings == "lstm 2x16, lr 0.02, dropout 0, batch 4 x 64"
    assert float(epochs) > 0
    assert 0 < float(loss) < np.log(19) + 1


def test_made_up_models_write(monkeypatch: pytest.MonkeyPatch) -> None:
    model = timing.made_up_model(ModelConfig("gru", 1, 8, 0, 20))
    writer = generation.written(model, 3)
    assert sum(next(writer) for _ in range(6)) > 0


def test_its_command_line_knows_its_commands() -> None:
    assert benchmark.parsed(["generate", "--cell", "gru"]).cell == ["gru"]
    options = benchmark.parsed(["quality", "a.txt", "b.txt", "--times", "13s", "--grid"])
    assert options.texts == [Path("a.txt"), Path("b.txt")]
    assert options.grid
