"""Telling classes of texts apart."""
