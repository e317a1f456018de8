import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.inference.generation import samples as generation
from charrnn.inference.generation.samples import Request, Sample
from charrnn.inference.generation.sampling import Sampler
from charrnn.inference.model import Model
from charrnn.model.config import GATES
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model

LETTERS = CharVocabulary.of_text("abcdefg é漢\n")


def texts(model: Model, request: Request, seeds: list[int], prime: str = "") -> list[bytes]:
    return [sample.text for sample in samples(model, request, seeds, prime)]


def samples(model: Model, request: Request, seeds: list[int], prime: str = "") -> list[Sample]:
    return list(model.samples(model.read(model.prime(prime).ids), seeds=seeds, request=request))


def test_the_same_seed_gives_the_same_text_another_another() -> None:
    model, request = make_model(LETTERS), Request(Sampler(), 50)
    first, again, other = texts(model, request, [3, 3, 4])
    assert first == again != other
    assert len(first.decode()) == 50


def test_a_longer_text_begins_with_the_shorter() -> None:
    model = make_model(LETTERS)
    (long,) = texts(model, Request(Sampler(), 700), [5])
    for length in (0, 1, 255, 256, 257, 600):
        assert texts(model, Request(Sampler(), length), [5]) == [long.decode()[:length].encode()]


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("cell", GATES)
def test_a_sample_is_the_same_however_many_run_beside_it(
    monkeypatch: pytest.MonkeyPatch, cell: str, cores: int
) -> None:
    model, request = make_model(LETTERS, cell, 2), Request(Sampler(), 40, [b"ab", b"g"])
    monkeypatch.setattr(generation, "available_cores", lambda: cores)
    monkeypatch.setattr(generation, "GROUP", 10)
    alone = [texts(model, request, [seed], "abc")[0] for seed in range(35)]
    assert texts(model, request, list(range(35)), "abc") == alone
    assert texts(model, request, list(range(4)), "abc") == alone[:4]
    assert len(set(alone)) > 5


def test_temperature_zero_follows_the_likeliest() -> None:
    model = make_model(LETTERS, "gru", 2)
    (text,) = texts(model, Request(Sampler(0.0), 30), [1], "abc")
    state = model.read(model.prime("abc").ids)
    logits, wanted = model.network.next_logits(state), []
    for _ in range(30):
        wanted.append(int(logits[0].argmax()))
        logits = model.network.logits(model.network.read(np.array([[wanted[-1]]]), state)[0])
    assert text == LETTERS.decode(wanted)


def test_the_loss_is_that_of_scoring_the_text() -> None:
    model = make_model(LETTERS)
    (sample,) = samples(model, Request(Sampler(0.7, top_k=5), 80, loss=True), [2])
    assert sample.loss == pytest.approx(model.score(sample.text).loss, rel=1e-4)


def test_the_loss_leaves_out_what_belongs_to_a_stop() -> None:
    model = make_model(LETTERS)
    (whole,) = texts(model, Request(Sampler(), 200), [2])
    stop = whole.decode()[100:103].encode()
    (sample,) = samples(model, Request(Sampler(), 200, [stop], loss=True), [2])
    assert sample.finish == "stop"
    assert sample.text == whole[: whole.index(stop)]
    assert sample.loss == pytest.approx(model.score(sample.text).loss, rel=1e-4)
    (nothing,) = samples(model, Request(Sampler(), 200, [whole.decode()[0].encode()], loss=True), [2])
    assert (nothing.text, nothing.loss) == (b"", None)


def test_without_stops_and_loss_none_is_told() -> None:
    (sample,) = samples(make_model(LETTERS), Request(Sampler(), 5), [2])
    assert (sample.finish, sample.loss) == ("length", None)


@settings(max_examples=60, deadline=None)
@given(
    alphabet=st.sets(st.characters(codec="utf-8"), min_size=1, max_size=30),
    cell=st.sampled_from(sorted(GATES)),
    sampler=st.builds(
        Sampler,
        temperature=st.sampled_from([0.0, 0.3, 1.0, 5.0]),
        top_k=st.none() | st.integers(1, 40),
        top_p=st.none() | st.floats(0.01, 1),
        min_p=st.none() | st.floats(0, 1),
    ),
    length=st.integers(0, 60),
    seed=st.integers(0, 2**63 - 10),
    data=st.data(),
)
def test_stops_pieces_and_batches_over_all_settings(
    alphabet: set[str],
    cell: str,
    sampler: Sampler,
    length: int,
    seed: int,
    data: st.DataObject,
) -> None:
    model = make_model(CharVocabulary.of_text("".join(alphabet)), cell)
    letters = st.sampled_from(sorted(alphabet))
    stops = data.draw(st.lists(st.text(letters, min_size=1, max_size=3), max_size=2))
    request = Request(sampler, length, [stop.encode() for stop in stops])
    seeds = list(range(seed, seed + 4))
    start = model.network.initial_state()
    found = list(model.samples(start, seeds=seeds, request=request))
    for number, sample in zip(seeds, found, strict=True):
        pieces = list(model.pieces(start, seeds=[number], request=request))
        assert b"".join(piece.text for piece in pieces) == sample.text
        assert [piece.finish for piece in pieces if piece.finish] == [sample.finish]
        for piece in pieces:
            assert piece.text.decode().encode() == piece.text  # no character is split
        text = sample.text.decode()
        assert not any(stop in text for stop in stops)
        assert len(text) == length if sample.finish == "length" else len(text) < length
