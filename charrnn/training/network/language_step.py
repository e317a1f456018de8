"""A step of a language network on a CPU as lists of calls of the kernel: loss and gradients without a graph.

    1 pack         the weights, as products read them               each worker some of their rows
    2 read         forward, loss and backward                       each worker its streams
    3 gradients    of the weights, from all streams together        each worker some of their rows

A list is written down once and run at every step, as one call that needs no lock of Python's. What is small is done by
PyTorch before and after: the states and the first characters of streams that restart (see `CharRNN.first_loss`).
"""

from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from charrnn.native.recurrent.call_list import CallList
from charrnn.native.recurrent.compiled import Kernel
from charrnn.training.data.feeding import LanguageBatch
from charrnn.training.devices.workers import Workers
from charrnn.training.kernel.layer import PackedMatrix, Passes, StepLayer, divide
from charrnn.training.kernel.linear import check_range, scale_rows
from charrnn.training.kernel.output import OutputPass
from charrnn.training.network.base import State
from charrnn.training.network.language import CharRNN

ROWS = 8  # parts of gradients end at multiples of so many rows, which products take at once


class LanguageStep:
    """Computes steps of one shape.

    Args:
        network: whose gradients are computed.
        kernel: for its cell.
        workers: share the work.
        batch: of that shape.
    """

    def __init__(self, network: CharRNN, kernel: Kernel, workers: Workers, batch: LanguageBatch) -> None:
        self._network, self._kernel, self._workers = network, kernel, workers
        self._parameters = list(network.parameters())
        self._key = self._make_key(batch, workers)
        self._table = network.reads_table(batch.inputs.numel())
        embedding, masked = network.embedding, bool(network.weight_dropout)
        vectors = None if embedding is None else embedding.weight.detach()
        first = (network.config.vocab_size, vectors) if self._table else (None, None)
        self._layers = [
            StepLayer(layer, *((None, None) if k else first), masked=masked) for k, layer in enumerate(network.rnn)
        ]
        self._decoder = PackedMatrix(network.decoder.weight.detach())
        self._scale, self._results = torch.empty(1), torch.empty(2, batch.inputs.numel())
        self._shares = [self._make_share(columns, batch) for columns in workers.split(batch.inputs.shape[1])]
        count = len(self._shares)
        self._parts = range(count)
        self._rows = divide(self._layers[0].width, count, ROWS)
        self._packing = [self._record_packing(part) for part in self._parts]
        self._gradients = [self._record_gradients(rows) for rows in self._rows]
        passes = [[share.passes[k] for share in self._shares] for k in range(len(self._layers))]
        states = range(self._layers[0].states)
        self._last = [[part.state[n][-1] for row in passes for part in row] for n in states]
        self._grad_first = [[part.grad_state[n] for row in passes for part in row] for n in states]
        known = self._map_gradients()
        others: dict[Tensor, Tensor] = {p: torch.zeros_like(p) for p in self._parameters if p not in known}
        known.update(others)
        self._grad_parameter = [known[parameter] for parameter in self._parameters]
        self._sums = [*others.values(), *(tensor for layer in self._layers for tensor in layer.sums)]
        self._sums += [tensor for share in self._shares for tensor in share.sums]

    def fits(self, batch: LanguageBatch, workers: Workers) -> bool:
        """Whether a batch has the shape that this was made for, and the parameters are where they were."""
        return self._key == self._make_key(batch, workers)

    def _make_key(self, batch: LanguageBatch, workers: Workers) -> tuple[Any, ...]:
        places = tuple(parameter.data_ptr() for parameter in self._parameters)
        return places, batch.inputs.shape, bool(batch.masks.outputs), workers

    def _make_share(self, columns: slice, batch: LanguageBatch) -> "_Share":
        config = self._network.config
        inputs = None if self._table else config.input_size
        steps = len(batch.inputs)
        share = _Share(self._layers, columns, steps, inputs, dropout=bool(batch.masks.outputs))
        results = self._results[:, columns.start * steps : columns.stop * steps]
        output = OutputPass(self._decoder, self._network.decoder.bias.detach(), share.targets.view(-1), results)
        share.record(CallList(self._kernel), output, self._scale)
        return share

    def _record_packing(self, part: int) -> CallList:
        recording = CallList(self._kernel)
        for layer in self._layers:
            layer.record_preparation(recording, part, len(self._parts), self._rows[part])
        self._decoder.pack(recording.kernel, part, len(self._parts))
        return recording

    def _record_gradients(self, rows: slice) -> CallList:
        recording = CallList(self._kernel)
        for k, layer in enumerate(self._layers):
            layer.record_gradients(recording, [share.passes[k] for share in self._shares], rows)
        return recording

    def compute(self, batch: LanguageBatch) -> tuple[Tensor, State, tuple[Tensor, ...]]:
        """The summed loss in nats, the state after the batch, and the gradient of the mean loss for each parameter.

        The next call overwrites the gradients.

        Raises:
            IndexError: if a symbol is none of the network's.
        """
        network, symbols = self._network, self._network.config.vocab_size
        check_range(batch.inputs, symbols)
        check_range(batch.targets if batch.labels is None else batch.targets.clamp(min=0), symbols)
        starting = bool(batch.restarted.any())
        state = network.restart(batch.state, batch.restarted, batch.labels) if starting else batch.state
        vectors = None if self._table else network.embed(batch.inputs, batch.labels)
        with torch.no_grad():
            self._run(batch, state, vectors)
            nats = (self._results[0].log() - self._results[1]).sum()
        edges = [] if vectors is None else [(vectors, torch.cat([share.grad_vectors for share in self._shares], dim=1))]
        if starting:
            edges.extend(zip(state, self._join(self._grad_first), strict=True))
            loss = network.first_loss(batch.inputs[0], state, batch.restarted, batch.masks)
            edges.append((loss, self._scale[0]))
            nats = nats + loss.detach()
        self._complete_gradients(edges)
        return nats, self._join(self._last), tuple(self._grad_parameter)

    def _run(self, batch: LanguageBatch, state: State, vectors: Tensor | None) -> None:
        """Everything that lists of calls do."""
        self._scale.fill_(1.0 / batch.count)
        torch._foreach_zero_(self._sums)
        for layer in self._layers:
            layer.prepare()
        for share in self._shares:
            share.load(batch, state, vectors)
        masks, run = batch.masks.recurrent, self._workers.map
        if masks:
            run(lambda part: self._mask(masks, part), self._parts)
        run(CallList.run, self._packing)
        run(CallList.run, [share.calls for share in self._shares])
        run(lambda part: self._finish_part(masks, part), self._parts)

    def _mask(self, masks: tuple[Tensor, ...], part: int) -> None:
        for layer, mask in zip(self._layers, masks, strict=True):
            layer.mask(self._kernel, mask, self._rows[part])

    def _finish_part(self, masks: tuple[Tensor, ...], part: int) -> None:
        self._gradients[part].run()
        for layer, mask in zip(self._layers, masks, strict=False):
            layer.mask_gradient(self._kernel, mask, self._rows[part])

    def _join(self, parts: list[list[Tensor]]) -> State:
        """States (L, B, H) from parts of them (b, H): all layers' of the first readers, and so on."""
        return tuple(torch.cat(tensors).view(len(self._layers), -1, self._layers[0].units) for tensors in parts)

    def _map_gradients(self) -> dict[Tensor, Tensor]:
        """The tensors in which the lists leave the gradients of parameters, by parameter."""
        network, output = self._network, self._shares[0].output
        known: dict[Tensor, Tensor] = {
            network.decoder.weight: output.grad_weight,
            network.decoder.bias: output.grad_bias,
        }
        for layer in self._layers:
            known.update(zip(layer.parameters, layer.gradients, strict=True))
            if layer.grad_vectors is not None and network.embedding is not None:
                known[network.embedding.weight] = layer.grad_vectors
        return known

    def _complete_gradients(self, edges: list[tuple[Tensor, Tensor]]) -> None:
        """Add up the gradients; some come through the graphs of `edges`, which are tensors and their gradients."""
        first = self._shares[0].output
        for share in self._shares[1:]:
            first.grad_weight += share.output.grad_weight
            first.grad_bias += share.output.grad_bias
        for layer in self._layers:
            layer.finish()
        if edges:
            tensors, grad_tensors = zip(*edges, strict=True)
            more = torch.autograd.grad(tensors, self._parameters, grad_tensors, allow_unused=True)
            for gradient, part in zip(self._grad_parameter, more, strict=True):
                if part is not None:
                    gradient.add_(part)


