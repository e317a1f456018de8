"""The experiments of `scripts/experiments.py`, one module each, and what they measure with."""
