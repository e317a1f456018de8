"""Looking inside a network while it reads."""
