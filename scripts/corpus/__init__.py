"""Makers of corpora: one module for each kind; `scripts/corpora.py` is their command line."""
