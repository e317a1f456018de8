"""The linear model of n-grams that a classifier's network has beside it."""
