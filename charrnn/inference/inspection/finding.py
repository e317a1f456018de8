"""Finding units that follow a property of a text, and telling meaning from chance.

A property's unit is chosen by its correlation in the text's first half; its score is its correlation in the second,
which had no say in the choice. The control does the same with the property moved along the text by random distances
(its end comes back at the beginning): so moved it has all its ups and downs, but none of them where they belong.
What is found must be clearer than the best of `CONTROLS` such moves; of properties that no unit follows, about one
in `CONTROLS` passes by chance.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.inference.inspection.properties import Property
from charrnn.inference.network.language import Floats

CONTROLS = 50
TOGETHER = 10  # controls that are computed by one product
LEAST = 200  # characters of a text in which something can be found
RARE = 5  # characters of a half that must differ from the others


@dataclass(frozen=True)
class Finding:
    """A unit and what it follows: correlations from -1 to 1.

    Attributes:
        property: its name.
        layer, unit: the first is 0.
        score: in the half of the text that had no say in the choice.
        control: what chance reaches, as an amount.
        above: whether the score has the sign of the first half and is clearer than chance.
        general: whether the property is about more than one single character.
    """

    property: str
    layer: int
    unit: int
    score: float
    control: float
    above: bool
    general: bool


def find(
    states: Floats,
    candidates: Iterable[Property],
    *,
    layers: Sequence[int],
    unit: int | None = None,
    top: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Finding], list[str]]:
    """The `top` units of `layers` for each property, the clearest first; and properties too rare to tell.

    Args:
        states: hidden or cell states (L, T, H).
        candidates: properties of the same T characters.
        layers: those to search.
        unit: the only one to look at in each layer, if not all.
        top: units to name for each property.
        progress: hears how many of how many controls are done.
    """
    searched = states[list(layers)] if unit is None else states[list(layers), :, unit : unit + 1]
    total, size = searched.shape[1:]
    half = total // 2
    told, rare = _told_apart(list(candidates), half, total)
    if not told:
        return [], rare
    units = searched.transpose(1, 0, 2).reshape(total, -1)  # (T, layers * H)
    halves = _standardized(units[:half], 0), _standardized(units[half:], 0)
    values = np.stack([each.values for each in told])  # (P, T)
    first, second = _correlations(values[:, :half], halves[0]), _correlations(values[:, half:], halves[1])
    control = _control(values, half, halves, progress)
    findings = []
    for row, each in enumerate(told):
        for place in np.argsort(-np.abs(first[row]), kind="stable")[:top]:
            score = float(second[row, place])
            above = score * float(np.sign(first[row, place])) > float(control[row])
            layer, at = layers[int(place) // size], int(place) % size + (unit or 0)
            findings.append(Finding(each.name, layer, at, score, float(control[row]), above, each.general))
    return sorted(findings, key=lambda found: (not found.above, -abs(found.score))), rare


def _told_apart(candidates: list[Property], half: int, total: int) -> tuple[list[Property], list[str]]:
    """Properties that change often enough in both halves, and the names of the others."""
    told, rare = [], []
    for each in candidates:
        parts = each.values[:half], each.values[half:]
        often = total >= LEAST and all(len(part) - _most_frequent(part) >= RARE for part in parts)
        (told.append(each) if often else rare.append(each.name))
    return told, rare


def _most_frequent(values: Floats) -> int:
    """How often the most frequent of the values (T,) occurs."""
    return int(np.unique(values, return_counts=True)[1].max())


def _standardized(values: Floats, axis: int) -> Floats:
    """Values with mean 0 and length 1 along an axis; what never changes is all 0."""
    centred = values - values.mean(axis=axis, keepdims=True, dtype=np.float64).astype(np.float32)
    length = np.sqrt(np.square(centred).sum(axis=axis, keepdims=True, dtype=np.float64))
    tiny = length <= 1e-6 * np.sqrt(values.shape[axis])
    scaled: Floats = centred / np.where(tiny, np.inf, length).astype(np.float32)
    return scaled


def _correlations(values: Floats, units: Floats) -> Floats:
    """Correlations (P, U) of properties (P, T) with standardized units (T, U)."""
    correlations: Floats = _standardized(values, 1) @ units
    return correlations


def _control(
    values: Floats, half: int, halves: tuple[Floats, Floats], progress: Callable[[int, int], None] | None
) -> Floats:
    """The best score (P,) that properties (P, T) reach when they are moved along the text."""
    count, total = values.shape
    best = np.zeros(count, dtype=np.float32)
    distances = np.random.default_rng(0).integers(total // 10, total - total // 10, CONTROLS)  # the same every time
    for begin in range(0, CONTROLS, TOGETHER):
        if progress:
            progress(begin, CONTROLS)
        moved = np.concatenate([np.roll(values, d, axis=1) for d in distances[begin : begin + TOGETHER]])
        first, second = _correlations(moved[:, :half], halves[0]), _correlations(moved[:, half:], halves[1])
        chosen = np.abs(first).argmax(axis=1)[:, None]
        score = np.take_along_axis(second, chosen, axis=1) * np.sign(np.take_along_axis(first, chosen, axis=1))
        np.maximum(best, score.reshape(-1, count).max(axis=0), out=best)
    return best


def telling(findings: Sequence[Finding], count: int) -> list[Finding]:
    """The findings worth a look: clearer than chance, each unit and property once, those of one character last."""
    chosen: list[Finding] = []
    for found in sorted(findings, key=lambda each: (not each.general, -abs(each.score))):
        seen = {(each.layer, each.unit) for each in chosen}
        if found.above and (found.layer, found.unit) not in seen and found.property not in {c.property for c in chosen}:
            chosen.append(found)
    return chosen[:count]
