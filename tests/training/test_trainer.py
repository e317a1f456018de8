import dataclasses
import math

import pytest
import torch

from charrnn.text.corpus import Corpus
from charrnn.training.devices.world import World
from charrnn.training.metrics import StepMetrics
from charrnn.training.network.precision import full_precision
from charrnn.training.recipe.language import LanguagePlan
from charrnn.training.tasks.language import LanguageTask
from charrnn.training.tasks.task import Resources
from charrnn.training.trainer import MAX_BAD_STEPS, Trainer
from tests.devices import CPU, on_devices
from tests.training.runs import make_plan, make_trainer


@pytest.fixture
def small(corpus: Corpus) -> LanguagePlan:
    sizes = {"hidden_size": 24, "layers": 2, "embedding_size": 8, "dropout": 0.1}
    return make_plan(corpus, steps=40, batch_size=4, seq_len=16, lr=0.01, **sizes)


def state_of(trainer: Trainer) -> tuple[torch.Tensor, ...]:
    assert isinstance(trainer.task, LanguageTask)
    return trainer.task._state


def spoil_state(trainer: Trainer) -> None:
    trainer.task.carry(tuple(torch.full_like(part, math.nan) for part in state_of(trainer)))


@on_devices
def test_steps_make_the_loss_fall(small: LanguagePlan, corpus: Corpus, device: torch.device) -> None:
    trainer = make_trainer(small, corpus, resources=Resources(device, World()))
    losses = []
    for _ in range(60):
        trainer.step(0.01, 0.1)
        losses.append(trainer.take_metrics().loss)
    assert losses[0] == pytest.approx(math.log(len(corpus.vocabulary)), rel=0.2)
    assert sum(losses[-5:]) / 5 < 0.7 * losses[0]
    assert trainer.steps == 60


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(small: LanguagePlan, corpus: Corpus) -> None:
    def weights(seed: int) -> torch.Tensor:
        trainer = make_trainer(dataclasses.replace(small, seed=seed), corpus)
        for _ in range(3):
            trainer.step(0.01, 0.1)
        return torch.cat([p.detach().flatten() for p in trainer.task.network.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@on_devices
@pytest.mark.parametrize("weight_dropout", [0.0, 0.3])
def test_every_weight_is_learned_the_initial_state_included(
    small: LanguagePlan, corpus: Corpus, weight_dropout: float, device: torch.device
) -> None:
    plan = dataclasses.replace(small, weight_dropout=weight_dropout)
    trainer = make_trainer(plan, corpus, resources=Resources(device, World()))
    before = {name: p.detach().clone() for name, p in trainer.task.network.named_parameters()}
    for _ in range(3):
        trainer.step(0.01, 0.1)
    for name, parameter in trainer.task.network.named_parameters():
        assert not torch.equal(before[name], parameter), name


def test_the_state_is_carried_and_detached(small: LanguagePlan, corpus: Corpus) -> None:
    trainer = make_trainer(small, corpus)
    before = state_of(trainer)[0].clone()
    trainer.step(0.0, 0.1)
    assert not torch.equal(state_of(trainer)[0], before)
    assert not any(part.requires_grad for part in state_of(trainer))


@on_devices
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_loss_that_is_not_finite_changes_no_weight(
    small: LanguagePlan, corpus: Corpus, optimizer: str, device: torch.device
) -> None:
    plan = dataclasses.replace(small, optimizer=optimizer)
    trainer = make_trainer(plan, corpus, resources=Resources(device, World()))
    trainer.step(0.01, 0.1)
    before = [p.detach().clone() for p in trainer.task.network.parameters()]
    spoil_state(trainer)
    trainer.take_metrics()
    trainer.step(0.01, 0.1)
    assert trainer.take_metrics() == StepMetrics()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.task.network.parameters(), strict=True))
    trainer.step(0.01, 0.1)  # and the readers went on with a clean state
    assert math.isfinite(trainer.take_metrics().loss)


