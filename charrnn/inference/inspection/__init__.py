"""What happens inside a network while it reads a text."""
