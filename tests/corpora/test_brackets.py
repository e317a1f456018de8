import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpora.brackets import find_error, generate_brackets


def test_brackets_are_balanced_and_hold_their_depth() -> None:
    depths = []
    depth = 0
    for symbol in "".join(generate_brackets(5000)):
        depth += (symbol == "(") - (symbol == ")")
        depths.append(depth)
        assert symbol in "()" or int(symbol) == depth
    assert (min(depths), max(depths), depths[-1]) == (0, 4, 0)


@given(st.integers(1, 500), st.integers(0, 9))
def test_the_checker_accepts_what_the_generator_writes(length: int, seed: int) -> None:
    text = "".join(generate_brackets(length, seed))
    assert find_error(text) is None
    lines = "".join(generate_brackets(length, seed, lines=True))
    assert lines.replace("\n", "") == text
    assert lines.endswith("\n")
    assert all(line and find_error(line) is None for line in lines.removesuffix("\n").split("\n"))


@pytest.mark.parametrize(
    ("text", "index"),
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
def test_the_index_of_the_first_error(text: str, index: int | None) -> None:
    assert find_error(text) == index


def test_seeds_differ() -> None:
    assert "".join(generate_brackets(50, 1)) != "".join(generate_brackets(50, 2))
