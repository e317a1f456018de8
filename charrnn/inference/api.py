"""A model as a Python object: what the command line uses, and what a program can import.

import charrnn

model = charrnn.load("models/shakespeare.safetensors")
print(model.generate("ROMEO:", temperature=0.5, length=200))
model.score("To be, or not to be").bpc
"""

import codecs
import copy
import os
import secrets
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from charrnn.errors import GenerationError, ModelFileError
from charrnn.inference.generation import Piece, Request, Sample, generate, prime_state, whole_samples
from charrnn.inference.network import Network, State
from charrnn.inference.sampling import Sampler
from charrnn.inference.scoring import OnProgress, Score, score, score_text
from charrnn.inference.settings import PrimeSettings, SamplingSettings
from charrnn.model import CLASSIFY, ModelHeader, load_model
from charrnn.settings import problems
from charrnn.text.vocabulary import UNKNOWN, Ids, Vocabulary, named_characters


def load(path: str | os.PathLike[str]) -> "Model":
    """Open a model file.

    Raises:
        charrnn.errors.ModelFileError: if it is not a whole, valid model.
    """
    header, tensors = load_model(Path(path))
    if header.task == CLASSIFY:
        raise ModelFileError(f"{path} tells texts apart, it writes none; use it with: charrnn classify -m {path}")
    vocabulary = Vocabulary.from_json(header.vocabulary, header.config.vocab_size)
    return Model(header, vocabulary, Network(header.config, tensors))


def fresh_seed() -> int:
    """A seed for those who gave none: short enough to type again."""
    return secrets.randbelow(2**31)


def _never_writing(network: Network, ids: Sequence[int]) -> Network:
    """The network with no probability left for `ids`; it shares all weights but the decoder's bias."""
    if not ids:
        return network
    writer = copy.copy(network)
    writer.decoder_bias = network.decoder_bias.copy()
    writer.decoder_bias[list(ids)] = -np.inf
    return writer


def make_request(sampling: SamplingSettings, length: int, stop: Sequence[str] = (), *, loss: bool = False) -> Request:
    """What is asked of every sample, checked against the limits of the settings.

    Raises:
        charrnn.errors.GenerationError: if a setting is out of its limits.
    """
    found = problems(sampling, PrimeSettings(length=length))
    if any(not text for text in stop):
        found.append("--stop must not be empty")
    if found:
        names = (line.removeprefix("--").replace("top-", "top_").replace("min-", "min_") for line in found)
        raise GenerationError("; ".join(names))
    sampler = Sampler(sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p)
    # Bytes of the command line that are no UTF-8 came in as surrogates; they go out as they were.
    return Request(sampler, length, [text.encode("utf-8", "surrogateescape") for text in stop], loss)


class Model:
    """A trained model that writes and scores text."""

    def __init__(self, header: ModelHeader, vocabulary: Vocabulary, network: Network) -> None:
        self.header = header
        self.vocabulary = vocabulary
        self.network = network
        self._writer = _never_writing(network, vocabulary.never_generated)

    def generate(
        self,
        prime: str | bytes = "",
        *,
        length: int = 1000,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> str:
        """Text that goes on from `prime`, without it. The arguments are the options of `charrnn generate`.

        Raises:
            charrnn.errors.GenerationError: if the prime holds characters that the model has never seen, or a
                setting is out of its limits.
        """
        pieces = self.stream(
            prime,
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            stop=stop,
            seed=seed,
        )
        return "".join(pieces)

    def stream(
        self,
        prime: str | bytes = "",
        *,
        length: int = 1000,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> Iterator[str]:
        """The text of `generate` in pieces, as they are made.

        Bytes of a byte model that are not UTF-8 are replaced; `pieces` gives them as they are.

        Raises:
            charrnn.errors.GenerationError: as `generate` does, when the first piece is asked for.
        """
        request = make_request(SamplingSettings(temperature, top_k, top_p, min_p, seed), length, stop)
        start = self.read(self.prime_ids(prime))
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for piece in self.pieces(start, seeds=[fresh_seed() if seed is None else seed], request=request):
            text = decoder.decode(piece.text, final=piece.finish is not None)
            if text:
                yield text

    def pieces(self, start: State, *, seeds: Sequence[int], request: Request) -> Generator[Piece]:
        """Pieces of several texts made side by side, one for each seed, all going on from `start`."""
        return generate(self._writer, self.vocabulary, start, seeds=seeds, request=request)

    def samples(self, start: State, *, seeds: Sequence[int], request: Request) -> Iterator[Sample]:
        """Several whole texts, in the order of their seeds."""
        return whole_samples(self.pieces(start, seeds=seeds, request=request), seeds)

    def prime_ids(self, prime: str | bytes, *, skip_unknown: bool = False) -> Ids:
        """Ids of a prime.

        Raises:
            charrnn.errors.GenerationError: if it holds unknown characters and they are not to be skipped.
        """
        ids = self.vocabulary.encode(prime)
        unknown = ids == UNKNOWN
        if unknown.any() and not skip_unknown:
            text = prime.decode("utf-8", "replace") if isinstance(prime, bytes) else prime
            strange = named_characters(c for c in text if (self.vocabulary.encode(c) == UNKNOWN).any())
            raise GenerationError(
                f"the model has never seen {strange}; change the prime, or leave such characters out of it "
                "with --unknown skip"
            )
        known: Ids = ids[~unknown]
        return known

    def read(self, ids: Ids) -> State:
        """The state after reading ids (n,) from the learned initial state."""
        *_, (_, state) = prime_state(self.network, ids)
        return state

    def score(self, text: str | bytes, progress: OnProgress | None = None) -> Score:
        """Loss, bits per character and perplexity of a text; unknown characters are counted apart."""
        scored = score_text(self.network, self.vocabulary, [self.vocabulary.codes_of(text)], progress)
        return score(nats for _, nats in scored)
