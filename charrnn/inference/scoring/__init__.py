"""The probability of texts under a language model."""
