import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from charrnn.training.checkpoint.files import Checkpoint, RunFiles
from charrnn.training.reporting import Progress, Reporter
from charrnn.training.run import run_training
from charrnn.training.settings import TrainSettings


def test_a_resumed_run_does_not_keep_its_checkpoint(
    rhyme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_newest = RunFiles.read_newest
    restored: list[weakref.ref[Checkpoint]] = []
    alive: list[bool] = []

    def read_and_watch(files: RunFiles) -> tuple[Checkpoint | None, list[str]]:
        saved, problems = read_newest(files)
        assert saved is not None
        restored.append(weakref.ref(saved))
        return saved, problems

    class Watcher(Reporter):
        def on_progress(self, progress: Progress) -> None:
            gc.collect()
            alive.append(restored[0]() is not None)

    text = tmp_path / "rhyme.txt"
    text.write_text(rhyme)
    small: dict[str, Any] = {"hidden_size": 8, "tensorboard": False, "output": str(tmp_path / "m.safetensors")}
    run_training([str(text)], TrainSettings.from_options({**small, "steps": 2}))
    monkeypatch.setattr(RunFiles, "read_newest", read_and_watch)
    further = TrainSettings.from_options({**small, "steps": 4, "resume": True})
    assert run_training([str(text)], further, ("steps", "resume"), reporter=Watcher()).summary.steps == 4
    assert alive
    assert not any(alive)
