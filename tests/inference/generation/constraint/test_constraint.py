"""Every generated text matches: `re.fullmatch` judges, over random expressions, vocabularies, models and settings."""

import dataclasses
import re
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from charrnn.errors import PatternError
from charrnn.inference.generation.constraint.tables import build_constraint
from charrnn.inference.generation.constraint.tracking import IMPOSSIBLE
from charrnn.inference.generation.on_device import DeviceGenerator
from charrnn.inference.generation.samples import Sample
from charrnn.inference.generation.writer import Weights
from charrnn.inference.model import Model, make_request
from charrnn.inference.settings import SamplingSettings
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary
from tests.models import make_model

LETTERS = "abAB é漢1\n"
VOCABULARIES: list[Vocabulary] = [
    CharVocabulary.of_text(LETTERS),
    CharVocabulary.of_text(LETTERS).with_marks(),
    ByteVocabulary.of_text(LETTERS.encode()),
    ByteVocabulary.of_text((LETTERS + "è").encode()).with_marks(),
    WordVocabulary(["ab", " a", "b", " ba", "é", "漢", "1", "\n", "aB", "A b", "\ufffd"], unknown=10),
]
ATOMS = ["a", "b", "A", "é", "漢", "1", " ", r"\n", ".", r"\w", r"\W", r"\d", r"\s", "[ab]", "[^ab]", r"[\w-]", "[a-z]"]
ATOMS += ["(?i:a)", "(?s:.)", r"(?a:\w)", "(?i:[^É])"]


def compose(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counts = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "{2,3}", "*?", "+?", "{,2}"])
    return (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})")
        | st.tuples(inner, counts).map(lambda pair: f"(?:{pair[0]}){pair[1]}")
        | inner.map(lambda part: f"({part}|)")
    )


PATTERNS = st.recursive(st.sampled_from(ATOMS), compose, max_leaves=6)


def write(
    model: Model, pattern: str, length: int, stops: list[str] | None = None, seeds: range = range(6), **sampling: float
) -> list[Sample]:
    request = make_request(SamplingSettings(**sampling), length, stops or [], loss=True)  # type: ignore[arg-type]
    request = model.constrain(request, pattern)
    return list(model.samples(model.network.initial_state(), seeds=seeds, request=request))


def without_kernel(model: Model) -> Model:
    plain = make_model(model.vocabulary)
    plain.generator.__dict__["weights"] = Weights(plain.generator.network, None)
    return plain


@settings(max_examples=100, deadline=None)
@given(
    pattern=PATTERNS,
    vocabulary=st.sampled_from(VOCABULARIES),
    length=st.integers(0, 12),
    sampling=st.fixed_dictionaries(
        {"temperature": st.sampled_from([0.0, 0.7, 3.0])},
        optional={"top_k": st.integers(1, 9), "top_p": st.floats(0.1, 1), "min_p": st.floats(0, 1)},
    ),
    stops=st.lists(st.text("ab \n", min_size=1, max_size=2), max_size=2),
    seed=st.integers(0, 2**32),
)
def test_every_text_matches(
    pattern: str, vocabulary: Vocabulary, length: int, sampling: dict[str, float], stops: list[str], seed: int
) -> None:
    model = make_model(vocabulary)
    try:
        samples = write(model, pattern, length, stops, range(seed, seed + 6), **sampling)
    except PatternError:
        assume(False)
    for sample in samples:
        text = sample.text.decode()
        assert re.fullmatch(pattern, text), (pattern, text)
        size = len(sample.text) if vocabulary.binary else len(text)
        assert size < length or (size == length and sample.finish in ("length", "match", "stop"))
        assert not any(stop in text for stop in stops)
    (third,) = write(model, pattern, length, stops, range(seed + 2, seed + 3), **sampling)
    assert third == samples[2]


@settings(max_examples=100, deadline=None)
@given(pattern=PATTERNS)
def test_every_short_match_can_be_written(pattern: str) -> None:
    letters = "abA1 \n"
    wanted = {
        text for size in range(4) for text in map("".join, product(letters, repeat=size)) if re.fullmatch(pattern, text)
    }
    try:
        tables = build_constraint(pattern, CharVocabulary.of_text(letters), 3)
    except PatternError:
        assert not wanted
        return
    texts = {(tables.start, "")}
    for _ in range(3):
        texts |= {
            (int(tables.next[state, symbol]), text + letter)
            for state, text in texts
            for symbol, letter in enumerate(sorted(letters))
            if tables.needed[state, symbol] <= 3 - len(text)
        }
    assert {text for state, text in texts if tables.accepting[state]} == wanted


