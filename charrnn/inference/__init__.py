"""Using a model: the network in NumPy, sampling, generation, scoring. Only generation on a GPU loads PyTorch."""
