import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpora.brackets import brackets, refused_at


def test_brackets_are_balanced_and_hold_their_depth() -> None:
    depths = []
    depth = 0
    for symbol in "".join(brackets(5000)):
        depth += (symbol == "(") - (symbol == ")")
        depths.append(depth)
        assert symbol in "()" or int(symbol) == depth
    assert (min(depths), max(depths), depths[-1]) == (0, 4, 0)


@given(st.integers(1, 500), st.integers(0, 9))
def test_the_checker_accepts_what_the_generator_writes(length: int, seed: int) -> None:
    text = "".join(brackets(length, seed))
    assert refused_at(text) is None
    lines = "".join(brackets(length, seed, lines=True))
    assert lines.replace("\n", "") == text
    assert lines.endswith("\n")
    assert all(line and refused_at(line) is None for line in lines.removesuffix("\n").split("\n"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", None),
        ("()", None),
        ("1", 0),
        (")", 0),
        ("(2)", 1),
        ("((2)2)", 4),
        ("(((((", 4),
        ("((", 2),
        ("(x)", 1),
        ("(1)\n", 3),
    ],
)
def test_where_the_grammar_refuses(text: str, place: int | None) -> None:
    assert refused_at(text) == place


def test_seeds_differ() -> None:
    assert "".join(brackets(50, 1)) != "".join(brackets(50, 2))
