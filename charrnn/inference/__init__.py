"""Using a model: the network in NumPy, sampling, generation, scoring. Never imports torch."""
