import pytest

from charrnn.text.corpus import Corpus
from charrnn.training.recipe import DEFAULT_SECONDS, plan
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TextSettings, TrainSettings


def settings(model: ModelSettings, learning: LearningSettings) -> TrainSettings:
    return TrainSettings(TextSettings(), model, learning, RunSettings())


def test_what_was_given_wins(corpus: Corpus) -> None:
    model = ModelSettings("gru", hidden_size=7, layers=3, embedding_size=0, dropout=0.25)
    learning = LearningSettings(
        "10s", 2.0, 30, batch_size=3, seq_len=5, lr=0.5, weight_decay=0.0, grad_clip=9.0, patience=4, seed=8
    )
    found = plan(settings(model, learning), corpus)
    assert (found.config.cell, found.config.hidden_size, found.config.layers) == ("gru", 7, 3)
    assert (found.config.embedding_size, found.dropout) == (0, 0.25)
    assert (found.batch_size, found.seq_len, found.lr, found.weight_decay) == (3, 5, 0.5, 0.0)
    assert (found.grad_clip, found.patience, found.seed) == (9.0, 4, 8)
    assert (found.budget.seconds, found.budget.epochs, found.budget.steps) == (10.0, 2.0, 30)


def test_without_a_limit_it_is_five_minutes(corpus: Corpus) -> None:
    assert plan(settings(ModelSettings(), LearningSettings()), corpus).budget.seconds == DEFAULT_SECONDS
    assert plan(settings(ModelSettings(), LearningSettings(steps=9)), corpus).budget.seconds is None


@pytest.mark.parametrize(("short", "long"), [("13s", "60s"), ("60s", "5m"), ("5m", "30m")])
def test_more_time_is_more_network(corpus: Corpus, short: str, long: str) -> None:
    less, more = (plan(settings(ModelSettings(), LearningSettings(time=t)), corpus) for t in (short, long))
    assert less.config.parameters <= more.config.parameters
    assert less.dropout <= more.dropout
