"""Other formats as text to learn from."""
