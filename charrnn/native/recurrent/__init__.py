"""Recurrent layers on a CPU as machine code: forward and backward passes over whole sequences, and their products.

terms.py               what products multiply: float32 numbers, or pairs of bfloat16 numbers
layout.py              how matrices are packed, how loops cover any number of rows
products.py            products of matrices with many rows
cells.py               what equations are written with
lstm.py gru.py rnn.py  the equations of the cells, each forward beside its backward
softmax.py             softmax and its gradient
rows.py                sums and products of rows
structs.py             arguments
program.py             the loops over time that join them
calls.py call_list.py  many calls as one
compiled.py            from there to machine code

Training calls them through functions that PyTorch differentiates (`charrnn.training.kernel`), scoring with NumPy's
arrays. docs/kernel.md explains them.
"""
