import dataclasses
import math

import pytest
import torch

from charrnn.text.corpus import Corpus
from charrnn.training.metrics import Tally
from charrnn.training.recipe.language import Plan, plan
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TextSettings, TrainSettings
from charrnn.training.trainer import MAX_BAD_STEPS, Trainer

CPU = torch.device("cpu")


@pytest.fixture
def small(corpus: Corpus) -> Plan:
    settings = TrainSettings(
        TextSettings(),
        ModelSettings(hidden_size=24, layers=2, embedding_size=8, dropout=0.1),
        LearningSettings(steps=40, batch_size=4, seq_len=16, lr=0.01),
        RunSettings(),
    )
    return plan(settings, corpus, peak=1e11)


def test_steps_make_the_loss_fall(small: Plan, corpus: Corpus) -> None:
    trainer = Trainer(small, corpus, CPU)
    losses = []
    for _ in range(60):
        trainer.step(0.01, 0.1)
        losses.append(trainer.taken().loss)
    assert losses[0] == pytest.approx(math.log(len(corpus.vocabulary)), rel=0.2)
    assert sum(losses[-5:]) / 5 < 0.7 * losses[0]
    assert trainer.steps == 60


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(small: Plan, corpus: Corpus) -> None:
    def weights(seed: int) -> torch.Tensor:
        trainer = Trainer(dataclasses.replace(small, seed=seed), corpus, CPU)
        for _ in range(3):
            trainer.step(0.01, 0.1)
        return torch.cat([p.detach().flatten() for p in trainer.network.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_every_weight_is_learned_the_initial_state_included(small: Plan, corpus: Corpus) -> None:
    trainer = Trainer(small, corpus, CPU)
    before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
    for _ in range(3):
        trainer.step(0.01, 0.1)
    for name, parameter in trainer.network.named_parameters():
        assert not torch.equal(before[name], parameter), name


def test_the_state_is_carried_and_detached(small: Plan, corpus: Corpus) -> None:
    trainer = Trainer(small, corpus, CPU)
    before = trainer.state[0].clone()
    trainer.step(0.0, 0.1)
    assert not torch.equal(trainer.state[0], before)
    assert not any(part.requires_grad for part in trainer.state)


def test_a_loss_that_is_not_finite_changes_no_weight(small: Plan, corpus: Corpus) -> None:
    trainer = Trainer(small, corpus, CPU)
    trainer.step(0.01, 0.1)
    before = [p.detach().clone() for p in trainer.network.parameters()]
    trainer.state = tuple(torch.full_like(part, math.nan) for part in trainer.state)
    trainer.taken()
    trainer.step(0.01, 0.1)
    assert trainer.taken() == Tally()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.network.parameters(), strict=True))
    trainer.step(0.01, 0.1)  # and the readers went on with a clean state
    assert math.isfinite(trainer.taken().loss)


def test_only_matrices_decay(small: Plan, corpus: Corpus) -> None:
    trainer = Trainer(small, corpus, CPU)
    decaying, others = trainer.optimizer.param_groups
    assert decaying["weight_decay"] == small.weight_decay
    assert others["weight_decay"] == 0.0
    assert all(p.ndim == 2 for p in decaying["params"])
    everything = {id(p) for p in trainer.network.parameters()}
    assert {id(p) for group in trainer.optimizer.param_groups for p in group["params"]} == everything


def test_a_tally_gives_exact_means() -> None:
    tally = Tally()
    tally.add(10.0, 4, 1.0)
    tally.add(20.0, 6, 3.0)
    assert tally.loss == 3.0
    assert tally.grad_norm == 2.0
    assert math.isnan(Tally().loss)


def test_a_device_that_runs_ahead_learns_the_same_and_is_read_now_and_then(small: Plan, corpus: Corpus) -> None:
    waiting, ahead = (Trainer(small, corpus, CPU) for _ in range(2))
    ahead.runs_ahead = True
    learned = Tally()
    for trainer in (waiting, ahead):
        torch.manual_seed(3)
        for step in range(12):
            if step == 5:
                trainer.state = tuple(torch.full_like(part, math.nan) for part in trainer.state)
            trainer.step(0.01, 0.1)
            if trainer is waiting:
                taken = trainer.taken()
                learned.add(taken.nats, taken.chars, taken.norm, taken.steps)
    read = ahead.taken()
    assert (read.steps, read.chars, ahead.bad_steps) == (11, learned.chars, 0)
    assert (read.loss, read.grad_norm) == pytest.approx((learned.loss, learned.grad_norm))
    assert ahead.taken() == Tally()
    for a, b in zip(waiting.network.parameters(), ahead.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_device_that_runs_ahead_tells_of_divergence_when_it_is_read(small: Plan, corpus: Corpus) -> None:
    trainer = Trainer(small, corpus, CPU)
    trainer.runs_ahead = True
    with torch.no_grad():
        trainer.network.decoder.bias.fill_(math.nan)
    for _ in range(MAX_BAD_STEPS):
        trainer.step(0.01, 0.1)
    assert not trainer.diverged
    assert trainer.taken() == Tally()
    assert trainer.diverged
