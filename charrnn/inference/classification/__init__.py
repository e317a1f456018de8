"""Classifiers of texts, and how good they are."""
