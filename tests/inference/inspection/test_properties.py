import pytest

from charrnn.errors import UsageError
from charrnn.inference.inspection.properties import (
    bracket_depth,
    indentation,
    inside_comments,
    inside_matches,
    inside_quotes,
    position_in_line,
    properties,
)


def show(values: object) -> str:
    return "".join(str(int(value)) for value in values)  # type: ignore[attr-defined]


def name_properties(text: str, match: str | None = None) -> dict[str, str]:
    return {each.name: show(each.values) for each in properties(text, match)}


def test_quotes() -> None:
    assert show(inside_quotes('a "b" c')) == "0011000"
    assert show(inside_quotes("\u201cb\u201d \u00abc\u00bb")) == "1100110"
    assert show(inside_quotes('"never closed\n\nnew')) == "1" * 14 + "0" * 4
    assert show(inside_quotes("don't")) == "00000"


def test_strings_have_a_limit_so_that_quotes_that_are_not_closed_take_no_time() -> None:
    assert not inside_comments(f'"{"a" * 495} // b"').any()
    assert show(inside_comments(f'"{"a" * 496} // b"')) == "0" * 498 + "1" * 5
    assert not inside_comments('"\\' * 30_000).any()  # takes more than a minute without a limit


def test_brackets_and_their_depth() -> None:
    assert show(bracket_depth("a(b[c]{d})e")) == "01122122100"
    assert show(bracket_depth("])(]x)")) == "001110"
    assert name_properties("(a(b))c")["inside brackets"] == "1111100"


def test_position_in_line() -> None:
    assert show(position_in_line("ab\n\nc")) == "12001"


def test_indentation() -> None:
    assert show(indentation("a\n  b \n\tc")) == "001222044"


def test_words_capitals_and_digits() -> None:
    found = name_properties("Ab, 7c")
    assert found["inside a word"] == "110011"
    assert found["word start"] == "100010"
    assert found["upper case"] == "100000"
    assert found["digit"] == "000010"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a # b\nc", "0011100"),
        ('"# b" // c', "0000001111"),
        ("http://x", "00000000"),
        ("a/*b\n*/c", "01111110"),
        ("<!--a-->b", "111111110"),
        ("a#b", "000"),
    ],
)
def test_comments(text: str, wanted: str) -> None:
    assert show(inside_comments(text)) == wanted


def test_after_a_character_is_told_of_the_frequent_ones() -> None:
    found = name_properties("abab")
    assert found["after 'a'"] == "1010"
    assert found["after 'b'"] == "0101"
    assert [each.general for each in properties("a")][-1] is False


def test_matches_of_a_regular_expression() -> None:
    assert show(inside_matches("ab12\nc3", r"\d+$")) == "0011001"
    assert show(inside_matches("ab", "x*")) == "00"
    assert next(properties("ab1", r"\d")).name == r"match of \d"
    with pytest.raises(UsageError, match=r"--match is not a regular expression: .*found \("):
        inside_matches("ab", "(")
