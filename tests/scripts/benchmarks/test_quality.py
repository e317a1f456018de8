import shutil
from pathlib import Path

import numpy as np

from charrnn.text.baselines import measure_baselines
from scripts.benchmarks.quality import ARCHIVERS, compare, format_losses, measure_quality


def test_a_row_has_settings_and_loss(tmp_path: Path, rhyme: str) -> None:
    text = tmp_path / "rhyme.txt"
    text.write_text(rhyme)
    fixed = ["--hidden-size", "16", "--layers", "2", "--lr", "0.02", "--dropout", "0", "--batch-size", "4"]
    name, time, settings, epochs, loss, in_windows = measure_quality(text, "1s", fixed)
    assert (name, time) == ("rhyme.txt", "1s")
    assert settings == "lstm 2x16, lr 0.02, dropout 0, batch 4 x 64"
    assert float(epochs) > 0
    for figure in (loss, in_windows):
        assert 0 < float(figure) < np.log(19) + 1


def test_baselines_are_measured_on_the_last_tenth_after_the_first_nine(tmp_path: Path, rhyme: str) -> None:
    text = tmp_path / "rhyme.txt"
    text.write_text(rhyme)
    begin = int(len(rhyme) * 0.9)
    measured = measure_baselines(rhyme[begin:], rhyme[:begin])
    rows = {name: bits for _, name, bits, _ in compare(text)}
    assert rows["xz"] == f"{measured.xz:.3f}"
    assert rows[f"{measured.order}-gram, Witten-Bell"] == f"{measured.ngram:.3f}"
    for name, command in ARCHIVERS.items():
        assert (name in rows) == (shutil.which(command[0]) is not None)


def test_several_losses_are_given_with_their_range() -> None:
    assert format_losses([1.5]) == "1.5000"
    assert format_losses([1.5, 1.6, 1.55]) == "1.5500 (1.5000 to 1.6000)"
