import numpy as np

from charrnn.inference.inspection.finding import CONTROLS, RARE, find_units, select_findings
from charrnn.inference.inspection.properties import Property
from charrnn.inference.network.language import Floats

T = 2000


def wandering(draw: np.random.Generator, *shape: int) -> Floats:
    """Noise that changes slowly, as units and properties do."""
    steps = draw.standard_normal((*shape, T)).cumsum(axis=-1)
    lagged = np.concatenate([np.zeros((*shape, 50)), steps[..., :-50]], axis=-1)
    found: Floats = np.tanh((steps - lagged) / 7).astype(np.float32)
    return found


def test_a_planted_unit_is_found_with_its_sign_and_place() -> None:
    draw = np.random.default_rng(0)
    states = wandering(draw, 2, 10).transpose(0, 2, 1).copy()  # (L, T, H)
    followed = Property("followed", (wandering(draw) > 0).astype(np.float32))
    states[1, :, 7] = 0.3 * states[1, :, 7] - followed.values
    (best, second), rare = find_units(states, [followed], layers=[0, 1], top=2)
    assert rare == []
    assert (best.property, best.layer, best.unit, best.above) == ("followed", 1, 7, True)
    wanted = np.corrcoef(states[1, T // 2 :, 7], followed.values[T // 2 :])[0, 1]
    assert best.score < -0.8
    np.testing.assert_allclose(best.score, wanted, atol=1e-4)
    assert abs(second.score) < abs(best.score)
    only, _ = find_units(states, [followed], layers=[1], unit=3)
    assert (only[0].layer, only[0].unit) == (1, 3)
    elsewhere, _ = find_units(states, [followed], layers=[0])
    assert elsewhere[0].layer == 0


def test_what_no_unit_follows_is_hardly_ever_above_the_control() -> None:
    draw = np.random.default_rng(1)
    states = wandering(draw, 1, 20).transpose(0, 2, 1)
    strangers = [Property(str(k), (wandering(draw) > 0).astype(np.float32)) for k in range(100)]
    findings, _ = find_units(states, strangers, layers=[0])
    assert len(findings) == 100
    assert sum(found.above for found in findings) <= 100 * 4 / CONTROLS
    assert min(found.control for found in findings) > 0.02


def test_a_shuffled_property_is_not_found() -> None:
    draw = np.random.default_rng(2)
    states = wandering(draw, 1, 20).transpose(0, 2, 1).copy()
    values = (wandering(draw) > 0).astype(np.float32)
    states[0, :, 4] = values
    shuffled = Property("shuffled", draw.permutation(values))
    findings, _ = find_units(states, [Property("own", values), shuffled], layers=[0])
    assert [(found.property, found.above) for found in findings] == [("own", True), ("shuffled", False)]


def test_a_unit_that_follows_in_one_half_only_is_not_found() -> None:
    draw = np.random.default_rng(3)
    states = 0.1 * wandering(draw, 1, 3).transpose(0, 2, 1)
    values = (wandering(draw) > 0).astype(np.float32)
    states[0, : T // 2, 1] += values[: T // 2]
    states[0, T // 2 :, 1] -= values[T // 2 :]
    ((found,), _) = find_units(states, [Property("turned", values)], layers=[0])
    assert found.unit == 1
    assert found.score < -0.9
    assert not found.above


def test_rare_properties_and_short_texts_tell_nothing() -> None:
    draw = np.random.default_rng(4)
    states = wandering(draw, 1, 3).transpose(0, 2, 1)
    once = np.zeros(T, dtype=np.float32)
    once[: RARE + 1] = 1
    assert find_units(states, [Property("once", once)], layers=[0]) == ([], ["once"])
    alternating = np.resize(np.array([0, 1], dtype=np.float32), 100)
    assert find_units(states[:, :100], [Property("short", alternating)], layers=[0]) == ([], ["short"])


def test_units_that_never_change_follow_nothing() -> None:
    draw = np.random.default_rng(5)
    values = (wandering(draw) > 0).astype(np.float32)
    ((found,), _) = find_units(np.full((1, T, 2), 0.7, dtype=np.float32), [Property("p", values)], layers=[0])
    assert found.score == 0
    assert not found.above


def test_selected_findings_are_clear_and_about_more_than_one_character_first() -> None:
    draw = np.random.default_rng(6)
    states = 0.1 * wandering(draw, 1, 3).transpose(0, 2, 1)
    first, second = ((wandering(draw) > 0).astype(np.float32) for _ in range(2))
    states[0, :, 0] += first
    states[0, :, 1] += 0.15 * second
    named = [Property("single", first, general=False), Property("wide", second), Property("again", second)]
    found = select_findings(find_units(states, named, layers=[0])[0], 3)
    assert [(each.property, each.unit) for each in found] == [("wide", 1), ("single", 0)]
