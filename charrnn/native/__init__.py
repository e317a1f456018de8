"""Machine code written in Python through LLVM, for learning and for using models."""
