"""What the kind of device changes in the recipe: how much is read side by side, and how often a text is read.

On two cores 16 readers of 64 characters learn most in a given time (`charrnn.training.recipe.language`). A GPU takes
hardly longer for more of them, because its time goes into going through the sequence. On an H200, in bf16, with tiny
Shakespeare (held-out loss in nats, and that of random windows):

    readers x characters    a million characters, one layer of 1024 units: 64 x 128 0.39 s, 128 x 128 0.23 s, 256 x 128
                            0.15 s. 640 units: 64 x 128 1.408 after 22 of 40 epochs at a rate of 3.1e-3 and 1.416 at
                            6e-3; 128 x 128 at 6e-3 1.399 after 37 of 40
    size                    after 16 of 40 epochs: 640 units 1.422, 1024 units 1.409, both with 64 readers
    dropout                 1024 units, 128 readers, rate 4e-3, 35 of 50 epochs, dropout and weight dropout of 0.6 and
                            0.3 1.388 (1.435), 0.5 and 0.3 1.403 (1.450), 0.6 and 0.5 1.421
    epochs                  1024 units by the clock: 230 epochs in 60 s, dropout 0.66, 1.393 (1.445); in 3 min, dropout
                            0.7, 1.395 (1.446). So 60 are enough for 4.5 weights a character

All with a weight decay of 0.01. The automatic one is 0.1 since two cores have shown its use
(`charrnn.training.recipe.language`). 60 epochs, headlines 80; seed 1, or one figure for each seed:

    weight decay                0.01     0.1             0.2                    0.3             0.7
    dropout                     0.6      0.57            0.53                   0.50            0.39
    tiny Shakespeare            1.403    1.395, 1.394    1.380, 1.387, 1.392    1.377, 1.385    1.383
    in random windows                    1.443, 1.444    1.428, 1.435, 1.438    1.424, 1.432
    Pushkin, 768 units                   1.734, 1.733    1.738, 1.732           1.736           1.766
    headlines, 768 units                 1.356           1.361                  1.366

    learning rate               tiny Shakespeare, 3.5e-3 and 5.3e-3: 1.377, 1.375 (decay of 0.3), 1.380, 1.377 (0.2);
                                Pushkin, 3.8e-3 and 5.3e-3: 1.738, 1.725 (0.2)
    also                        tiny Shakespeare, decay of 0.3: dropout 0.45 1.380; two layers of 640 units 1.389; 40
                                epochs, 768 units, 1.385; 100 epochs 1.376

So more decay helps one text of three, and a higher rate both that were tried: the rate now grows with the fourth root
of a step's characters, in place of the eighth, to 5.0e-3 for 1024 units. That, with a decay of 0.1, has not been run.

A small text gets fewer readers, so that an epoch has as many steps as one of a million characters (not measured).
"""

from dataclasses import dataclass

READERS_PER_CORE = 8  # of several processes on a CPU: fewer leave a matrix product too little to do
GPU_BATCH, GPU_SEQ_LEN = 128, 128
GPU_PRESSURE, GPU_STEPS = 270.0, 3000  # epochs times weights per character that are enough, if there were so many steps
GPU_STEPS_PER_EPOCH = 60


@dataclass(frozen=True)
class Shape:
    """A step's shape where the user leaves it open.

    Attributes:
        batch: readers of all processes together.
        seq_len: characters that each reads in a step.
        least_batch: readers of a small text.
        steps_per_epoch: that a smaller text gets fewer readers for.
        pressure: to overfit, epochs times weights per character, at which a run by the clock ends; None is no limit.
        least_steps: which it makes nevertheless.
    """

    batch: int
    seq_len: int
    least_batch: int
    steps_per_epoch: int = 1
    pressure: float | None = None
    least_steps: int = 0

    def fit_batch(self, chars: int) -> int:
        """Readers for a text of so many characters."""
        return max(self.least_batch, min(self.batch, chars // (self.seq_len * self.steps_per_epoch)))


def choose_shape(device: str, processes: int, on_cpu: Shape) -> Shape:
    """The shape for so many processes, each with a device of that kind; `on_cpu` is that of one without a GPU."""
    if device == "cpu":
        batch = max(on_cpu.batch, READERS_PER_CORE * processes)
        return Shape(batch, on_cpu.seq_len, batch)
    least = max(on_cpu.batch, processes)
    return Shape(GPU_BATCH * processes, GPU_SEQ_LEN, least, GPU_STEPS_PER_EPOCH, GPU_PRESSURE, GPU_STEPS)
