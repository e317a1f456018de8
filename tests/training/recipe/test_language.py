import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.model.config import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.recipe.language import (
    CALM_SHARE,
    CALM_STEPS,
    DECAY_EPOCHS,
    DEFAULT_SECONDS,
    MAX_DECAY,
    MAX_HEAVY,
    MAX_RATE,
    MAX_WEIGHT_DROPOUT,
    MIN_DECAY,
    LanguagePlan,
    depends_on_throughput,
    make_language_plan,
)
from charrnn.training.recipe.plan import GPU_BATCH, GPU_SEQ_LEN, GPU_STEPS, choose_batch_shape
from charrnn.training.recipe.throughput import Throughput, count_operations
from charrnn.training.settings import TrainSettings

TWO_CORES = 2.4e11  # operations per second of a small machine


def text(chars: int, vocab: int = 65) -> Corpus:
    ids = np.zeros(chars, dtype=np.int32)
    return Corpus("text", CharVocabulary(range(vocab)), ids, ids[: chars // 10])


def make_plan(corpus: Corpus, peak: float = TWO_CORES, **options: Any) -> LanguagePlan:
    return make_language_plan(TrainSettings.from_options(options), corpus, Throughput(peak))


def test_what_was_given_wins(corpus: Corpus) -> None:
    sizes: dict[str, Any] = {"cell": "gru", "hidden_size": 7, "layers": 3, "embedding_size": 0, "dropout": 0.25}
    learning: dict[str, Any] = {"lr": 0.5, "weight_decay": 0.0, "grad_clip": 9.0, "patience": 4, "seed": 8}
    found = make_plan(corpus, time="10s", epochs=2.0, steps=30, batch_size=3, seq_len=5, **sizes, **learning)
    assert (found.config.cell, found.config.hidden_size, found.config.layers) == ("gru", 7, 3)
    assert (found.config.embedding_size, found.dropout) == (0, 0.25)
    assert (found.batch_size, found.seq_len, found.lr, found.weight_decay) == (3, 5, 0.5, 0.0)
    assert (found.grad_clip, found.patience, found.seed) == (9.0, 4, 8)
    assert (found.budget.seconds, found.budget.epochs, found.budget.steps) == (10.0, 2.0, 30)


def test_without_a_limit_it_is_five_minutes(corpus: Corpus) -> None:
    assert make_plan(corpus).budget.seconds == DEFAULT_SECONDS
    assert make_plan(corpus, steps=9).budget.seconds is None


@pytest.mark.parametrize("chars", [10**3, 10**5, 10**6, 10**8])
@pytest.mark.parametrize("time", ["5s", "1m", "1h", "100h"])
def test_limits_are_kept(chars: int, time: str) -> None:
    plan = make_plan(text(chars), time=time)
    assert 0.0 <= plan.dropout <= MAX_HEAVY
    assert 0.0 <= plan.weight_dropout <= MAX_WEIGHT_DROPOUT
    assert 0.0 < plan.lr <= MAX_RATE
    assert MIN_DECAY <= plan.weight_decay <= MAX_DECAY


def test_a_longer_run_has_a_larger_network_a_lower_rate_and_more_regularization() -> None:
    plans = [make_plan(text(10**6), time=time) for time in ("13s", "60s", "5m")]
    sizes = [plan.config.hidden_size for plan in plans]
    assert sizes == sorted(set(sizes))
    rates = [plan.lr for plan in plans]
    assert rates == sorted(set(rates), reverse=True)
    assert [plan.dropout for plan in plans] == sorted(plan.dropout for plan in plans)
    assert [plan.weight_decay for plan in plans] == sorted(plan.weight_decay for plan in plans)
    assert plans[0].dropout < plans[-1].dropout


H200 = Throughput(4.56e14, half_speed=0.0, waiting=2.7e-3 / (128 * 128))


def test_a_gpu_gets_a_large_network_and_ends_when_it_has_read_enough() -> None:
    shape = choose_batch_shape("cuda", 1)

    def make(chars: int, **options: Any) -> LanguagePlan:
        return make_language_plan(TrainSettings.from_options(options), text(chars), H200, shape)

    minutes, on_cpu = make(1_000_000, time="3m"), make_plan(text(1_000_000), time="3m")
    assert minutes.config.hidden_size > on_cpu.config.hidden_size
    assert (minutes.batch_size, minutes.seq_len) == (GPU_BATCH, GPU_SEQ_LEN)
    assert minutes.budget.epochs == make(1_000_000, time="1h").budget.epochs is not None
    assert on_cpu.budget.epochs is None
    small = make(20_000, time="3m")
    assert small.budget.epochs == pytest.approx(GPU_STEPS * small.batch_size * small.seq_len / 20_000, rel=0.01)
    assert make(1_000_000, time="3m", epochs=90).budget.epochs == 90
    assert make(1_000_000, steps=90).budget.epochs is None
    said = f"ends after {round(minutes.budget.epochs or 0)} epochs at the latest, because more would overfit"
    assert minutes.reasons[-1] == said


def test_more_time_text_or_machine_is_never_a_smaller_network() -> None:
    def size(chars: int, peak: float, time: str) -> int:
        return make_plan(text(chars), peak, time=time).config.hidden_size

    for grown in ([size(10**6, TWO_CORES, t) for t in ("10s", "1m", "5m", "30m", "3h")],
                  [size(n, TWO_CORES, "5m") for n in (10**3, 10**4, 10**5, 10**6, 10**8)],
                  [size(10**8, p, "5m") for p in (1e10, 1e11, 1e12, 1e13)]):  # fmt: skip
        assert grown == sorted(grown)
        assert grown[0] < grown[-1]


def test_more_text_never_gets_more_dropout_nor_more_weight_decay() -> None:
    plans = [make_plan(text(chars), time="5m") for chars in (20_000, 10**5, 10**6, 10**7, 10**8)]
    for values in ([plan.dropout for plan in plans], [plan.weight_decay for plan in plans]):
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]
    assert plans[-1].dropout == 0.0


def test_a_text_that_is_read_often_gets_more_dropout_than_one_that_is_read_some_times() -> None:
    some_times, often = (make_plan(text(20_000), hidden_size=192, epochs=epochs) for epochs in (15, 100))
    assert 0.0 < some_times.dropout < often.dropout


def test_the_rate_falls_where_a_long_run_needs_much_dropout_but_not_to_nothing() -> None:
    def rate(epochs: float) -> float:
        return make_plan(text(310_000), hidden_size=320, epochs=epochs).lr

    assert rate(1) == rate(1.5) > rate(10) > rate(10_000)
    assert rate(10_000) == pytest.approx(CALM_SHARE * rate(1))


def test_weights_forget_within_some_epochs_and_need_less_dropout_then() -> None:
    def plan(chars: int, **options: Any) -> LanguagePlan:
        return make_plan(text(chars), hidden_size=320, epochs=25, **options)

    usual, little, none = plan(310_000), plan(310_000, weight_decay=0.02), plan(310_000, weight_decay=0.0)
    steps_per_epoch = 310_000 / (usual.batch_size * usual.seq_len)
    assert 1 / (usual.lr * usual.weight_decay * steps_per_epoch) == pytest.approx(DECAY_EPOCHS, rel=0.15)
    assert none.weight_decay == 0
    assert usual.dropout < little.dropout < none.dropout
    assert plan(20_000).weight_decay == MAX_DECAY
    assert plan(10**8).weight_decay == MIN_DECAY


def test_a_run_of_few_steps_keeps_its_rate_however_small_the_text() -> None:
    def rate(steps: int) -> float:
        return make_plan(text(2_000), steps=steps).lr

    assert rate(50) == rate(CALM_STEPS) > rate(10_000)


def test_steps_and_epochs_plan_without_the_clock() -> None:
    one, other = (make_plan(text(10**6), peak, steps=500) for peak in (1e9, 1e13))
    assert dataclasses.replace(one, reasons=()) == dataclasses.replace(other, reasons=())
    assert not depends_on_throughput(TrainSettings.from_options({"steps": 5}))
    assert depends_on_throughput(TrainSettings.from_options({"steps": 5, "time": "1m"}))


def test_batch_and_sequence_length_that_are_given_decide_how_much_is_read() -> None:
    wide = make_plan(text(500_000), steps=1000, batch_size=128, seq_len=256, weight_decay=0.0)
    same = make_plan(text(500_000), steps=32_000, weight_decay=0.0)  # as many characters
    small = make_plan(text(500_000), steps=1000)
    assert (wide.config, wide.dropout, wide.weight_dropout) == (same.config, same.dropout, same.weight_dropout)
    assert wide.config.hidden_size > small.config.hidden_size
    assert wide.reasons == same.reasons != small.reasons


def test_a_size_that_makes_few_steps_in_its_time_is_warned_of() -> None:
    (warning,) = make_plan(text(10**6), hidden_size=2000, time="20s", dropout=0.1, weight_dropout=0.0).warnings
    assert "only about 37 steps fit in 20s, too few to learn from; give more --time, or a smaller" in warning
    assert not make_plan(text(10**6), hidden_size=2000, time="2m").warnings
    assert not make_plan(text(10**6), hidden_size=2000, steps=3).warnings
    assert not make_plan(text(10**6), hidden_size=64, steps=3, time="5m").warnings


def test_a_validation_reads_what_the_time_affords() -> None:
    large, small = (make_plan(text(10**7), hidden_size=size, time="20s").validated for size in (2000, 256))
    assert large is not None
    assert small is not None
    assert 4096 <= large < 10_000 < small
    assert make_plan(text(10**7), steps=9).validated is None


def test_it_says_why() -> None:
    (why,) = make_plan(text(10**6), time="60s").reasons
    assert "in 1m" in why
    assert "epochs" in why
    assert "parameters per character" in why


def test_operations_count_every_weight_that_is_multiplied() -> None:
    config = ModelConfig("lstm", 2, 10, 4, 7)
    multiplied = sum(p.numel() for p in _matrices(config))
    assert count_operations(config) == 6 * multiplied


def _matrices(config: ModelConfig) -> list[torch.Tensor]:
    shapes = config.shapes()
    names = [name for name in shapes if ".weight" in name and not name.startswith("embedding")]
    return [torch.empty(shapes[name]) for name in names]
