"""Training watched on a terminal: what it shows at several sizes, with and without colour, of any text."""

import dataclasses
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from charrnn.cli.display.training import plain
from charrnn.cli.display.training.live import CLEAR, ERASE_BELOW, LiveArea, LiveReporter, choose_evenly, draw_curve
from charrnn.cli.display.training.plain import PlainReporter, locate_program
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import read_labelled
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.recipe.classifier import make_classifier_plan
from charrnn.training.recipe.throughput import Throughput
from charrnn.training.reporting import Evaluation, Progress, Reporter, Summary
from charrnn.training.settings import TrainSettings
from charrnn.training.tasks.classifier import ClassifierTask
from charrnn.training.tasks.language import LanguageTask
from tests.training.runs import RESOURCES, make_plan

HOSTILE = "[red]x[/red] [/] :smile: \x1b[31mred \x1b[2J \x07\u202e 日本語の文章 e\u0301 \t[bold" * 3 + "\n"
CONTROL = re.compile(r"\x1b\[(\?7[lh]|\d*[AJK]|2J|H|[\d;]*m)")

COLOUR = re.compile(r"\x1b\[(\d+;)*[34]\d[\d;]*m")


def console(width: int = 80, height: int = 24, *, colour: bool = True) -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    return Console(
        file=stream,
        force_terminal=True,
        width=width,
        height=height,
        color_system="truecolor",
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
    )


def said(of: Console) -> str:
    stream = of.file
    assert isinstance(stream, io.TextIOWrapper)
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def a_run(reporter: Reporter, text: str = HOSTILE * 20, logdir: str = "runs/a") -> None:
    """What a short run on `text` tells."""
    vocabulary = CharVocabulary.of_text(text)
    ids = vocabulary.encode(text)
    read = Corpus("[red]\x1b[2J", vocabulary, ids[:-100], ids[-100:], notes=("[bold]noted",))
    plan = dataclasses.replace(make_plan(read, hidden_size=8, steps=100), warnings=("too few steps",))
    task = LanguageTask(plan, read, RESOURCES)
    reporter.on_start(task, "cpu")
    reporter.on_note("[red]note\x1b[2J")
    for step in (1, 20, 50, 100):
        reporter.on_progress(Progress(step, step / 50, step / 100, step / 10, 2 / step + 1, 0.1, 1.0, 12345.0))
        reporter.on_weights(step, task.network)
        reporter.on_validation(0.25)
        reporter.on_evaluation(Evaluation(step, step / 50, 2 / step + 1, 2 / step + 1.1, step < 100))
        reporter.on_sample(step, f"{text[:300]} at {step}")
    reporter.on_stop("SIGINT: stopping")
    figures = Summary("models/a b.safetensors", 99, 9, 100, 2.0, 9, 10.0, 12345.0, 1.02, 1.12, 50, "cpu", 1, "[b]ok")
    commands = [*task.suggest(figures.model, "a text.txt"), ["tensorboard", "--logdir", logdir]]
    reporter.on_finish(figures, commands)
    reporter.close()


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 12)])
@pytest.mark.parametrize("colour", [True, False])
def test_any_text_at_any_size_is_shown_and_drives_nothing(size: tuple[int, int], *, colour: bool) -> None:
    terminal = console(*size, colour=colour)
    a_run(LiveReporter(terminal), logdir="runs/a b")
    written = said(terminal)
    shown = CONTROL.sub("", written)
    assert not {"\x1b", "\x07", "\u202e"} & {*shown}
    assert "\x1b[2J" not in written
    assert r"\x1b[31mred" in shown.replace("\n", "") or size[0] < 80
    assert "[red]x[/red] [/] :smile:" in shown
    assert bool(COLOUR.search(written)) == colour
    assert "charrnn generate -m 'models/a b.safetensors' -t 0.5\n" in shown
    assert "charrnn evaluate -m 'models/a b.safetensors' 'a text.txt'\n" in shown
    assert "tensorboard --logdir 'runs/a b'\n" in shown
    assert "samples during training" in shown
    for frame in written.split("\x1b[?7l")[1:]:
        lines = CONTROL.sub("", frame.split("\x1b[?7h")[0]).splitlines()
        assert len(lines) < size[1]


def test_figures_curve_and_the_best_are_there() -> None:
    terminal = console(100, 40)
    a_run(LiveReporter(terminal))
    last = said(terminal).split("\x1b[?7l")[-1]
    for word in (
        "100%",
        "step 100",
        "12,345 chars/s",
        "nats/char",
        "perplexity",
        "recent",
        "training",
        "validation",
        "\u2605 best",
    ):
        assert word in last
    assert "validation loss" in last
    assert re.search("[\u2801-\u28ff]", last)
    assert "sample at step 100" in last
    written = said(terminal)
    assert "validating 25%" in written
    assert "\rSIGINT: stopping" in written
    assert "too few steps" in written


