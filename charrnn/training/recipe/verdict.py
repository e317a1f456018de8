"""What the validation curve of a finished run means, in words."""

from collections.abc import Sequence

from charrnn.settings import format_duration
from charrnn.training.reporting import Evaluation

WORSE = 1.005  # of the best loss: validation has turned
BETTER = 0.995  # of an earlier loss: validation is still falling
FEW = 4  # evaluations are too few to say anything
NOTHING_LEFT = 1e-3  # nats: a loss that rounds to zero cannot fall any more
READ_TWICE = 2.0  # epochs before which nothing can be learned by heart


def judge_history(history: Sequence[Evaluation], seconds: float) -> str:
    """One sentence on a run of `seconds`: still improving, levelled off, overfitting, or perfect.

    It is not called overfitting before every text was read twice.
    """
    if len(history) < FEW:
        return "the run was too short to say whether a longer one would be better; try more time"
    best = min(history, key=lambda evaluation: evaluation.valid_loss)
    last = history[-1]
    if best.valid_loss < NOTHING_LEFT:
        return "nothing is left to learn: the validation loss is practically zero"
    earlier = min(evaluation.valid_loss for evaluation in history[: -max(1, len(history) // 5)])
    if best.valid_loss < BETTER * earlier:
        return (
            f"still improving at the end: longer will be better, for example with --time {format_duration(3 * seconds)}"
        )
    if last.epochs < READ_TWICE:
        return (
            f"not better than at step {best.step}, but the text was read only {last.epochs:.1f} times: try more time, "
            f"for example --time {format_duration(3 * seconds)}"
        )
    if last.valid_loss > WORSE * best.valid_loss:
        return (
            f"overfitting since step {best.step}: the best validation loss was {best.valid_loss:.4f}, the last one "
            f"{last.valid_loss:.4f}. More text or more --dropout would help; more time would not"
        )
    return "levelled off: more time alone will change little, but more text or a larger --hidden-size may help"
