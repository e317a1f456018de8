"""What the kind of device changes in the recipe: how much is read side by side, and how speed follows size.

On two cores 16 readers learn most in a given time (`charrnn.training.recipe.language`). A GPU takes as long for 16 as
for 64: its time goes into going through the sequence, so it gets more readers and longer sequences, which the recipes
that others have published for character LSTMs on GPUs use, too (64 to 128 readers, 100 to 200 characters: Melis et al.
2018, Merity et al. 2018). The figures for GPUs here are taken from those, not measured.
"""

from dataclasses import dataclass

READERS_PER_CORE = 8  # of several processes on a CPU: fewer leave a matrix product too little to do
GPU_BATCH, GPU_SEQ_LEN = 128, 128
GPU_HALF_SPEED = 16000.0


@dataclass(frozen=True)
class Shape:
    """A step's shape where the user leaves it open, and the law of speed.

    Attributes:
        batch: readers of all processes together.
        seq_len: characters that each reads in a step.
        half_speed: hidden units at which a layer reaches half the device's peak.
    """

    batch: int
    seq_len: int
    half_speed: float


def choose_shape(device: str, processes: int, on_cpu: Shape) -> Shape:
    """The shape for so many processes, each with a device of that kind; `on_cpu` is that of one without a GPU."""
    if device == "cpu":
        return Shape(max(on_cpu.batch, READERS_PER_CORE * processes), on_cpu.seq_len, on_cpu.half_speed)
    return Shape(GPU_BATCH * processes, GPU_SEQ_LEN, GPU_HALF_SPEED)