@on_devices
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_steps_have_the_losses_of_plain_pytorch_on_a_cpu(corpus: Corpus, cell: str, device: torch.device) -> None:
    sizes = {"cell": cell, "hidden_size": 24, "layers": 2, "embedding_size": 8, "dropout": 0.0, "weight_dropout": 0.0}
    plan = make_plan(corpus, steps=40, batch_size=4, seq_len=16, lr=0.01, **sizes)
    found = make_trainer(plan, corpus, resources=Resources(device, World()))
    expected = make_trainer(plan, corpus, resources=Resources(CPU, World(), kernel="torch"))
    with full_precision():
        for _ in range(30):  # differences of rounding grow with the number of steps
            for trainer in (found, expected):
                trainer.step(0.01, 0.1)
            assert found.take_metrics().loss == pytest.approx(expected.take_metrics().loss, abs=1e-4)


def test_only_matrices_decay(small: LanguagePlan, corpus: Corpus) -> None:
    trainer, gentle = (make_trainer(dataclasses.replace(small, weight_decay=decay), corpus) for decay in (0.5, 0.0))
    for each in (trainer, gentle):
        torch.manual_seed(3)
        each.step(0.01, 0.1)
    pairs = zip(trainer.task.network.named_weights(), gentle.task.network.parameters(), strict=True)
    for (name, decayed), plain in pairs:
        assert torch.equal(decayed, plain) == (decayed.ndim == 1 or name.startswith("initial")), name


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_pytorch_computes_on_two_threads(small: LanguagePlan, corpus: Corpus, precision: torch.dtype) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    plan = dataclasses.replace(small, batch_size=16)
    trainer = make_trainer(plan, corpus, resources=Resources(CPU, World(), precision, kernel="torch"))
    for _ in range(3):
        trainer.step(0.01, 0.1)
    assert trainer.workers.count == 1
    assert math.isfinite(trainer.task.validate(trainer.workers).loss)
    assert trainer.take_metrics().steps == 3
    trainer.workers.close()
    torch.set_num_threads(before)


def test_a_tally_gives_exact_means() -> None:
    tally = StepMetrics()
    tally.add(10.0, 4, 1.0)
    tally.add(20.0, 6, 3.0)
    assert tally.loss == 3.0
    assert tally.grad_norm == 2.0
    assert math.isnan(StepMetrics().loss)


def test_a_device_that_runs_ahead_learns_the_same_and_is_read_now_and_then(small: LanguagePlan, corpus: Corpus) -> None:
    waiting, ahead = (make_trainer(small, corpus) for _ in range(2))
    ahead.runs_ahead = True
    learned = StepMetrics()
    for trainer in (waiting, ahead):
        torch.manual_seed(3)
        for step in range(12):
            if step == 5:
                spoil_state(trainer)
            trainer.step(0.01, 0.1)
            if trainer is waiting:
                taken = trainer.take_metrics()
                learned.add(taken.nats, taken.chars, taken.norm, taken.steps)
    read = ahead.take_metrics()
    assert (read.steps, read.chars, ahead.bad_steps) == (11, learned.chars, 0)
    assert (read.loss, read.grad_norm) == pytest.approx((learned.loss, learned.grad_norm))
    assert ahead.take_metrics() == StepMetrics()
    for a, b in zip(waiting.task.network.parameters(), ahead.task.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_device_that_runs_ahead_tells_of_divergence_when_it_is_read(small: LanguagePlan, corpus: Corpus) -> None:
    trainer = make_trainer(small, corpus)
    trainer.runs_ahead = True
    with torch.no_grad():
        trainer.task.network.decoder.bias.fill_(math.nan)
    for _ in range(MAX_BAD_STEPS):
        trainer.step(0.01, 0.1)
    assert not trainer.diverged
    assert trainer.take_metrics() == StepMetrics()
    assert trainer.diverged
