"""Adapting a language model to a text while it reads it."""