class _Share:
    """Some readers of a step: their arrays and their calls.

    Args:
        layers: of the network.
        columns: the readers.
        steps: T.
        inputs: the width of the first layer's inputs; None if it reads symbols.
        dropout: whether outputs are multiplied by masks.
    """

    def __init__(
        self, layers: list[StepLayer], columns: slice, steps: int, inputs: int | None, *, dropout: bool
    ) -> None:
        readers = columns.stop - columns.start
        self._columns = columns
        self._ids, self.targets = (torch.empty(steps, readers, dtype=torch.int64) for _ in range(2))
        self._vectors = None if inputs is None else torch.empty(steps, readers, inputs)
        self.grad_vectors = torch.empty(0) if self._vectors is None else torch.empty_like(self._vectors)
        self._masks = [torch.empty(readers, layer.units) for layer in layers] if dropout else []
        below = self._ids if self._vectors is None else self._vectors
        self.passes, self._outputs = [], []
        for layer in layers:
            self.passes.append(Passes(layer, below))
            below = torch.empty(steps, readers, layer.units) if dropout else self.passes[-1].hidden[1:]
            self._outputs.append(below)
        self._first = [[part[0] for part in passes.state] for passes in self.passes]

    @property
    def sums(self) -> list[Tensor]:
        """The tensors that calls add to; they have to be zero before."""
        return [self.output.grad_bias, *(part for passes in self.passes for part in passes.grad_state)]

    def record(self, recording: CallList, output: OutputPass, scale: Tensor) -> None:
        """Write down the calls, with an output layer and what the loss is multiplied by."""
        kernel, self.calls, self.output = recording.kernel, recording, output
        grad_outputs = recording.keep(torch.empty_like(self._outputs[-1]))
        for passes, outputs, mask in zip_longest(self.passes, self._outputs, self._masks):
            passes.record_forward(recording)
            if mask is not None:
                scale_rows(kernel, passes.hidden[1:].flatten(0, 1), mask, outputs.flatten(0, 1))
        rows = grad_outputs.flatten(0, 1)
        output.record(recording, self._outputs[-1].flatten(0, 1), rows, scale)
        for k, passes in reversed(list(enumerate(self.passes))):
            if self._masks:
                scale_rows(kernel, rows, self._masks[k], rows)
            passes.record_backward(recording, grad_outputs, grad_outputs if k else self.grad_vectors)

    def load(self, batch: LanguageBatch, state: State, vectors: Tensor | None) -> None:
        """Copy what the readers begin with into their arrays."""
        columns = self._columns
        self._ids.copy_(batch.inputs[:, columns])
        self.targets.copy_(batch.targets[:, columns])
        if self._vectors is not None and vectors is not None:
            self._vectors.copy_(vectors[:, columns])
        for mask, drawn in zip(self._masks, batch.masks.outputs, strict=True):
            mask.copy_(drawn[0, columns])
        for layer, first in enumerate(self._first):
            for own, part in zip(first, state, strict=True):
                own.copy_(part[layer, columns])
