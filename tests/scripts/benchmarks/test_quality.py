from pathlib import Path

import numpy as np

from scripts.benchmarks.quality import measure_quality


def test_a_row_has_settings_and_loss(tmp_path: Path, rhyme: str) -> None:
    text = tmp_path / "rhyme.txt"
    text.write_text(rhyme)
    fixed = ["--hidden-size", "16", "--layers", "2", "--lr", "0.02", "--dropout", "0", "--batch-size", "4"]
    name, time, settings, epochs, loss = measure_quality(text, "1s", fixed)
    assert (name, time) == ("rhyme.txt", "1s")
    assert settings == "lstm 2x16, lr 0.02, dropout 0, batch 4 x 64"
    assert float(epochs) > 0
    assert 0 < float(loss) < np.log(19) + 1
