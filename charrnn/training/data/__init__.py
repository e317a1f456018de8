"""From a corpus to the batches of a step."""
