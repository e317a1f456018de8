"""A classifier's probabilities along a text: before the first character, and after each.

For example:

    course = follow(classifier, "A Proof of Everything")
    course.probabilities[0]          # (K,), of the learned initial state
    course.probabilities[-1]         # of the whole text
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.classification.classifier import Classifier
from charrnn.text.ngrams import Text
from charrnn.text.vocabulary.base import UNKNOWN, Codes

LINES = 20  # lines to follow
LONGEST = 400  # characters of one


@dataclass(frozen=True)
class Course:
    """The classes' probabilities along a text.

    Attributes:
        codes: the T codes that the model reads.
        parts: each code as text (T,); a byte is the character with its number (Latin-1).
        probabilities: (T + 1, K) before the first character and after each one, as if the text ended there.
        label: index of the class that is predicted for the whole text.
        sums: of a classifier with n-grams, how much network and n-grams give that class more than the next likely one,
            in nats.
    """

    codes: Codes
    parts: list[str]
    probabilities: NDArray[np.float64]
    label: int
    sums: dict[str, float]

    @property
    def explanation(self) -> str:
        """The sums in words, empty if there are none."""
        return ", ".join(f"{name} {value:+.2f}" for name, value in self.sums.items())


def follow(model: Classifier, text: Text) -> Course:
    """The course of a text, without tokens that the model does not read."""
    vocabulary = model.vocabulary
    codes = vocabulary.tokenize(text)
    if vocabulary.unknown is None:
        codes = codes[vocabulary.lookup(codes) != UNKNOWN]
    probabilities = model.running_probabilities(text)
    second, label = np.argsort(probabilities[-1], kind="stable")[-2:].tolist()
    sums = {}
    if model.ngrams is not None:
        margins = [float(scores[0, label] - scores[0, second]) for scores in model.score_parts([text])]
        sums = dict(zip(("network", "n-grams"), margins, strict=True))
    return Course(codes, vocabulary.to_strings(codes), probabilities, label, sums)


def follow_lines(
    model: Classifier, lines: Iterable[Text], longest: int, progress: Callable[[int, int], None]
) -> tuple[list[Course], list[str]]:
    """The courses of the first lines that are not blank, each cut to `longest` characters, and notes on what was cut.

    `progress` is called with the number of lines, and 0 for their unknown total.
    """
    courses: list[Course] = []
    notes = []
    for line in lines:
        if not line.strip():
            continue
        if len(courses) == LINES:
            notes.append(f"read only the first {LINES} lines")
            break
        if len(line) > longest:
            notes.append(f"read only the first {longest:,} of {len(line):,} characters of a line; --shown N reads more")
        courses.append(follow(model, line[:longest]))
        progress(len(courses), 0)
    return courses, notes
