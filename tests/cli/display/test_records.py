import json

import pytest

from charrnn.cli.display.records import format_record, print_record


def test_a_record_is_a_line_of_ascii() -> None:
    line = format_record({"text": "a\n\u2603 \U0001f408", "loss": 1.5, "ids": (1, 2)})
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {"text": "a\n\u2603 \U0001f408", "loss": 1.5, "ids": [1, 2]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_null(value: float) -> None:
    assert json.loads(format_record({"a": value, "b": [1.0, {"c": value}]})) == {"a": None, "b": [1.0, {"c": None}]}


def test_surrogates_are_replaced() -> None:
    record = {"text": "a\udcff", "names": ["\ud800", "\U0001f408"], "\udc80": 1, "x": float("nan")}
    assert json.loads(format_record(record)) == {
        "text": "a\ufffd",
        "names": ["\ufffd", "\U0001f408"],
        "\ufffd": 1,
        "x": None,
    }


def test_it_is_printed_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    print_record({"a": 1})
    assert capsys.readouterr() == ('{"a": 1}\n', "")
