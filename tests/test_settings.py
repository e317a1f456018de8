from dataclasses import dataclass

import pytest

from charrnn.settings import check_settings, format_duration, parse_duration, setting, unread_settings


@dataclass(frozen=True)
class Example:
    layers: int | None = setting(None, "Layers.", at_least=1)
    dropout: float = setting(0.0, "Dropout.", at_least=0, below=1)
    time: str | None = setting(None, "Time.", duration=True, above=0)
    cell: str = setting("lstm", "Cell.", choices=("lstm", "gru"))


def test_settings_within_limits_have_no_problem() -> None:
    assert check_settings(Example(), Example(3, 0.5, "5m", "gru")) == []


def test_every_problem_is_reported_at_once_by_the_option_s_name() -> None:
    assert check_settings(Example(-1, 1.5, "soon", "mlp")) == [
        "--layers must be at least 1; found -1",
        "--dropout must be at least 0 and below 1; found 1.5",
        "--time must be a duration like 30s, 5m or 1h; found soon",
        "--cell must be one of lstm, gru; found mlp",
    ]


def test_not_a_number_is_a_problem() -> None:
    assert check_settings(Example(dropout=float("nan"))) == ["--dropout must be a finite number; found nan"]


def test_a_duration_is_held_against_its_limit() -> None:
    assert check_settings(Example(time="0s")) == ["--time must be above 0; found 0s"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("0", 0), ("0.5m", 30)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 m", "-5s", "5x", "m", "1h30", "nan", "90", "5m0"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def test_a_number_without_a_unit_is_told_both_that_it_may_mean() -> None:
    assert check_settings(Example(time="5")) == [
        "--time must be a duration like 30s, 5m or 1h; type 5s or 5m; found 5",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (2.34, "2.3s"), (59, "59s"), (60, "1m"), (95, "1m35s"), (3700, "1h01m")]
)
def test_durations_as_people_write_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_settings_that_a_kind_of_model_does_not_read_are_named() -> None:
    groups = {"models": [Example(layers=3)], "others": [Example()]}
    assert unread_settings("others", groups) == ["--layers is for models; leave it out"]
    assert unread_settings("models", groups) == []
    assert unread_settings("others", groups, "try again") == ["--layers is for models; try again"]
