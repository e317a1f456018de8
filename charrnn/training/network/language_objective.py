"""Loss and gradients of a step of truncated back-propagation through time.

The kernel computes them on a CPU (`language_step.py`), PyTorch elsewhere: on a CUDA device as one graph. cuDNN launches
its kernels for one time step after the other, some thousand in a step of 128 characters, and the host needs longer for
that than the device. A captured graph is launched at once. It reads and writes at fixed addresses, so every batch is
copied there.
"""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from charrnn.native.cuda_graph import capture
from charrnn.native.recurrent.compiled import Kernel
from charrnn.training.data.feeding import LanguageBatch
from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import State, detach
from charrnn.training.network.language import CharRNN, sequence_loss
from charrnn.training.network.language_step import LanguageStep
from charrnn.training.network.precision import use_precision

Result = tuple[Tensor, State, tuple[Tensor, ...]]  # nats, the state after, and the gradients of all parameters


class LanguageObjective:
    """The summed cross-entropy of a batch.

    Args:
        network: to train.
        precision: of the large products.
    """

    def __init__(self, network: CharRNN, precision: torch.dtype = torch.float32) -> None:
        self.network = network
        self._precision = precision
        self._parameters = list(network.parameters())
        self._step: LanguageStep | None = None
        self._graph: GraphedStep | None = None
        self._can_capture = True

    def find_kernel(self) -> Kernel | None:
        """See `Objective`."""
        with use_precision(self._precision, self._parameters[0].device):
            return self.network.find_kernel()

    def compute_gradients(self, batch: LanguageBatch, workers: Workers) -> tuple[Tensor, State]:
        """See `Objective`."""
        nats, after, gradients = self._compute(batch, workers)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return nats, after

    def _compute(self, batch: LanguageBatch, workers: Workers) -> Result:
        if batch.inputs.is_cuda:
            graph = self._find_graph(batch)
            return self.differentiate(batch, batch.count) if graph is None else graph.compute(batch)
        if self._step is None or not self._step.fits(batch, workers):
            kernel = self.find_kernel()
            if kernel is None:
                return self.differentiate(batch, batch.count)
            self._step = LanguageStep(self.network, kernel, workers, batch)
        return self._step.compute(batch)

    def _find_graph(self, batch: LanguageBatch) -> "GraphedStep | None":
        """The graph of steps of this shape; None for labelled texts, whose steps differ in length."""
        if batch.labels is not None:
            return None
        if self._graph is None and self._can_capture:
            self._can_capture = False  # if it fails, or the shape changes, it is not tried again
            with suppress(RuntimeError):
                self._graph = GraphedStep(self, batch)
        return self._graph if self._graph is not None and self._graph.fits(batch) else None

    def differentiate(self, batch: LanguageBatch, count: Tensor | int) -> Result:
        """Loss and gradients by PyTorch; the loss is divided by `count` for the gradients."""
        network = self.network
        state = network.restart(batch.state, batch.restarted, batch.labels)
        with use_precision(self._precision, batch.inputs.device):
            loss, after = sequence_loss(
                network, batch.inputs, batch.targets, state, batch.restarted, batch.masks, batch.labels
            )
        gradients = torch.autograd.grad(loss / count, self._parameters)
        return loss.detach(), detach(after), gradients


class GraphedStep:
    """Computes steps of one shape; on other devices, where it is only compared, call by call.

    Args:
        objective: what it computes.
        batch: of that shape.

    Raises:
        RuntimeError: if the step cannot be captured.
    """

    def __init__(self, objective: LanguageObjective, batch: LanguageBatch) -> None:
        self._objective, self._batch = objective, batch.clone()
        self._key = self._make_key(batch)
        self._count = torch.ones((), device=batch.inputs.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        if batch.inputs.is_cuda:
            self._graph, self._results = capture(self._differentiate)

    def _differentiate(self) -> Result:
        return self._objective.differentiate(self._batch, self._count)

    def fits(self, batch: LanguageBatch) -> bool:
        """Whether a batch has the shape that this was made for, and the parameters are where they were."""
        return self._key == self._make_key(batch)

    def compute(self, batch: LanguageBatch) -> Result:
        """Loss and gradients; the next call overwrites both."""
        for own, given in zip(self._batch.tensors, batch.tensors, strict=True):
            own.copy_(given)
        self._count.fill_(batch.count)
        if self._graph is None:
            self._results = self._differentiate()
        else:
            self._graph.replay()
        return self._results

    def _make_key(self, batch: LanguageBatch) -> tuple[Any, ...]:
        places = tuple(parameter.data_ptr() for parameter in self._objective.network.parameters())
        return places, tuple(tensor.shape for tensor in batch.tensors)