def test_a_new_size_draws_everything_anew() -> None:
    terminal = console(80, 24)
    area = LiveArea(terminal)
    area.print("above")
    area.draw("view")
    assert CLEAR not in said(terminal)
    terminal.size = (40, 20)
    area.draw("view")
    assert CLEAR in said(terminal)
    assert said(terminal).split(CLEAR)[1].startswith("above\n")
    area.close()
    assert said(terminal).endswith(ERASE_BELOW)


def test_plain_lines_have_no_controls(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "LINE_INTERVAL", 0.0)
    a_run(PlainReporter())
    told = capsys.readouterr().err
    assert not {"\x1b", "\x07", "\u202e"} & {*told}
    assert r"begins: [red]x[/red] [/] :smile: \x1b[31mred" in told
    assert "next: charrnn generate -m 'models/a b.safetensors' -t 0.5\n" in told
    assert "step 100  epoch 2.00  recent loss 1.0200" in told
    assert "step 100  epoch 2.00  train loss 1.0200  valid loss 1.1200\n" in told
    assert "validating: 25%\n" in told
    assert "SIGINT: stopping\n" in told
    assert "warning: too few steps\n" in told


def test_a_classifier_has_the_same_view(tmp_path: Path) -> None:
    path = tmp_path / "kinds.tsv"
    path.write_text("".join(f"{label}\t{label} {number}\n" for label in ("cat", "[red]\u202e") for number in range(40)))
    corpus = read_labelled([str(path)])
    settings = TrainSettings.from_options({"task": "classify", "hidden_size": 8, "steps": 100})
    task = ClassifierTask(make_classifier_plan(settings, corpus, throughput=Throughput(1e11)), corpus, RESOURCES)
    terminal = console(100, 30)
    reporter = LiveReporter(terminal)
    reporter.on_start(task, "cpu")
    for step in (50, 100):
        reporter.on_progress(Progress(step, step / 50, step / 100, 1.0, 0.5, 0.1, 1.0, 12345.0))
        reporter.on_evaluation(Evaluation(step, step / 50, 0.5, 40 / step, best=True, accuracy=step / 200))
    live = said(terminal).split("\x1b[?7l")[-1]
    for words in ("nats/text", "accuracy", "0.4000", "50.00%", "\u2605 best"):
        assert words in live
    details = {"valid_accuracy": 0.5}
    summary = Summary("kinds", 99, 9, 100, 2.0, 9, 10.0, 12345.0, 0.5, 0.4, 100, "cpu", 1, "ok", 0.5, details)
    reporter.on_finish(summary, [*task.suggest("kinds", "OTHER-TEXT"), ["tensorboard", "--logdir", "runs/kinds"]])
    reporter.close()
    shown = CONTROL.sub("", said(terminal))
    assert "\u202e" not in shown
    assert "[red]" in shown
    assert [line.strip() for line in shown.split("next, try")[1].splitlines() if line.strip()] == [
        "charrnn evaluate -m kinds OTHER-TEXT",
        "charrnn classify -m kinds FILE",
        "charrnn inspect -m kinds FILE --html page.html",
        "tensorboard --logdir runs/kinds",
    ]


def test_a_program_that_the_shell_does_not_find_is_advised_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert locate_program("charrnn") == "charrnn"  # not installed: `python -m charrnn` from a checkout
    (tmp_path / "charrnn").touch(mode=0o755)
    assert locate_program("charrnn") == str(tmp_path / "charrnn")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert locate_program("charrnn") == "charrnn"


def test_a_curve_goes_from_the_first_point_to_the_last() -> None:
    lines = draw_curve([(0.0, 3.0), (0.5, 1.5), (1.0, 1.0)], width=10, rows=3)
    assert [len(line) for line in lines] == [10, 10, 10]
    assert ord(lines[0][0]) & 0x01  # the upper left dot
    assert ord(lines[-1][-1]) & 0x80  # the lower right one
    assert draw_curve([(0.0, 2.0), (1.0, 2.0)], 4, 1) == ["\u28c0" * 4]  # a flat one lies at the bottom
    columns = np.array([[ord(cell) - 0x2800 for cell in line] for line in lines])
    assert (columns.sum(axis=0) > 0).all()  # without a gap


def test_samples_that_tell_are_spread_by_factors_of_steps() -> None:
    samples = [(step, str(step)) for step in (1, 10, 20, 30, 100, 500, 900, 1000)]
    assert [step for step, _ in choose_evenly(samples, 4)] == [1, 10, 100, 1000]
    assert choose_evenly(samples[:2], 4) == samples[:2]
    assert choose_evenly([], 4) == []


def test_a_run_is_shown_before_torch_is_loaded() -> None:
    code = "import sys; from charrnn.cli.display.training import live, plain; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
