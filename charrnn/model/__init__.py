"""What a model is: sizes, equations, and its file."""
