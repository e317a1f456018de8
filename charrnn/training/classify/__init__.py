"""Learning to tell labelled texts apart: documents -> a classifier's model file."""
