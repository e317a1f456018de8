"""The kernel's arguments: ctypes structures whose fields all take eight bytes."""

from ctypes import Structure, c_double, c_int64, c_void_p


class Job(Structure):
    """A product: its weights, K (`inner`), and where the samples' vectors and results are."""

    _fields_ = (
        ("weights", c_void_p),
        ("bias", c_void_p),
        ("panels", c_int64),
        ("inner", c_int64),
        ("x", c_void_p),
        ("x_stride", c_int64),
        ("out", c_void_p),
        ("out_stride", c_int64),
    )


class Stage(Structure):
    """Products that do not depend on each other, followed in all stages but the last by one layer's cells.

    `from_input` is the table of all symbols for the first layer, and a row for each sample for the others.
    """

    _fields_ = (
        ("jobs", c_void_p),
        ("job_count", c_int64),
        ("from_input", c_void_p),
        ("from_state", c_void_p),
        ("hidden", c_void_p),
        ("cells", c_void_p),
    )


class Batch(Structure):
    """Samples that advance together, and how their symbols are chosen.

    `rows` is the number of samples that there is memory for, 1 or a multiple of a tile's; `units` is the hidden size,
    padded to whole vectors; `width` and `score_width` are the strides of gates and of scores, in floats; `symbols` is
    the size of the vocabulary, padded to whole vectors with symbols of probability zero. `pending` symbols have been
    chosen but not read, if `started`; `known` marks those that have a row in the table. `backwards` alternates from
    step to step.

    If `constrained`, the fields after it hold the tables of a constraint, whose rows have `columns` entries, the states
    of the samples in it (`charrnn.inference.generation.constraint`), and memory for the `masked` scores of one sample.
    Writing ends early when no more than `quorum` samples have not ended.
    """

    _fields_ = (
        ("samples", c_int64),
        ("rows", c_int64),
        ("units", c_int64),
        ("width", c_int64),
        ("symbols", c_int64),
        ("score_width", c_int64),
        ("stages", c_void_p),
        ("stage_count", c_int64),
        ("first_job", c_void_p),
        ("pending", c_void_p),
        ("known", c_void_p),
        ("started", c_int64),
        ("backwards", c_int64),
        ("scores", c_void_p),
        ("weights", c_void_p),
        ("scale", c_double),
        ("top_k", c_int64),
        ("top_p", c_double),
        ("min_p", c_double),
        ("wants_loss", c_int64),
        ("constrained", c_int64),
        ("columns", c_int64),
        ("next", c_void_p),
        ("needed", c_void_p),
        ("shortest", c_void_p),
        ("accepting", c_void_p),
        ("states", c_void_p),
        ("left", c_void_p),
        ("masked", c_void_p),
        ("quorum", c_int64),
    )
