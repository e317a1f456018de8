"""Initial weights."""

import torch
from torch import Tensor, nn

from charrnn.training.network.base import RecurrentNetwork

FORGET_BIAS = 1.0  # remember by default (Gers et al. 2000; Jozefowicz et al. 2015)


@torch.no_grad()
def initialize(network: RecurrentNetwork, counts: Tensor) -> None:
    """Set the initial weights; random parts come from torch's current random state.

    Input and output weights stay as PyTorch draws them. Recurrent matrices are orthogonal, gate by gate (Saxe et
    al. 2014), the LSTM's forget gates start open, and the decoder starts with how often each symbol or class occurs
    (`counts`, (V,) or (K,)), so that the first steps need not learn it.
    """
    size = network.config.hidden_size
    for layer in network.rnn:
        for name, parameter in layer.named_parameters():
            if name.startswith("weight_hh"):
                for gate in range(0, len(parameter), size):
                    nn.init.orthogonal_(parameter[gate : gate + size])
            elif name.startswith("bias"):
                parameter.zero_()
                if network.config.cell == "lstm" and name.startswith("bias_ih"):
                    parameter[size : 2 * size] = FORGET_BIAS
    smoothed = counts.to(torch.float64) + 0.5
    network.decoder.bias.copy_((smoothed / smoothed.sum()).log())
