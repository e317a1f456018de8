"""A language model as a Python object, used by programs and by the command line."""

import codecs
import secrets
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from charrnn.errors import GenerationError
from charrnn.inference.generation.samples import Piece, Request, Sample, TextGenerator, join_pieces, read_prime
from charrnn.inference.generation.sampling import Sampler
from charrnn.inference.network.language import Network, State
from charrnn.inference.settings import PrimeSettings, SamplingSettings
from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader
from charrnn.settings import check_settings
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary

MEASURED_SUFFIXES = ("_loss", "_bpc", "_perplexity", "_accuracy")  # of figures that do not hold once weights change

if TYPE_CHECKING:
    from charrnn.inference.export.page import Frame
    from charrnn.inference.scoring.texts import OnProgress, Score


class GenerateOptions(TypedDict, total=False):
    """Keyword arguments of `Model.generate`: options of `charrnn generate`, with its defaults and limits."""

    length: int
    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    stop: Sequence[str]
    match: str | None
    best: int
    seed: int | None


@dataclass(frozen=True)
class Prime:
    """A text to continue: ids (n,) to read, and for words the prefix of one that is still to be completed."""

    ids: Ids
    prefix: bytes = b""


def random_seed() -> int:
    """A seed where none is given, short enough to type again."""
    return secrets.randbelow(2**31)


def make_request(sampling: SamplingSettings, length: int, stop: Sequence[str] = (), *, loss: bool = False) -> Request:
    """A request for samples, checked against the limits of the settings.

    The loss is computed if `loss`, or if texts are chosen by it.

    Raises:
        charrnn.errors.GenerationError: if a setting is out of its limits; all such settings are named.
    """
    errors = check_settings(sampling, PrimeSettings(length=length))
    if any(not text for text in stop):
        errors.append("--stop must not be empty")
    if errors:
        names = (line.removeprefix("--").replace("top-", "top_").replace("min-", "min_") for line in errors)
        raise GenerationError("; ".join(names))
    sampler = Sampler(sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p)
    encoded = [encode_text(text, "a stop string") for text in stop]
    return Request(sampler, length, encoded, loss or sampling.best > 1)


