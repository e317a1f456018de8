"""The arguments of an update of weights: ctypes structures whose fields all take eight bytes."""

from ctypes import Structure, c_double, c_int64, c_void_p


class Parameter(Structure):
    """A parameter of `count` float32 numbers: arrays of its own, of its gradient, and of what is kept about it.

    Attributes:
        first, second: moving averages of the gradient and of its square.
        average: moving average of the parameter.
        decay: weight decay.
    """

    _fields_ = (
        ("count", c_int64),
        ("values", c_void_p),
        ("gradient", c_void_p),
        ("first", c_void_p),
        ("second", c_void_p),
        ("average", c_void_p),
        ("decay", c_double),
    )


class Update(Structure):
    """The constants of one update of all parameters (`charrnn.training.kernel.adamw`)."""

    _fields_ = (
        ("scale", c_double),
        ("rate", c_double),
        ("step", c_double),
        ("beta1", c_double),
        ("beta2", c_double),
        ("correction", c_double),
        ("epsilon", c_double),
        ("share", c_double),
    )
