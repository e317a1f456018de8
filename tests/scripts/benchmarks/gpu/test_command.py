import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from charrnn.training.network import precision
from scripts.benchmark import parse_arguments
from scripts.benchmarks.gpu.cases import make_cases, write_labelled
from scripts.benchmarks.gpu.command import PARTS
from scripts.benchmarks.gpu.results import Results
from scripts.common import ROOT, ScriptError


def test_everything_but_the_tests_runs_through_on_a_cpu(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    parts = [part for part in PARTS if part != "tests"]  # they run beside this one
    options = ["--all", "--quick", "--device", "cpu", "--json", str(figures), "--parts", *parts]
    command = [sys.executable, str(ROOT / "scripts" / "benchmark.py"), "gpu", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["failures"] == {}
    by_what = {(each["part"], each["what"]): each["value"] for each in found["results"]}
    assert by_what["resume", "difference from a run without interruption"] == 0.0
    differences = [value for (part, what), value in by_what.items() if part == "losses" and "fp32" in what]
    assert len(differences) == 5
    assert max(differences) == 0.0  # a CPU compared with itself
    assert {part for part, _ in by_what} >= {"training", "memory", "speed", "generation", "costs", "quality"}
    assert done.stdout.count(": times bare |") == 3


def test_a_part_that_fails_is_told_and_the_next_one_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    results = Results(bars=True)
    results.attempt("first", lambda: 1 / 0)  # type: ignore[arg-type]
    results.attempt("second", lambda: results.add("second", "speed", 0.9, "times", at_least=0.95))
    results.add("second", "difference", 0.1, at_most=0.2)
    assert "first failed: ZeroDivisionError: division by zero" in results.tabulate()
    assert "| second | speed | 0.9 times | at least 0.95 | FAILS |" in results.tabulate()
    assert "| second | difference | 0.1 | at most 0.2 | holds |" in results.tabulate()
    assert results.to_json()["failures"] == {"first": "ZeroDivisionError: division by zero"}


def test_without_bars_nothing_is_judged() -> None:
    results = Results(bars=False)
    results.add("speed", "ratio", 0.1, at_least=0.95)
    assert results.results[0].holds is None


def test_lines_are_labelled_by_their_length(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b\n\nab  cd ef\nabc\tdef ghi\nxy\n")
    rows = write_labelled(text, tmp_path).read_text().splitlines()
    assert rows == ["short\ta b", "long\tab cd ef", "long\tabc def ghi", "short\txy"]


def test_large_networks_make_fewer_steps_and_each_case_has_a_name_of_its_own() -> None:
    cases = make_cases(200)
    assert len({case.name for case in cases}) == len(cases)
    assert {case.steps for case in cases if "2x1024" in case.name} == {50}
    assert make_cases(8, divisor=8)[0].settings["hidden_size"] == 64


def test_a_precision_that_the_device_does_not_support_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: False)
    assert {case.precision for case in make_cases(8, device=torch.device("cpu"))} == {"fp32"}
    assert {case.precision for case in make_cases(8)} == {"fp32", "bf16"}


@pytest.mark.parametrize("option", [["--quick"], ["--text", "a.txt"], ["--cases", "GRU"], ["--json", "a.json"]])
def test_options_of_everything_are_refused_without_it(option: list[str]) -> None:
    options = parse_arguments(["gpu", *option])
    with pytest.raises(ScriptError, match=f"{option[0]} is for --all and --parts"):
        options.run(options)


def test_its_options() -> None:
    options = parse_arguments(["gpu", "--all", "--parts", "tests", "speed", "--times", "60s"])
    assert (options.parts, options.times, options.quick) == (["tests", "speed"], ["60s"], False)
