import random
from typing import Any

import pytest

from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.training.recipe.classifier import (
    DEFAULT_SECONDS,
    EPOCHS,
    LONGEST,
    SHORTEST_PART,
    ClassifierPlan,
    make_classifier_plan,
)
from charrnn.training.recipe.throughput import Throughput
from charrnn.training.settings import TrainSettings

TWO_CORES = 1.75e11  # operations per second of a small machine
LENGTH = 400  # characters of a text


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> LabelledCorpus:
    """A thousand texts of two classes."""
    draw = random.Random(0)
    rows = (f"{index % 2}\t{''.join(draw.choices('abcd ', k=LENGTH - 1))}e" for index in range(1000))
    path = tmp_path_factory.mktemp("labelled") / "texts.tsv"
    path.write_text("\n".join(rows))
    return read_labelled([str(path)])


def make_plan(corpus: LabelledCorpus, peak: float = TWO_CORES, **options: Any) -> ClassifierPlan:
    return make_classifier_plan(TrainSettings.from_options({"task": "classify", **options}), corpus, Throughput(peak))


def test_without_a_limit_it_is_three_minutes_or_thirty_epochs(corpus: LabelledCorpus) -> None:
    budget = make_plan(corpus).budget
    assert (budget.seconds, budget.steps) == (DEFAULT_SECONDS, None)
    assert budget.epochs is not None
    assert budget.epochs >= EPOCHS


def test_a_limit_of_steps_or_epochs_that_is_given_is_the_only_one(corpus: LabelledCorpus) -> None:
    by_steps, by_epochs = make_plan(corpus, steps=9).budget, make_plan(corpus, epochs=2.0).budget
    assert (by_steps.seconds, by_steps.epochs, by_steps.steps) == (None, None, 9)
    assert (by_epochs.seconds, by_epochs.epochs, by_epochs.steps) == (None, 2.0, None)


@pytest.mark.parametrize(
    "limits",
    [
        [{"steps": n} for n in (10, 100, 1000, 10_000)],
        [{"epochs": n} for n in (0.5, 2.0, 10.0, 60.0)],
        [{"time": t} for t in ("1s", "10s", "60s", "10m")],
    ],
    ids=["steps", "epochs", "time"],
)
def test_a_longer_run_never_gets_a_smaller_network(corpus: LabelledCorpus, limits: list[dict[str, Any]]) -> None:
    sizes = [make_plan(corpus, **limit).config.hidden_size for limit in limits]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_as_many_steps_as_epochs_have_plan_the_same_network(corpus: LabelledCorpus) -> None:
    by_epochs = make_plan(corpus, epochs=8.0)
    by_steps = make_plan(corpus, steps=8 * len(corpus.train) // by_epochs.batch_size)
    assert by_steps.config == by_epochs.config


def test_texts_are_read_in_parts_only_where_time_is_short(corpus: LabelledCorpus) -> None:
    whole = int(corpus.train.lengths.max())
    assert whole <= LONGEST
    assert make_plan(corpus, peak=TWO_CORES / 1000).seq_len == SHORTEST_PART
    assert [make_plan(corpus, **limit).seq_len for limit in ({}, {"steps": 5}, {"epochs": 1.0})] == [whole] * 3