@settings(max_examples=60, deadline=None)
@given(pattern=PATTERNS, vocabulary=st.sampled_from(VOCABULARIES), stop=st.sampled_from([[], ["b"], ["a\n", " "]]))
def test_all_ways_of_writing_write_the_same(pattern: str, vocabulary: Vocabulary, stop: list[str]) -> None:
    model = make_model(vocabulary)
    try:
        samples = write(model, pattern, 9, stop)
    except PatternError:
        assume(False)
    plain = write(without_kernel(model), pattern, 9, stop)
    same = [(a, b) for a, b in zip(samples, plain, strict=True) if (a.text, a.finish) == (b.text, b.finish)]
    assert len(same) >= 5  # a rounding may decide otherwise
    for a, b in same:
        assert a.loss == (b.loss and pytest.approx(b.loss, rel=1e-4))
    generator = DeviceGenerator(model.network, vocabulary, torch.device("cpu"))
    on_device = write(Model(model.header, vocabulary, model.network, generator), pattern, 9, stop)
    assert (
        sum(a.text == b.text for a, b in zip(samples, on_device, strict=True)) >= 5
    )  # a rounding may decide otherwise
    assert all(re.fullmatch(pattern, sample.text.decode()) for sample in on_device)


@pytest.mark.parametrize("count", [1, 2, 7, 40, 130])
def test_a_sample_is_the_same_however_many_run_beside_it(count: int) -> None:
    model = make_model(VOCABULARIES[0])
    pattern = r"([ab]{2,9} ?)+\n(A|B)\w*"
    alone = [write(model, pattern, 300, seeds=range(seed, seed + 1))[0] for seed in range(min(count, 12))]
    together = write(model, pattern, 300, seeds=range(count))
    assert together[:12] == alone
    assert len({sample.text for sample in together}) > count // 2


def test_a_text_that_cannot_end_in_time_takes_the_shortest_way() -> None:
    model = make_model(CharVocabulary.of_text("abcdX"))
    for length in range(5, 12):
        for sample in write(model, "[a-d]*(abcd|X[a-d]*Xa)", length):
            text = sample.text.decode()
            assert re.fullmatch("[a-d]*(abcd|X[a-d]*Xa)", text)
            assert len(text) <= length


def test_a_text_ends_as_often_as_the_model_says() -> None:
    model = make_model(CharVocabulary.of_text("abcd"))
    state = model.network.initial_state()
    model.network.read(np.array([[0]]), state)
    scores = model.network.next_logits(state)[0].astype(np.float64)
    chances = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    samples = write(model, "a[ab]?", 50, seeds=range(4000), temperature=1.0)
    share = np.mean([sample.text == b"a" for sample in samples])
    assert share == pytest.approx(chances[2:].sum(), abs=0.03)


def test_the_loss_is_that_of_scoring_the_text() -> None:
    model = make_model(CharVocabulary.of_text(LETTERS))
    for sample in write(model, "[ab]{30}", 80):
        assert sample.loss == pytest.approx(model.score(sample.text).loss, rel=1e-4)


def test_a_word_that_has_begun_is_completed() -> None:
    model = make_model(WordVocabulary(["The", " cat", " catch", " cab", " sat", ".", "\n"]))
    start = model.prime("The ca")
    request = dataclasses.replace(make_request(SamplingSettings(temperature=3.0), 20), prefix=start.prefix)
    samples = list(
        model.samples(model.read(start.ids), seeds=range(40), request=model.constrain(request, r"t(ch)?( sat)*\."))
    )
    texts = {sample.text.decode() for sample in samples}
    assert all(re.fullmatch(r"t(ch)?( sat)*\.", text) for text in texts)
    assert {"t.", "tch."} <= texts
    with pytest.raises(PatternError, match="the prime ends with ' ca', and no word of the model"):
        model.constrain(request, "x|dog")


