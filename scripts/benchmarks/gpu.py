"""Learning and writing on one device, measured in one run: charrnn beside bare loops on the same weights and shapes.

python scripts/benchmark.py gpu                           the GPU if there is one, LSTM 2x512, batch 128 x 128
python scripts/benchmark.py gpu --device cpu --hidden-size 128 --batch-size 16 --seq-len 64

bare     `nn.LSTM` over whole sequences with a fused optimizer, the text on the device, and nothing around it
classic  one call of the layer for each character, as the well-known small scripts train
"""

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from charrnn.inference.generation import on_device
from charrnn.inference.generation.samples import Request
from charrnn.inference.generation.sampling import Sampler
from charrnn.inference.network.language import Network
from charrnn.model.config import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.devices import choose_device, wait_for
from charrnn.training.network.language import CELLS
from charrnn.training.network.precision import choose_precision
from charrnn.training.recipe.language import Plan
from charrnn.training.recipe.schedule import Budget
from charrnn.training.trainer import Trainer

TEXT = 1_000_000  # characters, made up
TEMPERATURE = 0.8
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
Step = Callable[[], object]


def gpu(options: argparse.Namespace) -> None:
    """Learning and writing on one device beside bare loops: characters a second, memory, cost by size."""
    device = choose_device(options.device)
    config = ModelConfig(options.cell, options.layers, options.hidden_size, options.hidden_size, options.vocab)
    rows, columns = options.seq_len, options.batch_size
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    print(f"{name}, PyTorch {torch.__version__}, cuDNN {cudnn}, {torch.get_num_threads()} threads")
    print(
        f"{config.cell} {config.layers}x{config.hidden_size}, batch {columns} x {rows}, {config.vocab_size} symbols\n"
    )
    for precision in options.precision:
        choose_precision(precision, device)  # complains if the device has none of it
        learning(config, columns, rows, PRECISIONS[precision], device, options)
    writing(config, device, options)
    costs(options.sizes, columns, rows, device, options)


def rate(step: Step, items: int, device: torch.device, seconds: float) -> float:
    """Items per second of a step that makes so many, the first few steps left out."""
    for _ in range(3):
        step()
    wait_for(device)
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for _ in range(5):
            step()
        wait_for(device)
        steps += 5
    return steps * items / (time.perf_counter() - begin)


def learning(
    config: ModelConfig, columns: int, rows: int, dtype: torch.dtype, device: torch.device, options: argparse.Namespace
) -> None:
    """One precision's table of learning."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    ours = charrnn_step(config, columns, rows, dtype, device)
    found = {"charrnn": rate(ours, rows * columns, device, options.seconds)}
    memory = peak_memory(device)
    found["bare"] = rate(bare_step(config, columns, rows, dtype, device), rows * columns, device, options.seconds)
    found["recurrent kernels alone"] = rate(
        kernels_step(config, columns, rows, dtype, device), rows * columns, device, options.seconds
    )
    if dtype == torch.float32:
        found["classic"] = rate(classic_step(config, columns, rows, device), rows * columns, device, options.seconds)
    print(f"learning, {str(dtype).removeprefix('torch.')}: characters/s")
    for name, value in found.items():
        print(f"  {name:28}{value:14,.0f}   charrnn is {found['charrnn'] / value:.2f} times as fast")
    # On a CPU charrnn's workers can be faster than the kernels are alone: then nothing is left for the rest.
    share = max(0.0, 1 - found["charrnn"] / found["recurrent kernels alone"])
    print(f"  {share:.0%} of a step is not recurrent kernels; peak memory {memory / 2**20:,.0f} MiB\n")


def charrnn_step(config: ModelConfig, columns: int, rows: int, dtype: torch.dtype, device: torch.device) -> Step:
    """A step of charrnn's own trainer."""
    ids = np.random.default_rng(0).integers(config.vocab_size, size=TEXT).astype(np.int32)
    corpus = Corpus("made up", CharVocabulary(range(config.vocab_size)), ids, ids[:1000])
    budget = Budget(steps=10**9)
    plan = Plan(config, 0.0, 0.0, columns, rows, 1e-3, 0.01, 1.0, 0.01, budget, patience=12, seed=1)
    trainer = Trainer(plan, corpus, device, precision=dtype)
    return partial(trainer.step, 1e-3, 0.5)


