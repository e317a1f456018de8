"""Preparing corpora, measuring, drawing: what surrounds charrnn but is not part of it."""