def encode_text(text: str, what: str) -> bytes:
    """A text as UTF-8; bytes that were not UTF-8, and came in as surrogates (PEP 383), go out as they were.

    Raises:
        charrnn.errors.GenerationError: if `text`, which the message calls `what`, holds other surrogates.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise GenerationError(
            f"{what} contains half of a character (U+{code:04X}, a surrogate), which is not text; leave it out"
        ) from None


class Model:
    """A trained language model that generates and scores text; without a `generator`, it generates on the CPU."""

    def __init__(
        self, header: ModelHeader, vocabulary: Vocabulary, network: Network, generator: TextGenerator | None = None
    ) -> None:
        self.header = header
        self.vocabulary = vocabulary
        self.network = network
        self.generator = generator or TextGenerator(network, vocabulary)

    def generate(self, prime: str | bytes = "", **options: Unpack[GenerateOptions]) -> str:
        """Generate a text that continues `prime`; the prime itself is not included.

        Raises:
            charrnn.errors.GenerationError: if the prime has characters that are not in the vocabulary, or an option
                is out of range.
            charrnn.errors.PatternError: if no text can match `match`, or it is not a regular expression.
        """
        return "".join(self.stream(prime, **options))

    def stream(self, prime: str | bytes = "", **options: Unpack[GenerateOptions]) -> Iterator[str]:
        """Yield the text of `generate` in pieces, as they are made; with `best`, the chosen text is one piece.

        Bytes of a byte model that are not UTF-8 are replaced by U+FFFD; `pieces` yields them unchanged.

        Raises:
            charrnn.errors.GenerationError: as `generate`, before the first piece.
        """
        values: dict[str, Any] = dict(options)
        length, stop = values.pop("length", PrimeSettings.length), values.pop("stop", ())
        match = values.pop("match", None)
        sampling = SamplingSettings(**values)
        request = make_request(sampling, length, stop)
        start = self.prime(prime)
        request = self.constrain(replace(request, prefix=start.prefix), match)
        seed = random_seed() if sampling.seed is None else sampling.seed
        if sampling.best > 1:
            from charrnn.inference.generation.samples import choose_best

            samples = self.samples(self.read(start.ids), seeds=range(seed, seed + sampling.best), request=request)
            yield from (choice.sample.text.decode("utf-8", "replace") for choice in choose_best(samples, sampling.best))
            return
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for piece in self.pieces(self.read(start.ids), seeds=[seed], request=request):
            text = decoder.decode(piece.text, final=piece.finish is not None)
            if text:
                yield text

    def constrain(self, request: Request, pattern: str | None) -> Request:
        """The request for texts that match a regular expression in full; unchanged if that is None.

        Raises:
            charrnn.errors.PatternError: if no text can match, or it is not a regular expression.
        """
        if pattern is None:
            return request
        from charrnn.inference.generation.constraint.tables import build_constraint

        constraint = build_constraint(
            pattern, self.vocabulary, request.length, stops=request.stops, prefix=request.prefix
        )
        return replace(request, constraint=constraint, stops=constraint.stops)

    def pieces(self, start: State, *, seeds: Sequence[int], request: Request) -> Generator[Piece]:
        """Pieces of several texts generated in parallel, one for each seed, all continuing from `start`."""
        return self.generator.generate(start, seeds=seeds, request=request)

    def samples(self, start: State, *, seeds: Sequence[int], request: Request) -> Iterator[Sample]:
        """Several whole texts, in the order of their seeds."""
        return join_pieces(self.pieces(start, seeds=seeds, request=request), seeds)

    def prime(self, text: str | bytes, *, skip_unknown: bool = False) -> Prime:
        """A text to continue, as this model reads it.

        Raises:
            charrnn.errors.GenerationError: if it has unknown characters or words that are not to be skipped.
        """
        vocabulary = self.vocabulary
        if isinstance(text, str):
            encode_text(text, "the prime")
        text, prefix = vocabulary.split_unfinished(text)
        codes = vocabulary.tokenize(text)
        if not skip_unknown and (vocabulary.lookup(codes) == UNKNOWN).any():
            raise GenerationError(
                f"the model has never seen {vocabulary.describe_unknown(codes)}; change the prime, or use --unknown "
                "skip to leave that out"
            )
        ids, _ = vocabulary.readable_ids(codes)
        return Prime(ids[ids != UNKNOWN], prefix)

    def read(self, ids: Ids) -> State:
        """The state after reading ids (n,) from the learned initial state."""
        *_, (_, state) = read_prime(self.network, ids)
        return state

    def adapt(self, text: str | bytes, progress: "OnProgress | None" = None) -> "Model":
        """A copy of the model that has learned from `text` while reading it, and continues where the text ends.

            model.adapt(letters).generate("Dear")

        Raises:
            charrnn.errors.CorpusError: if the text contains nothing that the model knows.
        """
        return self.adapt_to_codes([self.vocabulary.tokenize(text)], progress)[0]

    def adapt_to_codes(
        self, pieces: Iterable[Codes], progress: "OnProgress | None" = None
    ) -> "tuple[Model, Score, Score]":
        """As `adapt`, to a text that comes as pieces of codes.

        Returns:
            The model; the score of the text under the model as trained; and its score while it was learned from.
        """
        from charrnn.inference.adaptation.learning import adapt_network

        result = adapt_network(self.network, self.vocabulary, pieces, progress)
        training = {name: value for name, value in self.header.training.items() if not name.endswith(MEASURED_SUFFIXES)}
        training["adapted_chars"] = result.adapted.chars
        header = replace(self.header, config=result.network.config, training=training, labels=(), label_counts=())
        model = Model(header, self.vocabulary, result.network, self.generator.for_weights(result.network))
        return model, result.trained, result.adapted

    def score(self, text: str | bytes, progress: "OnProgress | None" = None) -> "Score":
        """Loss, bits per character and perplexity of a text; unknown characters are counted apart."""
        from charrnn.inference.scoring.texts import score_text, sum_scores

        codes = [self.vocabulary.tokenize(text)]
        return sum_scores(self.vocabulary, score_text(self.network, self.vocabulary, codes, progress))

    def page(self, title: str | None = None, *, height: int = 900) -> "Frame":
        """The page that `charrnn export` writes, in a frame `height` pixels high; the default title is the corpus."""
        from charrnn.inference.export.page import Frame

        return Frame.of_model(*self._contents(), title, height)

    def _repr_html_(self) -> str:
        """The facts of the model, as a notebook shows them."""
        from charrnn.inference.export.page import render_facts

        return render_facts(self._contents()[0])

    def _contents(self) -> tuple[ModelHeader, Tensors]:
        """The header and weights of a file of this model."""
        return replace(self.header, config=self.network.config, labels=(), label_counts=()), self.network.tensors
