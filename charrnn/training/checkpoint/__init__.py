"""What is saved of a run, how, and going on from it."""
