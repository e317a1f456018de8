"""The symbols that a model knows, and the way from text to ids and back."""
