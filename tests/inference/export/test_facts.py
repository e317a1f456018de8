import dataclasses
from typing import Any

import pytest

from charrnn.inference.export.facts import describe_model
from tests.inference.export.models import make_kind, make_labelled

TRAINING = {"corpus": "rhyme", "epochs": 2.25, "valid_loss": 1.386294, "date": "2026-03-01", "chars": 12_345}


def describe(training: dict[str, Any], file_date: str | None = None) -> dict[str, str]:
    header, _ = make_kind("GRU of two layers")
    return dict(describe_model(dataclasses.replace(header, training=training), file_date))


def test_what_a_model_is_in_words() -> None:
    assert describe(TRAINING, "2026-04-01") == {
        "Network": "GRU, 2 layers of 21 units",
        "Weights": "6,133",
        "Vocabulary": "22 characters",
        "Training text": "rhyme, read 2.2 times",
        "Held-out loss": "1.386 nats per character (2.00 bits, like a choice among 4.0)",
        "Training date": "1 March 2026",
    }
    assert dict(describe_model(make_labelled(("a", "b"))[0]))["Labels"] == "2"


def test_a_model_that_does_not_say_when_it_learned_has_the_date_of_its_file() -> None:
    assert describe({}, "2026-04-01")["File dated"] == "1 April 2026"
    assert not {"File dated", "Training date", "Held-out loss"} & set(describe({}))


@pytest.mark.parametrize(
    "value", [pytest.param(10**5000, id="huge"), float("nan"), float("inf"), "1.5", None, [], True]
)
def test_what_a_stranger_says_never_breaks_it(value: Any) -> None:
    rows = describe(dict.fromkeys(TRAINING, value))
    assert "Held-out loss" not in rows
    assert rows["Weights"] == "6,133"
