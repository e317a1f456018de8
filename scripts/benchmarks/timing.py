"""Measuring time and memory, and random models to measure with."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from charrnn.inference.model import Model
from charrnn.inference.network.language import Network
from charrnn.model.config import ModelConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary
from scripts.common import make_environment

FIRST_CODE = 0x4E00  # random models write Chinese characters: there are enough of them for large vocabularies


def make_random_model(config: ModelConfig) -> Model:
    """Return a model of random weights, in the order of magnitude of trained ones."""
    draw = np.random.default_rng(0)
    tensors = {
        name: (draw.standard_normal(shape) / config.hidden_size**0.5).astype(np.float32)
        for name, shape in config.shapes().items()
    }
    vocabulary = CharVocabulary(range(FIRST_CODE, FIRST_CODE + config.vocab_size))
    return Model(ModelHeader(config, vocabulary.to_json()), vocabulary, Network(config, tensors))


def measure_command(command: Sequence[str], times: int = 5) -> float:
    """Return the median wall time of a command, in seconds."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=make_environment())
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def repeat_step(step: Callable[[], object], items: int) -> Iterator[int]:
    """Call a function again and again, yielding the number of items that each call makes."""
    while True:
        step()
        yield items


def measure_rate(make: Callable[[], Iterator[int]], seconds: float) -> float:
    """Return items per second of an iterator that yields how many more items it has made."""
    iterator = make()
    next(iterator)
    items, begin = 0, time.perf_counter()
    for more in iterator:
        items += more
        if time.perf_counter() - begin > seconds:
            break
    return items / (time.perf_counter() - begin)


def measure_in_turns(makers: dict[str, Callable[[], Iterator[int]]], turns: int, seconds: float) -> dict[str, float]:
    """Return the best rate of each iterator, measured in turns."""
    best = dict.fromkeys(makers, 0.0)
    for _ in range(turns):
        for name, make in makers.items():
            best[name] = max(best[name], measure_rate(make, seconds))
    return best


def measure_call(function: Callable[[], object], times: int = 500) -> float:
    """Return the seconds of a function's fastest call."""
    best = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
    return best


# Until it becomes another program, a process is charged with the memory of its parent, which should be a small one.
STARTER = """
import os, sys, time
begin = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - begin, usage.ru_maxrss)
"""


def measure_memory(command: Sequence[str]) -> tuple[float, float]:
    """Return the seconds and the peak memory in bytes of a command that writes nothing to stdout."""
    starter = [sys.executable, "-c", STARTER, *command]
    done = subprocess.run(
        starter, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=make_environment()
    )
    status, seconds, memory = done.stdout.split()[-3:]
    if int(status):
        raise subprocess.CalledProcessError(int(status), command)
    unit = 1 if sys.platform == "darwin" else 1024
    return float(seconds), int(memory) * unit
