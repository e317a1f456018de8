"""The loss that a step of truncated back-propagation through time minimises."""

from contextlib import suppress

import torch
from torch import Tensor

from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import Objective, State
from charrnn.training.network.kernel_weights import find_kernel
from charrnn.training.network.language import CharRNN, sequence_loss
from charrnn.training.network.language_batch import LanguageBatch
from charrnn.training.network.language_graph import GraphedStep
from charrnn.training.network.language_step import LanguageStep
from charrnn.training.network.precision import use_precision


class LanguageObjective(Objective):
    """The summed cross-entropy of a batch.

    Args:
        network: to train.
        precision: of the large products.
    """

    def __init__(self, network: CharRNN, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network = network
        self._precision = precision
        self._step: LanguageStep | None = None
        self._graph: GraphedStep | None = None
        self._can_capture = True

    def differentiate(self, batch: LanguageBatch, workers: Workers) -> tuple[Tensor, State] | None:
        """See `Objective`: by the kernel on a CPU, and by a captured graph on a CUDA device, where they can."""
        if batch.inputs.is_cuda:
            return self._replay(batch)
        if self._step is None or not self._step.fits(batch, workers):
            with use_precision(self._precision, batch.inputs.device):
                kernel = find_kernel(self.network.config.cell, self.network.decoder.weight)
            if kernel is None:
                return None
            self._step = LanguageStep(self.network, kernel, workers, batch)
        return self._step.compute(batch)

    def _replay(self, batch: LanguageBatch) -> tuple[Tensor, State] | None:
        """By a graph of a step of this shape; None for labelled texts, whose steps differ in length."""
        if batch.labels is not None:
            return None
        if self._graph is None and self._can_capture:
            self._can_capture = False  # if it fails, or the shape changes, it is not tried again
            with suppress(RuntimeError):
                self._graph = GraphedStep(self.network, self._precision, batch)
        return self._graph.compute(batch) if self._graph is not None and self._graph.fits(batch) else None

    def forward(self, batch: LanguageBatch) -> tuple[Tensor, Tensor, State]:
        """The loss in nats, twice, and the state after; the initial state has a part in every graph."""
        state = self.network.restart(batch.state, batch.fresh, batch.labels)
        with use_precision(self._precision, batch.inputs.device):
            loss, after = sequence_loss(
                self.network,
                batch.inputs,
                batch.targets,
                state,
                batch.starts,
                masks=batch.masks,
                labels=batch.labels,
                inside=batch.inside,
            )
        return loss, loss, after
