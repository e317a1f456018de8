"""Finding units that follow a property of a text, and telling them from chance.

A property's unit is chosen by its correlation in the first half of the text; its score is its correlation in the
second half. The control does the same with the property shifted along the text by random distances, with its end
wrapped round to the beginning. A score must be higher than the best of `CONTROLS` such shifts; of properties that no
unit follows, about one in `CONTROLS` passes by chance.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.inference.inspection.properties import Property
from charrnn.inference.network.language import Floats

CONTROLS = 50
BATCH = 10  # controls in one product
LEAST = 200  # characters of a text
RARE = 5  # characters in each half at which a property must differ from its most frequent value


@dataclass(frozen=True)
class Finding:
    """A unit and the property that it follows; correlations are from -1 to 1.

    Attributes:
        property: its name.
        layer, unit: counted from 0.
        score: correlation in the second half of the text.
        control: the largest absolute correlation reached by chance.
        above: whether the score has the sign of the first half and is above chance.
        general: whether the property concerns more than one single character.
    """

    property: str
    layer: int
    unit: int
    score: float
    control: float
    above: bool
    general: bool


def find_units(
    states: Floats,
    candidates: Iterable[Property],
    *,
    layers: Sequence[int],
    unit: int | None = None,
    top: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Finding], list[str]]:
    """The `top` units of `layers` for each property, the clearest first, and names of properties that are too rare.

    Args:
        states: hidden or cell states (L, T, H).
        candidates: properties of the same T characters.
        layers: those to search.
        unit: the only unit to search in each layer; None is all.
        top: units for each property.
        progress: is called with the number of controls computed, and of all.
    """
    searched = states[list(layers)] if unit is None else states[list(layers), :, unit : unit + 1]
    total, size = searched.shape[1:]
    half = total // 2
    properties, rare = _split_rare(list(candidates), half, total)
    if not properties:
        return [], rare
    units = searched.transpose(1, 0, 2).reshape(total, -1)  # (T, layers * H)
    halves = _standardize(units[:half], 0), _standardize(units[half:], 0)
    values = np.stack([each.values for each in properties])  # (P, T)
    first, second = _correlate(values[:, :half], halves[0]), _correlate(values[:, half:], halves[1])
    control = _measure_controls(values, half, halves, progress)
    findings = []
    for row, each in enumerate(properties):
        for place in np.argsort(-np.abs(first[row]), kind="stable")[:top]:
            score = float(second[row, place])
            above = score * float(np.sign(first[row, place])) > float(control[row])
            layer, at = layers[int(place) // size], int(place) % size + (unit or 0)
            findings.append(Finding(each.name, layer, at, score, float(control[row]), above, each.general))
    return sorted(findings, key=lambda finding: (not finding.above, -abs(finding.score))), rare


def _split_rare(candidates: list[Property], half: int, total: int) -> tuple[list[Property], list[str]]:
    """Properties that change often enough in both halves, and the names of the others."""
    frequent, rare = [], []
    for each in candidates:
        halves = each.values[:half], each.values[half:]
        others = (len(part) - int(np.unique(part, return_counts=True)[1].max()) for part in halves)
        often = total >= LEAST and all(count >= RARE for count in others)
        (frequent.append(each) if often else rare.append(each.name))
    return frequent, rare


def _standardize(values: Floats, axis: int) -> Floats:
    """Values with mean 0 and Euclidean norm 1 along an axis; constant ones become 0."""
    centred = values - values.mean(axis=axis, keepdims=True, dtype=np.float64).astype(np.float32)
    norm = np.sqrt(np.square(centred).sum(axis=axis, keepdims=True, dtype=np.float64))
    tiny = norm <= 1e-6 * np.sqrt(values.shape[axis])
    scaled: Floats = centred / np.where(tiny, np.inf, norm).astype(np.float32)
    return scaled


def _correlate(values: Floats, units: Floats) -> Floats:
    """Correlations (P, U) of properties (P, T) with standardized units (T, U)."""
    correlations: Floats = _standardize(values, 1) @ units
    return correlations


def _measure_controls(
    values: Floats, half: int, halves: tuple[Floats, Floats], progress: Callable[[int, int], None] | None
) -> Floats:
    """The best score (P,) of properties (P, T) shifted along the text."""
    count, total = values.shape
    best = np.zeros(count, dtype=np.float32)
    distances = np.random.default_rng(0).integers(total // 10, total - total // 10, CONTROLS)  # the same every time
    for begin in range(0, CONTROLS, BATCH):
        if progress:
            progress(begin, CONTROLS)
        shifted = np.concatenate([np.roll(values, d, axis=1) for d in distances[begin : begin + BATCH]])
        first, second = _correlate(shifted[:, :half], halves[0]), _correlate(shifted[:, half:], halves[1])
        chosen = np.abs(first).argmax(axis=1)[:, None]
        score = np.take_along_axis(second, chosen, axis=1) * np.sign(np.take_along_axis(first, chosen, axis=1))
        np.maximum(best, score.reshape(-1, count).max(axis=0), out=best)
    return best


def select_findings(findings: Sequence[Finding], count: int) -> list[Finding]:
    """The clearest findings above chance, each unit and property once, those of single characters last."""
    selected: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (not each.general, -abs(each.score))):
        units = {(each.layer, each.unit) for each in selected}
        properties = {each.property for each in selected}
        if finding.above and (finding.layer, finding.unit) not in units and finding.property not in properties:
            selected.append(finding)
    return selected[:count]


@dataclass(frozen=True)
class Unit:
    """A unit to show, and why."""

    layer: int
    unit: int
    heading: str


def choose_units(findings: Sequence[Finding], states: Floats, layers: Sequence[int], count: int) -> list[Unit]:
    """The units with the clearest findings; if there are none, those whose states (L, T, H) vary most."""
    units = [
        Unit(each.layer, each.unit, f"layer {each.layer} unit {each.unit}: {each.property} ({each.score:+.2f})")
        for each in select_findings(findings, count)
    ]
    if units:
        return units
    spread = states.std(axis=1)  # (L, H)
    places = [(layer, int(unit)) for layer in layers for unit in spread[layer].argsort()[::-1][:count]]
    places.sort(key=lambda place: -spread[place])
    return [Unit(layer, unit, f"layer {layer} unit {unit}, which varies a lot") for layer, unit in places[:count]]
