"""Following a classifier along a text: what it thinks before the first character, and after each.

found = course(model, "A Proof of Everything")
found.probabilities[0]          # (K,), of the learned initial state
found.probabilities[-1]         # of the whole text
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.classification.classifier import Classifier, Text
from charrnn.inference.inspection.page import filled
from charrnn.text.vocabulary.base import UNKNOWN, Codes

CURVES = 5  # classes that the page draws of each text


@dataclass(frozen=True)
class Course:
    """A text, and its classes' probabilities (T + 1, K) along it; `label` is the likeliest in the end.

    Each beginning is judged as the text it would be if it ended there. `codes` are the T tokens that were read, and
    `parts` the same as strings; a byte is the character with its number (Latin-1).
    """

    codes: Codes
    parts: list[str]
    probabilities: NDArray[np.float64]
    label: int


def course(model: Classifier, text: Text) -> Course:
    """Follow a text; characters that the model left out are left out."""
    vocabulary = model.vocabulary
    codes = vocabulary.tokenize(text)
    if vocabulary.unknown is None:
        codes = codes[vocabulary.lookup(codes) != UNKNOWN]
    _, found = model.running(text)
    return Course(codes, vocabulary.to_strings(codes), found, int(found[-1].argmax()))


def page_of(title: str, courses: Sequence[Course], labels: Sequence[str]) -> bytes:
    """The page of some texts: each coloured by its class, with the curves of the classes that matter to it."""
    texts = []
    for each in courses:
        ranked = np.argsort(-each.probabilities.max(axis=0), kind="stable")[:CURVES].tolist()
        chosen = sorted({each.label, *ranked}, key=lambda label: -each.probabilities[-1, label])
        texts.append(
            {
                "parts": each.parts,
                "label": chosen.index(each.label),
                "classes": [labels[label] for label in chosen],
                "curves": np.round(each.probabilities[:, chosen].T, 4).tolist(),
            }
        )
    return filled(title, {"texts": texts}, "following.html")
