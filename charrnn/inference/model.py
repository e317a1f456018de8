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
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charrnn.errors import GenerationError, ModelFileError
from charrnn.inference.generation.samples import Piece, Request, Sample, generate, prime_state, whole_samples
from charrnn.inference.generation.sampling import Sampler
from charrnn.inference.network.language import Network, State
from charrnn.inference.scoring.texts import OnProgress, Score, readable, score, score_text
from charrnn.inference.settings import PrimeSettings, SamplingSettings
from charrnn.model.config import LabelledConfig, Tensors
from charrnn.model.file import load_model
from charrnn.model.header import CLASSIFY, ModelHeader
from charrnn.settings import check_settings
from charrnn.text.vocabulary.base import UNKNOWN, Ids, Vocabulary
from charrnn.text.vocabulary.loading import vocabulary_from_json

if TYPE_CHECKING:
    from charrnn.inference.export.notebook import Frame

Generate = Callable[..., Generator[Piece]]


def load(path: str | os.PathLike[str], device: str = "auto") -> "Model":
    """Open a model file.

    Args:
        path: of the file.
        device: where it will write: "auto" and "cpu" are NumPy, "cuda" and "mps" a GPU by PyTorch.

    Raises:
        charrnn.errors.ModelFileError: if it is not a whole, valid model.
        charrnn.errors.GenerationError: if there is no such device.
    """
    header, tensors = load_model(Path(path))
    if header.task == CLASSIFY:
        raise ModelFileError(f"{path} tells texts apart, it writes none; use it with: charrnn classify -m {path}")
    model = model_of(header, tensors)
    if device not in ("auto", "cpu"):
        from charrnn.inference.generation import on_device

        model.write_with(partial(on_device.generate, device=on_device.choose_device(device)))
    return model


def model_of(header: ModelHeader, tensors: Tensors) -> "Model":
    """What the file of a language model holds, ready to use."""
    if isinstance(header.config, LabelledConfig):
        from charrnn.inference.labelled import LabelledModel

        return LabelledModel.of_file(header, tensors)
    vocabulary = vocabulary_from_json(header.vocabulary, header.config.vocab_size)
    return Model(header, vocabulary, Network(header.config, tensors))


@dataclass(frozen=True)
class Prime:
    """A text to go on from: ids (n,) to read, and for words the beginning of one that is still to be completed."""

    ids: Ids
    begun: bytes = b""


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
    found = check_settings(sampling, PrimeSettings(length=length))
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
        self._generate = generate

    def write_with(self, generate: Generate) -> None:
        """Have texts written by another function of the kind of `charrnn.inference.generation.samples.generate`."""
        self._generate = generate

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
        found = self.prime(prime)
        request = replace(request, begun=found.begun)
        start = self.read(found.ids)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for piece in self.pieces(start, seeds=[fresh_seed() if seed is None else seed], request=request):
            text = decoder.decode(piece.text, final=piece.finish is not None)
            if text:
                yield text

    def pieces(self, start: State, *, seeds: Sequence[int], request: Request) -> Generator[Piece]:
        """Pieces of several texts made side by side, one for each seed, all going on from `start`."""
        return self._generate(self._writer, self.vocabulary, start, seeds=seeds, request=request)

    def samples(self, start: State, *, seeds: Sequence[int], request: Request) -> Iterator[Sample]:
        """Several whole texts, in the order of their seeds."""
        return whole_samples(self.pieces(start, seeds=seeds, request=request), seeds)

    def prime(self, text: str | bytes, *, skip_unknown: bool = False) -> "Prime":
        """A text to go on from, as this model reads it.

        Raises:
            charrnn.errors.GenerationError: if it holds unknown characters or words that are not to be skipped.
        """
        vocabulary = self.vocabulary
        text, begun = vocabulary.split_unfinished(text)
        codes = vocabulary.tokenize(text)
        if not skip_unknown and (vocabulary.lookup(codes) == UNKNOWN).any():
            raise GenerationError(
                f"the model has never seen {vocabulary.describe_unknown(codes)}; change the prime, or let it pass over "
                "that with --unknown skip"
            )
        ids, _ = readable(vocabulary, codes)
        return Prime(ids[ids != UNKNOWN], begun)

    def read(self, ids: Ids) -> State:
        """The state after reading ids (n,) from the learned initial state."""
        *_, (_, state) = prime_state(self.network, ids)
        return state

    def score(self, text: str | bytes, progress: OnProgress | None = None) -> Score:
        """Loss, bits per character and perplexity of a text; unknown characters are counted apart."""
        codes = [self.vocabulary.tokenize(text)]
        return score(self.vocabulary, score_text(self.network, self.vocabulary, codes, progress))

    def page(self, title: str | None = None, *, height: int = 900) -> "Frame":
        """The page that `charrnn export` writes, to be shown in a notebook; `page().html` is its text.

        Args:
            title: its heading, by default the name of the corpus.
            height: of the frame, in pixels.
        """
        from charrnn.inference.export.notebook import Frame

        return Frame.of_model(*self._contents(), title, height)

    def _repr_html_(self) -> str:
        """What a notebook shows of the model."""
        from charrnn.inference.export.notebook import facts_table

        return facts_table(self._contents()[0])

    def _contents(self) -> tuple[ModelHeader, Tensors]:
        """The header and weights of a file of this model."""
        return replace(self.header, config=self.network.config, labels=(), label_counts=()), self.network.tensors
