"""Weights to start from."""

import torch
from torch import nn

from charrnn.training.network import CharRNN

FORGET_BIAS = 1.0  # remember by default (Gers et al. 2000; Jozefowicz et al. 2015)


@torch.no_grad()
def initialize(network: CharRNN) -> None:
    """Draw all weights from torch's current random state.

    Input and output weights are small and uniform as PyTorch has them; recurrent matrices are orthogonal, gate
    by gate (Saxe et al. 2014), and the LSTM's forget gates start open.
    """
    size = network.config.hidden_size
    for name, parameter in network.rnn.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.split(size):
                nn.init.orthogonal_(gate)
        elif name.startswith("weight_ih"):
            for gate in parameter.split(size):
                nn.init.xavier_uniform_(gate)
        else:
            parameter.zero_()
            if network.config.cell == "lstm" and name.startswith("bias_ih"):
                parameter[size : 2 * size] = FORGET_BIAS
    nn.init.xavier_uniform_(network.decoder.weight)
    network.decoder.bias.zero_()
    if network.embedding is not None:
        nn.init.normal_(network.embedding.weight, std=network.config.embedding_size**-0.5)
