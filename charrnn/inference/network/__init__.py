"""The networks in NumPy."""
