"""A step of a language network on a CUDA device as one graph: loss and gradients in a single launch.

cuDNN launches its kernels for one time step after the other, some thousand in a step of 128 characters, and the host
needs longer for that than the device: LSTM 1x512, 64 readers of 128 characters, 10 ms a step whatever the size of the
network. A captured graph is launched at once. It reads and writes at fixed addresses, so every batch is copied there.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.native.cuda_graph import capture
from charrnn.training.network.base import State, detach
from charrnn.training.network.dropout import Masks
from charrnn.training.network.language import CharRNN, sequence_loss
from charrnn.training.network.language_batch import LanguageBatch
from charrnn.training.network.precision import use_precision


class GraphedStep:
    """Computes steps of one shape; on other devices, where it is only compared, call by call.

    Args:
        network: whose gradients are computed.
        precision: of the large products.
        batch: of that shape.

    Raises:
        RuntimeError: if the step cannot be captured.
    """

    def __init__(self, network: CharRNN, precision: torch.dtype, batch: LanguageBatch) -> None:
        self._network, self._precision = network, precision
        self._parameters = list(network.parameters())
        self._key = self._make_key(batch)
        self._inputs = [tensor.clone() for tensor in _list_tensors(batch)]
        self._states, self._dropped = len(batch.state), len(batch.masks.outputs)
        self._count = torch.ones((), device=batch.inputs.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        if batch.inputs.is_cuda:
            self._graph, self._results = capture(self._differentiate)

    def fits(self, batch: LanguageBatch) -> bool:
        """Whether a batch has the shape that this was made for, and the parameters are where they were."""
        return self._key == self._make_key(batch)

    def compute(self, batch: LanguageBatch) -> tuple[Tensor, State]:
        """Set the gradient of every parameter to that of the mean loss.

        Returns the summed loss in nats, and the state after the batch; the next call overwrites both.
        """
        for own, given in zip(self._inputs, _list_tensors(batch), strict=True):
            own.copy_(given)
        self._count.fill_(batch.count)
        if self._graph is None:
            self._results = self._differentiate()
        else:
            self._graph.replay()
        nats, after, gradients = self._results
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return nats, after

    def _make_key(self, batch: LanguageBatch) -> tuple[Any, ...]:
        places = tuple(parameter.data_ptr() for parameter in self._parameters)
        return places, tuple(tensor.shape for tensor in _list_tensors(batch))

    def _differentiate(self) -> tuple[Tensor, State, tuple[Tensor, ...]]:
        """The loss in nats, the state after, and the gradients of the mean loss, from the tensors copied to."""
        network, (inputs, targets, fresh, *others) = self._network, self._inputs
        carried, dropped = tuple(others[: self._states]), others[self._states :]
        masks = Masks(tuple(dropped[: self._dropped]), tuple(dropped[self._dropped :]))
        state = network.restart(carried, fresh)
        nobody = torch.empty(0, dtype=torch.long, device=inputs.device)
        with use_precision(self._precision, inputs.device):
            loss, after = sequence_loss(network, inputs, targets, state, nobody, masks=masks)
            # Readers that start pay for their first character, too: in one shape, however many they are.
            first = F.cross_entropy(network.next_logits(state, masks), inputs[0], reduction="none")
            loss = loss + torch.where(fresh, first, 0.0).sum()
        gradients = torch.autograd.grad(loss / self._count, self._parameters)
        return loss.detach(), detach(after), gradients


def _list_tensors(batch: LanguageBatch) -> list[Tensor]:
    """What differs from step to step."""
    masks = batch.masks
    return [batch.inputs, batch.targets, batch.fresh, *batch.state, *masks.outputs, *masks.recurrent]
