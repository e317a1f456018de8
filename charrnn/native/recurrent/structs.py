"""The kernel's arguments: ctypes structures whose fields all take eight bytes."""

from ctypes import Structure, c_int64, c_void_p

GROUP = 8  # samples that go through a sequence together
CHUNK = 128  # terms of a sum whose factors stay in the cache
GAP = 16  # floats between copies of tiles, so that they do not compete for the same lines of the cache
LARGEST_TILE = 8  # rows of a tile of any tiling
LARGEST_PANEL = 32  # columns of a panel of any tiling
PANELS = 96  # rows that whole panels of all tilings cover
MOST_ARGUMENTS = 12  # of a function of the kernel


def scratch_size(rows: int) -> int:
    """The floats of scratch memory that `gemm_tn` takes for a matrix of so many rows."""
    return CHUNK * LARGEST_PANEL + -(-rows // LARGEST_TILE) * (CHUNK * LARGEST_TILE + 2 * GAP)


class Sequence(Structure):
    """A layer's pass over a sequence of T steps (`steps`) of B samples, and where its arrays are.

    All arrays are float32 and contiguous, `symbols` int64. G gates, H units.

    Attributes:
        inputs: projected inputs (T, B, G*H), or with `symbols` a table (V, G*H).
        symbols: (T, B), the rows of the table; 0: there is no table.
        weights: recurrent weights, packed: (G*H, H) for the forward pass, their transpose (H, G*H) for the backward.
        zeros: (G*H).
        bias: (H), inside the GRU's reset product.
        hidden: (T+1, B, H), the states before and after each step.
        cells: (T+1, B, H), those of the LSTM.
        gates: (T, B, G*H): activated gates, which the backward pass replaces by the gradients of their inputs.
        inner: (T, B, G*H), GRU: in the last H, the state's part of the candidate; replaced by the gradients of the
            projected state.
        has_gates: 0 in a forward pass without a backward pass: `gates` and `inner` are one row (G*H).
        sums: scratch memory (GROUP, G*H).
        grad_outputs: (T, B, H), gradients of the outputs.
        grad_hidden, grad_cells: (B, H), gradients of the last state, which become those of the first.
    """

    _fields_ = (
        ("steps", c_int64),
        ("samples", c_int64),
        ("units", c_int64),
        ("inputs", c_void_p),
        ("symbols", c_void_p),
        ("has_symbols", c_int64),
        ("weights", c_void_p),
        ("zeros", c_void_p),
        ("bias", c_void_p),
        ("hidden", c_void_p),
        ("cells", c_void_p),
        ("gates", c_void_p),
        ("inner", c_void_p),
        ("has_gates", c_int64),
        ("sums", c_void_p),
        ("grad_outputs", c_void_p),
        ("grad_hidden", c_void_p),
        ("grad_cells", c_void_p),
    )


class Call(Structure):
    """A call of one of a kernel's functions: its number and its arguments."""

    _fields_ = (("function", c_int64), ("arguments", c_int64 * MOST_ARGUMENTS))
