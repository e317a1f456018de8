"""The machine code of `charrnn.native.recurrent` as functions that PyTorch differentiates.

linear.py      linear layers
recurrence.py  recurrent layers
output.py      the output layer and its softmax
"""
