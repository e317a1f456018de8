from hypothesis import given
from hypothesis import strategies as st

from charrnn.inference.generation.stopping import StopFinder


def feed_all(finder: StopFinder, pieces: list[bytes]) -> bytes:
    """All that a finder lets through of pieces fed until it has stopped."""
    out = b""
    for piece in pieces:
        out += finder.feed(piece)
        if finder.stopped:
            return out
    return out + finder.flush()


def test_a_stop_is_found_across_pieces() -> None:
    finder = StopFinder([b"END"])
    assert finder.feed(b"the E") == b"the "
    assert finder.feed(b"N") == b""
    assert finder.feed(b"Glish E") == b"ENGlish "
    assert finder.feed(b"ND of it") == b""
    assert finder.stopped


def test_what_may_begin_a_stop_is_told_in_the_end() -> None:
    finder = StopFinder([b"END"])
    assert (finder.feed(b"an EN"), finder.flush(), finder.stopped) == (b"an ", b"EN", False)


def test_the_stop_that_is_complete_first_ends_the_text() -> None:
    assert feed_all(StopFinder([b"bcd", b"c"]), [b"abcd"]) == b"ab"
    assert feed_all(StopFinder([b"abcd", b"c"]), [b"xabc", b"d"]) == b"xab"
    assert feed_all(StopFinder([b"cd", b"bcd"]), [b"abcd"]) == b"a"


@given(
    text=st.text("abc", max_size=60),
    stops=st.lists(st.text("abc", min_size=1, max_size=5), max_size=3),
    cuts=st.lists(st.integers(1, 9), min_size=1),
)
def test_no_cut_into_pieces_matters(text: str, stops: list[str], cuts: list[int]) -> None:
    data, encoded = text.encode(), [stop.encode() for stop in stops]
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(data[at : at + size])
        at += size
    whole, cut = StopFinder(encoded), StopFinder(encoded)
    found = feed_all(whole, [data])
    assert feed_all(cut, pieces) == found
    assert cut.stopped == whole.stopped == any(stop in data for stop in encoded)
    assert not any(stop in found for stop in encoded)
    assert data.startswith(found)
