"""What the measurements share: how time is taken, how tables look, made-up models.

All that is compared is measured in the same run, in turns, and the best of the turns counts: another program's burst
of work then costs no one more than the others.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from charrnn.inference.model import Model
from charrnn.inference.network.language import Network
from charrnn.model.config import ModelConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary

FIRST_CODE = 0x4E00  # made-up vocabularies begin at the first Chinese character: there are enough behind it
CHARRNN = [sys.executable, "-m", "charrnn"]


def made_up_model(config: ModelConfig) -> Model:
    """A model of random weights, of the size that trained ones have."""
    draw = np.random.default_rng(0)
    tensors = {
        name: (draw.standard_normal(shape) / config.hidden_size**0.5).astype(np.float32)
        for name, shape in config.shapes().items()
    }
    vocabulary = CharVocabulary(range(FIRST_CODE, FIRST_CODE + config.vocab_size))
    return Model(ModelHeader(config, vocabulary.to_json()), vocabulary, Network(config, tensors))


def seconds_of(command: list[str], times: int = 5) -> float:
    """Median wall time of a command."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def best_rate(make: Callable[[], Iterator[int]], seconds: float) -> float:
    """Items per second of an iterator that tells how many more it has made, over some seconds."""
    iterator = make()
    next(iterator)
    made, begin = 0, time.perf_counter()
    for more in iterator:
        made += more
        if time.perf_counter() - begin > seconds:
            break
    return made / (time.perf_counter() - begin)


def in_turns(makers: dict[str, Callable[[], Iterator[int]]], rounds: int, seconds: float) -> dict[str, float]:
    """The best rate of each, measured in turns."""
    best = dict.fromkeys(makers, 0.0)
    for _ in range(rounds):
        for name, make in makers.items():
            best[name] = max(best[name], best_rate(make, seconds))
    return best


def shortest(function: Callable[[], object], times: int = 500) -> float:
    """Seconds of the fastest call."""
    best = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
    return best


def figures_of(*arguments: str) -> Any:
    """What `charrnn ... --json` says."""
    done = subprocess.run([*CHARRNN, *arguments, "--json", "--quiet"], check=True, capture_output=True)
    return json.loads(done.stdout)


# A process counts the memory of the one that started it until it is a program of its own, so a small one has to.
STARTER = """
import os, sys, time
begin = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - begin, usage.ru_maxrss)
"""


def time_and_memory(command: list[str]) -> tuple[float, float]:
    """Seconds of a command that writes nothing to stdout, and the most memory it had at once, in bytes."""
    starter = [sys.executable, "-c", STARTER, *command]
    done = subprocess.run(starter, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    status, seconds, memory = done.stdout.split()[-3:]
    if int(status):
        raise subprocess.CalledProcessError(int(status), command)
    unit = 1 if sys.platform == "darwin" else 1024
    return float(seconds), int(memory) * unit


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is of words, the others of figures."""
    head = [f"### {title}", "", f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows), ""])
