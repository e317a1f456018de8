"""Labelled texts, each a document of its own."""
