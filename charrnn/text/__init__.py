"""Corpora and vocabularies: files -> token ids. NumPy only."""
