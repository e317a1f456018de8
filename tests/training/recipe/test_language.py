import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.model.config import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.recipe.language import (
    DEFAULT_SECONDS,
    ON_CPU,
    LanguagePlan,
    depends_on_speed,
    make_language_plan,
)
from charrnn.training.recipe.shape import choose_shape
from charrnn.training.recipe.speed import Speed, count_operations
from charrnn.training.settings import TrainSettings

TWO_CORES = 2.4e11  # operations per second of a small machine


def text(chars: int, vocab: int = 65) -> Corpus:
    ids = np.zeros(chars, dtype=np.int32)
    return Corpus("text", CharVocabulary(range(vocab)), ids, ids[: chars // 10])


def make_plan(corpus: Corpus, peak: float = TWO_CORES, **options: Any) -> LanguagePlan:
    return make_language_plan(TrainSettings.from_options(options), corpus, Speed(peak))


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


def test_sizes_are_those_that_were_measured_best_on_two_cores() -> None:
    megabyte = text(1_000_000)
    chosen = {time: make_plan(megabyte, time=time) for time in ("13s", "60s", "5m")}
    assert [p.config.hidden_size for p in chosen.values()] == [192, 320, 512]
    assert [p.seq_len for p in chosen.values()] == [64, 64, 64]
    assert [p.dropout for p in chosen.values()] == pytest.approx([0.0, 0.0, 0.18], abs=0.03)
    assert [p.lr for p in chosen.values()] == pytest.approx([1.04e-2, 8.05e-3, 4.8e-3], rel=0.05)
    assert [p.weight_decay for p in chosen.values()] == pytest.approx([0.014, 0.018, 0.03], abs=0.002)


H200 = Speed(4.56e14, half_speed=0.0, waiting=2.7e-3 / (128 * 128))


def test_a_gpu_gets_a_large_network_and_ends_when_it_has_read_enough() -> None:
    shape = choose_shape("cuda", 1, ON_CPU)

    def make(chars: int, **options: Any) -> LanguagePlan:
        return make_language_plan(TrainSettings.from_options(options), text(chars), H200, shape)

    minutes = make(1_000_000, time="3m")
    assert (minutes.config.hidden_size, minutes.batch_size, minutes.seq_len) == (1024, 128, 128)
    assert minutes.budget.epochs == pytest.approx(60, rel=0.02)
    assert (minutes.dropout, minutes.weight_dropout) == pytest.approx((0.57, 0.3), abs=0.01)
    assert minutes.lr == pytest.approx(4.95e-3, rel=0.03)
    assert make(20_000, time="3m").budget.epochs == pytest.approx(3000 / (20_000 / (16 * 128)), rel=0.01)
    assert make(1_000_000, time="3m", epochs=90).budget.epochs == 90
    assert make(1_000_000, steps=90).budget.epochs is None
    assert minutes.reasons[-1] == "ends after 60 epochs at the latest, because more would overfit"


def test_more_time_text_or_machine_is_never_a_smaller_network() -> None:
    def size(chars: int, peak: float, time: str) -> int:
        return make_plan(text(chars), peak, time=time).config.hidden_size

    for grown in ([size(10**6, TWO_CORES, t) for t in ("10s", "1m", "5m", "30m", "3h")],
                  [size(n, TWO_CORES, "5m") for n in (10**3, 10**4, 10**5, 10**6, 10**8)],
                  [size(10**8, p, "5m") for p in (1e10, 1e11, 1e12, 1e13)]):  # fmt: skip
        assert grown == sorted(grown)
        assert grown[0] < grown[-1]


def test_a_small_text_gets_dropout_and_a_small_network() -> None:
    small, large = make_plan(text(20_000), time="5m"), make_plan(text(10**8), time="5m")
    assert small.dropout == 0.68
    assert large.dropout == 0.0
    assert small.config.hidden_size <= 192


def test_a_text_that_is_read_often_gets_more_dropout_than_one_that_is_read_some_times() -> None:
    fifteen_times = make_plan(text(310_000), hidden_size=320, epochs=15)
    often = [make_plan(text(chars), time="60s").dropout for chars in (60_000, 40_000, 20_000)]
    assert fifteen_times.dropout == pytest.approx(0.32, abs=0.03)
    assert often == sorted(often)
    assert 0.5 < often[0] < often[-1] <= 0.7


def test_the_rate_falls_where_a_long_run_needs_much_dropout_but_not_to_nothing() -> None:
    def rate(epochs: float) -> float:
        return make_plan(text(310_000), hidden_size=320, epochs=epochs).lr

    short, long, endless = rate(1), rate(25), rate(10_000)
    assert rate(1.5) == short == pytest.approx(8e-3, rel=0.01)
    assert long == pytest.approx(4.5e-3, rel=0.02)  # measured best
    assert endless == pytest.approx(0.55 * short)


def test_weights_forget_within_some_epochs_and_need_less_dropout_then() -> None:
    def plan(chars: int, **options: Any) -> LanguagePlan:
        return make_plan(text(chars), hidden_size=320, epochs=25, **options)

    usual, none = plan(310_000), plan(310_000, weight_decay=0.0)
    assert 1 / (usual.lr * usual.weight_decay * 310_000 / 1024) == pytest.approx(7.5, abs=0.6)  # measured best
    assert none.weight_decay == 0
    assert usual.dropout == pytest.approx(0.66 * none.dropout, abs=0.01)
    assert plan(310_000, weight_decay=0.05).dropout == pytest.approx(0.83 * none.dropout, abs=0.015)
    assert plan(20_000).weight_decay == 0.1
    assert plan(10**8).weight_decay == 0.01


def test_a_run_of_few_steps_keeps_its_rate_however_small_the_text() -> None:
    def rate(steps: int) -> float:
        return make_plan(text(2_000), steps=steps).lr

    assert rate(50) == rate(1500)
    assert rate(10_000) == pytest.approx(0.55 * rate(50))


def test_steps_and_epochs_plan_without_the_clock() -> None:
    one, other = (make_plan(text(10**6), peak, steps=500) for peak in (1e9, 1e13))
    assert dataclasses.replace(one, reasons=()) == dataclasses.replace(other, reasons=())
    assert not depends_on_speed(TrainSettings.from_options({"steps": 5}))
    assert depends_on_speed(TrainSettings.from_options({"steps": 5, "time": "1m"}))


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
