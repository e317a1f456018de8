"""Learning: the PyTorch network, trainer, schedule, recipe and TensorBoard. The only torch side."""