def test_words_that_lead_into_a_dead_end_are_not_written() -> None:
    # "ab" would be followed by "c", which only the word "bc" has.
    model = make_model(WordVocabulary(["a", "ab", "bc", "d"]))
    assert {sample.text for sample in write(model, "abc|d", 9, seeds=range(30))} == {b"abc", b"d"}
    with pytest.raises(PatternError, match="no text that the model can generate"):
        write(model, "bbc?", 3)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("([a-b", r"'\(\[a-b' is not a regular expression: unterminated character set at position 1"),
        ("(?P<x>a)(?P=x)", "contains a back-reference"),
        (r"(a)\1", "contains a back-reference"),
        ("(a)?(?(1)b|c)", "contains a condition on a group"),
        ("a(?=b)", "contains a look-around"),
        ("(?<!a)b", "contains a look-around"),
        ("(?!)", "contains a look-around"),
        ("(?>a|ab)b", "contains an atomic group"),
        ("a*+", "contains a possessive quantifier"),
        (r"a\b b", r"contains \\b or \\B, which is not supported"),
        ("(a$)+b", r"contains \$, which is not supported, except at its end"),
        ("a^b", r"contains \^, which is not supported, except at its beginning"),
        ("xy?", "no text that the model can generate matches 'xy\\?'; it has never seen 'x', 'y'"),
        ("a{30}", "has 30 characters, more than --length 20"),
        ("(a{100}){100}", "is longer than 5,000 characters when its repetitions are written out"),
        ("a{99999999999}", "nested too deeply, or has too many repetitions"),
        ("(" * 3000 + "a" + ")" * 3000, "nested too deeply"),
        ("(a|b)*a(a|b){15}", "needs more than 20,000 states"),
    ],
)
def test_what_cannot_be_followed_is_named(pattern: str, message: str) -> None:
    model = make_model(CharVocabulary.of_text("ab \n"))
    with pytest.raises(PatternError, match=message) as caught:
        write(model, pattern, 20)
    assert len(str(caught.value).splitlines()) == 1


def test_what_takes_no_character_may_repeat_without_end() -> None:
    model = make_model(CharVocabulary.of_text("ab"))
    assert {sample.text for sample in write(model, "(?:(?:)*){4000000000}b(?:|){0,4000000000}", 20)} == {b"b"}


def test_a_large_vocabulary_has_a_limit() -> None:
    vocabulary = CharVocabulary(range(0x3000, 0x3000 + 20_000))
    with pytest.raises(PatternError, match="needs 2,001 states; with a model of 20,000 characters, it can have 1,677"):
        build_constraint(".{2000}", vocabulary, 5000)


@pytest.mark.parametrize("pattern", ["^ab*$", r"\Aab*\Z", "(^a|^ab)b*$", "^(ab*)$", "(?m)^ab*$"])
def test_anchors_at_the_ends_change_nothing(pattern: str) -> None:
    for sample in write(make_model(CharVocabulary.of_text("abc")), pattern, 9):
        assert re.fullmatch(pattern, sample.text.decode())


def test_bytes_are_those_of_whole_characters() -> None:
    vocabulary = ByteVocabulary(range(256))
    tables = build_constraint(r"[\w€𝄞]", vocabulary, 4)
    for character in "a é漢€𝄞😀":
        state, data = tables.start, character.encode()
        for place, byte in enumerate(data):
            if tables.needed[state, byte] == IMPOSSIBLE:
                assert not re.fullmatch(r"[\w€𝄞]", character)
                break
            assert tables.needed[state, byte] <= 4 - place
            state = int(tables.next[state, byte])
        else:
            assert tables.accepting[state] == (re.fullmatch(r"[\w€𝄞]", character) is not None)


def test_a_stop_may_only_follow_a_match() -> None:
    model = make_model(CharVocabulary.of_text("abX"))
    for sample in write(model, "[ab]{3}[abX]*", 60, ["X", "ba"], seeds=range(40), temperature=2.0):
        assert re.fullmatch("[ab]{3}[abX]*", sample.text.decode())
        assert not any(stop in sample.text for stop in (b"X", b"ba"))


def test_stops_that_the_model_cannot_write_do_not_matter() -> None:
    model = make_model(CharVocabulary.of_text("ab"))
    assert write(model, "[ab]+", 60, ["q"]) == write(model, "[ab]+", 60)