class Bare(nn.Module):
    """Embedding, PyTorch's layers, decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.recurrent = CELLS[config.cell](config.hidden_size, config.hidden_size, config.layers)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)


def bare_step(config: ModelConfig, columns: int, rows: int, dtype: torch.dtype, device: torch.device) -> Step:
    """A step over whole sequences; in bfloat16 the whole model is, which is faster than mixed and learns less."""
    model = Bare(config).to(device, dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=device.type != "mps")
    text = torch.randint(config.vocab_size, (rows + 1, columns), device=device)

    def step() -> None:
        hidden, _ = model.recurrent(model.embedding(text[:-1]))
        loss = F.cross_entropy(model.decoder(hidden).flatten(0, 1), text[1:].flatten())
        _update(loss, model, optimizer)

    return step


def classic_step(config: ModelConfig, columns: int, rows: int, device: torch.device) -> Step:
    """A step with one call for each character."""
    model = Bare(config).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    text = torch.randint(config.vocab_size, (rows + 1, columns), device=device)

    def step() -> None:
        state, loss = None, torch.zeros((), device=device)
        for t in range(rows):
            hidden, state = model.recurrent(model.embedding(text[t])[None], state)
            loss = loss + F.cross_entropy(model.decoder(hidden[0]), text[t + 1])
        _update(loss, model, optimizer)

    return step


def _update(loss: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def kernels_step(config: ModelConfig, columns: int, rows: int, dtype: torch.dtype, device: torch.device) -> Step:
    """Forward and backward of the recurrent layers, and nothing else."""
    layers = CELLS[config.cell](config.hidden_size, config.hidden_size, config.layers).to(device, dtype)
    inputs = torch.randn(rows, columns, config.hidden_size, device=device, dtype=dtype, requires_grad=True)
    slopes = torch.randn(rows, columns, config.hidden_size, device=device, dtype=dtype)
    return lambda: torch.autograd.grad(layers(inputs)[0], [inputs, *layers.parameters()], slopes)


def writing(config: ModelConfig, device: torch.device, options: argparse.Namespace) -> None:
    """The table of writing: one stream and many, beside the naive loop."""
    found = {"naive loop, one stream": rate(naive_writer(config, device), 1, device, options.seconds)}
    for samples in options.samples:
        steps = on_device.BURST
        writer = made_up_writer(config, samples, device)
        uniforms = np.random.default_rng(0).random((steps, samples))
        found[f"{samples} samples"] = rate(partial(writer.write, uniforms), steps * samples, device, options.seconds)
    print("writing: characters/s")
    for name, value in found.items():
        print(f"  {name:28}{value:14,.0f}   {value / found['naive loop, one stream']:.1f} times the naive loop")
    print()


def naive_writer(config: ModelConfig, device: torch.device) -> Step:
    """One call of the layers, one softmax and one draw for each character."""
    model = Bare(config).to(device)
    state, symbol = None, torch.zeros(1, dtype=torch.long, device=device)

    def step() -> None:
        nonlocal state, symbol
        with torch.no_grad():
            hidden, state = model.recurrent(model.embedding(symbol)[None], state)
            symbol = torch.multinomial((model.decoder(hidden[0, 0]) / TEMPERATURE).softmax(-1), 1)

    return step


def made_up_writer(config: ModelConfig, samples: int, device: torch.device) -> on_device.DeviceWriter:
    """A writer of charrnn's with random weights."""
    draw = np.random.default_rng(0)
    tensors = {
        name: (draw.standard_normal(shape) / config.hidden_size**0.5).astype(np.float32)
        for name, shape in config.shapes().items()
    }
    network = Network(config, tensors)
    state = network.initial_state().repeat(samples)
    return on_device.DeviceWriter(network, state, Request(Sampler(TEMPERATURE), 1), device)


def costs(sizes: list[int], columns: int, rows: int, device: torch.device, options: argparse.Namespace) -> None:
    """What a million characters cost, by size of a network of one layer."""
    print(f"learning a million characters, one layer, {options.precision[0]}:")
    print("| units | weights | seconds |\n|---|---|---|")
    for size in sizes:
        config = ModelConfig(options.cell, 1, size, 64, options.vocab)
        step = charrnn_step(config, columns, rows, PRECISIONS[options.precision[0]], device)
        taken = 1e6 / rate(step, rows * columns, device, options.seconds)
        print(f"| {size} | {config.parameters:,} | {taken:.3g} |", flush=True)


def peak_memory(device: torch.device) -> int:
    """Bytes that were in use at once: of the GPU by PyTorch, elsewhere of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("gpu", help=gpu.__doc__)
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"))
    parser.add_argument("--cell", default="lstm", choices=("lstm", "gru", "rnn"))
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seq-len", type=int, default=128)
    parser.add_argument("--vocab", type=int, default=65)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=("fp32", "bf16"))
    parser.add_argument("--samples", nargs="+", type=int, default=[1, 64, 1024], help="side by side, to write")
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048], help="of which costs are told")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.set_defaults(run=gpu)
