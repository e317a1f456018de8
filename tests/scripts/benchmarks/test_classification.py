from pathlib import Path

import numpy as np
import pytest

from scripts import benchmark
from scripts.benchmarks.classification import Split, measure


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kinds.tsv"
    path.write_text("".join(f"{'ab'[i % 2]}\t{'xy'[i % 2]}{'pqr'[i % 3]} number {i // 2}\n" for i in range(120)))
    return path


def test_no_text_is_on_both_sides_of_a_split(file: Path) -> None:
    file.write_text(file.read_text() * 2)
    split = Split.read(file, seed=3)
    learned, judged = ({text for _, text in part} for part in (split.train, split.test))
    assert not learned & judged
    assert (len(learned), len(judged)) == (96, 24)
    assert Split.read(file, seed=3) == split
    assert Split.read(file, seed=4) != split


def test_charrnn_its_parts_and_the_baselines_are_measured(file: Path) -> None:
    pytest.importorskip("sklearn")
    found = dict(measure(Split.read(file, seed=1), ["--epochs", "2", "--threads", "1"]))
    names = ["charrnn", "its network alone", "its n-grams alone", "scikit-learn, char", "scikit-learn, char_wb"]
    assert list(found) == names
    assert all(metrics.n == 24 and np.isfinite(metrics.log_loss) for metrics in found.values())
    assert found["its n-grams alone"].accuracy == 1


def test_the_command_is_known() -> None:
    options = benchmark.parse_arguments(["classify", "a.tsv", "--epochs", "3", "--seeds", "1", "2"])
    assert (options.files, options.epochs, options.seeds) == ([Path("a.tsv")], 3, [1, 2])
