"""Learning speed: `charrnn train` against two loops in PyTorch that do nothing but learn."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from scripts.benchmarks.timing import best_rate, figures_of

HIDDEN, LAYERS, BATCH, SEQ_LEN, VOCAB = 100, 2, 100, 200, 65
STEPS = 30  # of charrnn's run
SECONDS = 5.0  # of each loop, in each turn


def loop(*, whole: bool) -> Iterator[int]:
    """A plain training loop; tells after each step how many characters it has learned.

    Args:
        whole: one call of the layers for a whole sequence, or one for each character as the classic scripts do.
    """
    import torch
    from torch import nn

    text = torch.randint(VOCAB, (SEQ_LEN + 1, BATCH))
    embedding, recurrent = nn.Embedding(VOCAB, HIDDEN), nn.LSTM(HIDDEN, HIDDEN, LAYERS)
    decoder = nn.Linear(HIDDEN, VOCAB)
    weights = [*embedding.parameters(), *recurrent.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    while True:
        state, loss = None, torch.zeros(())
        for ids, targets in [(text[:-1], text[1:])] if whole else zip(text[:-1, None], text[1:, None], strict=True):
            output, state = recurrent(embedding(ids), state)
            loss = loss + nn.functional.cross_entropy(decoder(output).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        yield BATCH * SEQ_LEN


def charrnn_rate(text: Path) -> float:
    """Characters a second that `charrnn train` reports for a run of the same sizes."""
    sizes = {"hidden-size": HIDDEN, "embedding-size": HIDDEN, "layers": LAYERS, "batch-size": BATCH, "seq-len": SEQ_LEN}
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--{name}={size}" for name, size in sizes.items()]
        where = ["-o", f"{folder}/m.safetensors", "--logdir", f"{folder}/runs"]
        found = figures_of("train", str(text), *options, f"--steps={STEPS}", "--dropout=0", *where)
    return float(found["chars_per_second"])


def learning_rates(text: Path, turns: int) -> dict[str, float]:
    """Characters a second, the best of some turns; the classic loop first."""
    ways: dict[str, Callable[[], float]] = {
        "one call a character, as the classic scripts": lambda: best_rate(partial(loop, whole=False), SECONDS),
        "bare `nn.LSTM`, one call a sequence": lambda: best_rate(partial(loop, whole=True), SECONDS),
        "`charrnn train`": lambda: charrnn_rate(text),
    }
    best = dict.fromkeys(ways, 0.0)
    for _ in range(turns):
        for name, measure in ways.items():
            best[name] = max(best[name], measure())
    return best
