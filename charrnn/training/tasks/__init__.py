"""What differs between learning to write and learning to classify."""
