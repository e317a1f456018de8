"""The whole kernel: a loop over symbols that reads the last one, computes the scores of the next, and chooses it.

A step is a sequence of stages, laid out by `charrnn.inference.generation.writer`: products, then the cells that need
them. In every other step a stage's products come in reverse order, and each from its last panel to its first:
`charrnn.native.products` says why.
"""

from ctypes import sizeof
from typing import Any

from llvmlite import ir

from charrnn.inference.generation.kernel.cells import emit_cells
from charrnn.inference.generation.kernel.choices import emit_choose
from charrnn.inference.generation.kernel.matching import emit_count_active, emit_match
from charrnn.inference.generation.kernel.structs import Batch, Job, Stage
from charrnn.native.code import BYTE, DOUBLE, FLOAT, INT, POINTER, Code, Memory, Number, StructView
from charrnn.native.processor import Tiling
from charrnn.native.products import emit_product


def emit_kernel(tiling: Tiling, cell: str) -> Any:
    """A module with the functions of `compiled.Kernel`, for networks of one kind of cell."""
    module = ir.Module("charrnn")
    product = emit_product(module, tiling)
    advance = emit_cells(module, tiling.lanes, cell)
    choose = emit_choose(module, tiling.lanes)
    run_job = _emit_run_job(module, product)
    run_jobs = _emit_run_jobs(module, run_job)
    network = _emit_network(module, advance, run_job, run_jobs)
    _emit_write(module, network, choose, emit_match(module, tiling.lanes, choose), emit_count_active(module))
    return module


def _emit_run_job(module: Any, product: Any) -> Any:
    """run_job(job, rows, backwards)."""
    code = Code(module, "run_job", [POINTER, INT, INT], public=True)
    job = StructView(Memory(code, code.arguments[0], INT), Job)
    names = ("weights", "bias", "panels", "inner", "x", "x_stride", "out", "out_stride")
    code.call(product, *(job.number(name) for name in names), *code.arguments[1:])
    return code.finish()


def _emit_run_jobs(module: Any, run_job: Any) -> Any:
    """run_jobs(stage, batch)."""
    code = Code(module, "run_jobs", [POINTER, POINTER])
    stage = StructView(Memory(code, code.arguments[0], INT), Stage)
    batch = StructView(Memory(code, code.arguments[1], INT), Batch)
    backwards, count = batch.number("backwards"), stage.number("job_count")
    with code.count(count) as number:
        place = backwards.equals(1).choose(count - 1 - number, number)
        code.call(run_job, _entry(stage.memory("jobs", INT), place, Job), batch.number("rows"), backwards)
    return code.finish()


def _entry(records: Memory, place: Number, kind: type) -> Memory:
    return records.at(place * (sizeof(kind) // 8))


def _emit_network(module: Any, advance: Any, run_job: Any, run_jobs: Any) -> Any:
    """network(batch): read the pending symbols, if there are any yet, and compute the scores of the next ones."""
    code = Code(module, "network", [POINTER], public=True)
    batch = StructView(Memory(code, code.arguments[0], INT), Batch)
    width, units, samples = (batch.number(name) for name in ("width", "units", "samples"))
    stages, pending = batch.memory("stages", INT), batch.memory("pending", INT)
    last = batch.number("stage_count") - 1
    backwards = batch.number("backwards")

    with code.only_if(batch.number("started").equals(0)):
        code.call(run_job, batch.memory("first_job", INT), batch.number("rows"), backwards)
    with code.only_if(batch.number("started").equals(1)), code.count(last) as number:
        pointer = _entry(stages, number, Stage)
        code.call(run_jobs, pointer, code.arguments[0])
        stage = StructView(pointer, Stage)
        from_input, from_state, hidden, cells = (
            stage.memory(name, FLOAT) for name in ("from_input", "from_state", "hidden", "cells")
        )
        with code.count(samples) as n:
            row = number.equals(0).choose(pending.read(n), n)
            code.call(
                advance,
                units,
                from_input.at(row * width),
                from_state.at(n * width),
                hidden.at(n * units),
                cells.at(n * units),
            )
    code.call(run_jobs, _entry(stages, last, Stage), code.arguments[0])
    batch.set("started", code.integer(1))
    batch.set("backwards", code.integer(1) - backwards)
    return code.finish()


def _emit_write(module: Any, network: Any, choose: Any, match: Any, count_active: Any) -> Any:
    """write(batch, steps, uniforms, symbols, chances): returns how many symbols were chosen for each sample.

    That is fewer than `steps` if one was chosen that has no row in the table yet, which is then still pending, or if no
    more samples than the quorum are left. `symbols` (T, B), -1 after the end of a text, and `chances` (T, B, 2) are
    written.
    """
    code = Code(module, "write", [POINTER, INT, POINTER, POINTER, POINTER], INT, public=True)
    batch = StructView(Memory(code, code.arguments[0], INT), Batch)
    steps = Number(code, code.arguments[1])
    uniforms, symbols, chances = (
        Memory(code, argument, kind) for argument, kind in zip(code.arguments[2:], (DOUBLE, INT, DOUBLE), strict=True)
    )
    samples, score_width = batch.number("samples"), batch.number("score_width")
    pending, known, scores = batch.memory("pending", INT), batch.memory("known", BYTE), batch.memory("scores", FLOAT)
    constrained = batch.number("constrained").equals(1)
    with code.count(steps) as t:
        with (
            code.only_if(constrained),
            code.only_if(code.call(count_active, code.arguments[0]) <= batch.number("quorum")),
        ):
            code.finish(t)
        with code.only_if(batch.number("started").equals(1)), code.count(samples) as n:
            missing = known.read(pending.read(n)).equals(0)
            with code.only_if(missing):
                code.finish(t)
        code.call(network, code.arguments[0])
        with code.count(samples) as n:
            place = t * samples + n
            row, uniform, chance = scores.at(n * score_width), uniforms.read(place), chances.at(place * 2)
            chosen = code.variable(code.integer(-1))
            with code.only_if(constrained):
                chosen.value = code.call(match, code.arguments[0], n, row, uniform, chance)
            with code.only_if(constrained.equals(0)):
                chosen.value = code.call(choose, code.arguments[0], row, row, uniform, chance)
            with code.only_if(chosen.value >= 0):
                pending.write(chosen.value, n)
            symbols.write(chosen.value, place)
    return code.finish(steps)
