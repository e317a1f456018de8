"""Machine code written in Python through LLVM, for training and for using models.

code.py        writing LLVM code: numbers with operators, memory, loops
functions.py   exp, tanh, sigmoid
products.py    matrix times the vectors of many samples
recurrent/     recurrent layers: forward and backward passes over whole sequences
arrays.py      aligned memory
processor.py   this machine's processor: from LLVM code to functions
image.py       code that lies anywhere in memory, loaded without LLVM
cache.py       compiled code on disk
cuda_graph.py  work on a CUDA device, captured and launched at once
"""
