import math
from collections import Counter

import numpy as np
import pytest

from charrnn.errors import CorpusError
from scripts.experiment import context_models
from scripts.experiment.context_models import encode_bases, measure_bits_per_base


def naive(train: str, held_out: str, order: int, weight: float) -> float:
    """The formula, letter by letter."""
    whole = train + held_out
    bits = 0.0
    for place in range(len(train), len(whole)):
        probability = 0.25
        for length in range(order + 1):
            context, base = whole[place - length : place], whole[place]
            after = Counter(train[i + length] for i in range(len(train) - length) if train[i : i + length] == context)
            probability = (after[base] + weight * probability) / (after.total() + weight)
        bits -= math.log2(probability)
    return bits / len(held_out)


@pytest.fixture
def sequence() -> str:
    draw = np.random.default_rng(0)
    return "".join(draw.choice(["ACG", "ACT", "GA", "T"], size=400))


@pytest.mark.parametrize("order", [0, 1, 3])
def test_bits_are_those_of_the_formula(sequence: str, order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_models, "WEIGHTS", (2.0,))
    train, held_out = sequence[:700], sequence[700:]
    bits = measure_bits_per_base(encode_bases(train), encode_bases(held_out), order)
    assert bits == pytest.approx(naive(train, held_out, order, 2.0))


def test_chance_and_order(sequence: str) -> None:
    random = np.random.default_rng(1).integers(4, size=20_000)
    assert measure_bits_per_base(random[:15_000], random[15_000:], 4) == pytest.approx(2.0, abs=0.01)
    ids = encode_bases(sequence)
    orders = [measure_bits_per_base(ids[:700], ids[700:], order) for order in (0, 1, 2)]
    assert orders == sorted(orders, reverse=True)


def test_the_other_strand_helps_where_it_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_models, "WEIGHTS", (1.0,))
    train = np.random.default_rng(2).integers(4, size=5000)
    again = 3 - train[1000:2000][::-1]
    one, both = (measure_bits_per_base(train, again, 8, both_strands=strands) for strands in (False, True))
    assert both < 1.0 < one


def test_only_bases_count() -> None:
    assert encode_bases("AC\nGTN").tolist() == [0, 1, 2, 3]
    with pytest.raises(CorpusError, match="no A, C, G, T"):
        encode_bases("hello")
