"""Generating text with a language model."""
