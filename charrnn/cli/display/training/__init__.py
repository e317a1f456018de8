"""What a training run shows."""
