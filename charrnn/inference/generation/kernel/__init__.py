"""The inner loops of generation as machine code, made for this processor by llvmlite.

NumPy alone stays far from what the machine can do here. Its matrix-matrix products add up a sample's sums in an order
that depends on how many samples run beside it, and one rounding can change a text; so every sample would have to be
multiplied by itself, and every step pays for some thirty calls. The kernel adds in one fixed order, whatever runs
beside, and writes many characters in one call, in which Python's lock is free.

    code.py        writing LLVM code in Python: numbers with operators, loops, memory
    functions.py   exp, tanh, sigmoid
    products.py    matrix times the vectors of many samples
    cells.py       LSTM, GRU and plain cells
    choices.py     temperature, filters, drawing
    records.py     what Python hands to it: structures of numbers and pointers
    program.py     the loop over characters that joins them
    compiled.py    from there to machine code, once; then from a cache
"""
