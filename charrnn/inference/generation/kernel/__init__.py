"""The inner loops of generation as machine code, made for this processor by llvmlite.

NumPy alone stays far from what the machine can do here. Its matrix products add up a sample's sums in an order that
depends on how many samples are computed together, and one rounding can change a text; so every sample would have to
be multiplied by itself, and every step pays for some thirty calls. The kernel adds in one fixed order, whatever the
batch, and writes many characters in one call, during which Python's global interpreter lock is free.

    cells.py       LSTM, GRU and plain cells
    choices.py     temperature, filters, drawing
    matching.py    drawing under a regular expression
    structs.py     its arguments: structures of numbers and pointers
    program.py     the loop over characters that joins them
    compiled.py    from there to machine code

What is not its own is in `charrnn.native`: the writing of LLVM code, activations, products, and the cache of
compiled code.
"""
