import dataclasses
from pathlib import Path
from typing import Any

import pytest

from charrnn.errors import GenerationError, OutputError, PatternError
from charrnn.inference.model import Model, make_request
from charrnn.inference.session import Session
from charrnn.inference.settings import SamplingSettings
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary
from tests.models import make_model

LETTERS = CharVocabulary.of_text("abcdefg é\n")
WORDS = WordVocabulary(["a", "ab", " c", "bcd", "é", "\n", "."])


def start(model: Model, **options: Any) -> Session:
    return dataclasses.replace(Session(model, make_request(SamplingSettings(), 20), seed=3), **options)


def continuation(model: Model, session: Session, text: bytes, seed: int) -> bytes:
    prime = model.prime(text)
    request = dataclasses.replace(session.request, prefix=prime.prefix)
    return b"".join(piece.text for piece in model.pieces(model.read(prime.ids), seeds=[seed], request=request))


@pytest.mark.parametrize("vocabulary", [LETTERS, ByteVocabulary.of_text("abcdefg é\n".encode())])
def test_each_turn_continues_the_whole_text(vocabulary: Vocabulary) -> None:
    session = start(make_model(vocabulary), prime=b"a")
    for typed in (b"b", b"", b" c\n", b""):
        before, seed = session.text, session.seed
        turn = session.go_on(typed)
        assert turn.text == typed + continuation(make_model(vocabulary), session, before + typed, seed)
        assert session.text == before + turn.text


def test_words_that_are_one_word_side_by_side_do_not_end_a_session() -> None:
    session = start(make_model(WORDS), prime=b"a")
    for typed in (b"b", b"", b" c\n", b""):
        assert session.go_on(typed).samples[0].finish == "length"
    with pytest.raises(GenerationError, match="never seen 'dog'"):
        session.go_on(b". dog.")


def test_a_turn_can_be_taken_back_and_tried_again() -> None:
    session = start(make_model(LETTERS))
    first = session.go_on(b"abc")
    session.go_on()
    session.undo()
    assert session.text == first.text
    other = session.retry()
    assert other.typed == b"abc"
    assert session.text == other.text != first.text
    session.undo()
    for act in (session.undo, session.retry):
        with pytest.raises(GenerationError, match="no turn to undo"):
            act()


def test_one_of_several_continuations_is_chosen() -> None:
    session = start(make_model(LETTERS), samples=3)
    turn = session.go_on(b"a")
    assert len({sample.text for sample in turn.samples}) == 3
    assert session.choose(3).text == session.text == b"a" + turn.samples[2].text
    for number in (0, 4):
        with pytest.raises(GenerationError, match=f"no continuation {number}; the last turn has 3"):
            session.choose(number)


def test_what_goes_wrong_changes_nothing() -> None:
    session = start(make_model(LETTERS))
    session.go_on(b"a")
    before = session.text
    with pytest.raises(GenerationError, match="never seen 'X'"):
        session.go_on(b"X")
    session.match = "X"
    with pytest.raises(PatternError, match="no text that the model can generate"):
        session.retry()
    assert session.text == before
    assert dataclasses.replace(session, match=None, skip_unknown=True).go_on(b"Xb").typed == b"Xb"


def test_a_line_that_has_ended_is_followed_by_the_next() -> None:
    request = make_request(SamplingSettings(), 200, ["\n"])
    session = start(make_model(LETTERS), request=request)
    first = session.go_on(b"a")
    assert first.samples[0].finish == "stop"
    assert session.go_on().text.startswith(b"\n")


def test_a_text_is_saved_but_never_over_another(tmp_path: Path) -> None:
    session = start(make_model(LETTERS))
    session.go_on("é".encode())
    session.save(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == session.text
    session.go_on()
    with pytest.raises(OutputError, match="already exists"):
        session.save(tmp_path / "a.txt")
    session.save(tmp_path / "a.txt", overwrite=True)
    assert (tmp_path / "a.txt").read_bytes() == session.text


def test_the_temperature_counts_from_the_next_turn() -> None:
    session = start(make_model(LETTERS))
    session.set_temperature(0)
    first = session.go_on(b"ab")
    assert session.retry() == dataclasses.replace(first, samples=session.turns[-1].samples)
    assert session.text == first.text
