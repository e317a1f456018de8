"""Training on a device: the losses of the same steps on a CPU, and how fast and how far a short run comes."""

import time
from pathlib import Path

import torch

from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.devices.device import synchronize
from charrnn.training.metrics import StepMetrics
from charrnn.training.network.precision import full_precision
from scripts.benchmarks.gpu.cases import Case, open_trainer, read_text
from scripts.benchmarks.gpu.rates import get_peak_memory, reset_peak_memory
from scripts.benchmarks.gpu.results import Results

CPU = torch.device("cpu")
RATE, CAREFUL_RATE = 2e-3, 2e-4  # short lines make larger gradients: at 2e-3, rounding grows to 0.01 nats on a CPU, too
# Of the steps that are compared; without dropout, whose random numbers every kind of device draws in its own way.
COMPARED = {"batch_size": 32, "seq_len": 64, "dropout": 0.0, "weight_dropout": 0.0}
LARGEST_DIFFERENCE = 1e-3  # nats, over all compared steps in float32
STEPS_AT_ONCE = 10


def measure_learning(
    results: Results, cases: list[Case], text: Path, labelled: Path, device: torch.device, seconds: float
) -> None:
    """Compare the losses of each case with those on a CPU, then train it for some seconds with its own settings."""
    on_cpu: dict[str, list[float]] = {}
    for case in cases:
        corpus = read_text(case, text, labelled)

        def measure(case: Case = case, corpus: Corpus | LabelledCorpus = corpus) -> None:
            name = case.name.rpartition(",")[0]
            if name not in on_cpu:
                on_cpu[name] = measure_losses(case, corpus, CPU, "fp32")
            compare(results, case, on_cpu[name], measure_losses(case, corpus, device, case.precision))
            train(results, case, corpus, device, seconds)

        results.attempt(case.name, measure)


def compare(results: Results, case: Case, expected: list[float], found: list[float]) -> None:
    """Add the largest difference between the losses of two devices, and the last losses."""
    difference = max(abs(a - b) for a, b in zip(expected, found, strict=True))
    what = f"{case.name}: largest difference from the CPU in {len(expected)} steps"
    exact = LARGEST_DIFFERENCE if case.precision == "fp32" else None
    results.add("losses", what, difference, "nats", at_most=exact)
    print(f"  last losses: {found[-1]:.5f}, on the CPU {expected[-1]:.5f}", flush=True)


def measure_losses(case: Case, corpus: Corpus | LabelledCorpus, device: torch.device, precision: str) -> list[float]:
    """Return the loss of each step, in nats."""
    fixed = dict(COMPARED)
    if case.settings.get("task") == "classify":
        del fixed["weight_dropout"]
    losses, rate = [], CAREFUL_RATE if case.labelled else RATE
    with full_precision(), open_trainer(case, corpus, device, precision, **fixed) as trainer:
        for _ in range(case.steps):
            trainer.step(rate, 0.01)
            losses.append(trainer.take_metrics().loss)
    return losses


def train(results: Results, case: Case, corpus: Corpus | LabelledCorpus, device: torch.device, seconds: float) -> None:
    """Train for some seconds and add speed, loss and peak memory."""
    reset_peak_memory(device)
    with full_precision(), open_trainer(case, corpus, device, case.precision) as trainer:
        trainer.step(RATE, 0.01)  # allocates, and chooses algorithms
        synchronize(device)
        begin, before, recent = time.perf_counter(), trainer.symbols, StepMetrics()
        while time.perf_counter() - begin < seconds:
            for _ in range(STEPS_AT_ONCE):
                trainer.step(RATE, 0.01)
            recent = trainer.take_metrics()  # waits for the device
        taken = time.perf_counter() - begin
        plan = trainer.task.plan
        what = f"{case.name}, batch {plan.batch_size} x {plan.seq_len}"
        results.add("training", what, (trainer.symbols - before) / taken, "symbols/s")
        memory = get_peak_memory(device) / 2**20
        print(
            f"  {trainer.steps} steps, training loss {recent.loss:.4f}, dropout {plan.dropout}, {memory:,.0f} MiB",
            flush=True,
        )
        results.add("memory", case.name, memory, "MiB")
