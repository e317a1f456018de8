"""The machine code of `charrnn.native.recurrent` as functions that PyTorch differentiates, and the update of weights.

linear.py      linear layers
recurrence.py  recurrent layers
output.py      the output layer and its softmax
adamw.py       gradient norm, AdamW and the average of the weights, as machine code
records.py     its arguments
update.py      the same for PyTorch's optimizer
"""
