"""Writing text with a model."""
