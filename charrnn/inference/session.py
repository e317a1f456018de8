"""Writing a text in turns with a model: each turn is what a person typed and continuations to choose from."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from charrnn.errors import GenerationError
from charrnn.files import atomic_write, check_output
from charrnn.inference.generation.samples import Request, Sample, choose_best
from charrnn.inference.model import Model, Prime
from charrnn.inference.network.language import State
from charrnn.text.vocabulary.base import Ids


@dataclass(frozen=True)
class Turn:
    """What was typed, the continuations of it, and which of them is part of the text."""

    typed: bytes
    samples: tuple[Sample, ...]
    choice: int = 0

    @property
    def text(self) -> bytes:
        """The text that the turn adds."""
        return self.typed + self.samples[self.choice].text


@dataclass
class Session:
    """A text that grows turn by turn.

    Attributes:
        model: writes it.
        request: what is generated in a turn; without a prefix and a constraint.
        seed: of the next continuation.
        match: regular expression that every continuation matches.
        samples: continuations to choose from.
        best: continuations that each of them is the best of.
        skip_unknown: whether to read over characters that the model does not know.
        prime: the beginning of the text.
        turns: what was added to it.
    """

    model: Model
    request: Request
    seed: int
    match: str | None = None
    samples: int = 1
    best: int = 1
    skip_unknown: bool = False
    prime: bytes = b""
    turns: list[Turn] = field(default_factory=list)
    _states: list[tuple[Ids, State]] = field(default_factory=list, init=False)  # after the texts before each turn

    @property
    def text(self) -> bytes:
        """The whole text."""
        return self.prime + b"".join(turn.text for turn in self.turns)

    def go_on(self, typed: bytes = b"") -> Turn:
        """Add what was typed and continuations of it; a stop string that ended the last turn comes first.

        Raises:
            charrnn.errors.GenerationError: if the model does not know a character, or no continuation can match.
        """
        last = self.turns[-1] if self.turns else None
        if last is not None and last.samples[last.choice].finish == "stop" and len(self.request.stops) == 1:
            typed = self.request.stops[0] + typed
        return self._add_turn(typed)

    def retry(self) -> Turn:
        """Other continuations in place of the last ones.

        Raises:
            charrnn.errors.GenerationError: if there is no turn yet.
        """
        last = self._pop_turn()
        try:
            return self._add_turn(last.typed)
        except BaseException:
            self.turns.append(last)
            raise

    def undo(self) -> Turn:
        """Take back the last turn.

        Raises:
            charrnn.errors.GenerationError: if there is none.
        """
        return self._pop_turn()

    def choose(self, number: int) -> Turn:
        """Choose a continuation of the last turn; the first is 1.

        Raises:
            charrnn.errors.GenerationError: if there is no such continuation.
        """
        count = len(self.turns[-1].samples) if self.turns else 0
        if not 1 <= number <= count:
            raise GenerationError(f"there is no continuation {number}; the last turn has {count}")
        self.turns[-1] = dataclasses.replace(self.turns[-1], choice=number - 1)
        return self.turns[-1]

    def set_temperature(self, temperature: float) -> None:
        """Change the temperature of further continuations."""
        sampler = dataclasses.replace(self.request.sampler, temperature=temperature)
        self.request = dataclasses.replace(self.request, sampler=sampler)

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the text to a file.

        Raises:
            charrnn.errors.OutputError: if the file exists and is not to be replaced.
            OSError: if it cannot be written.
        """
        check_output(path, [], overwrite=overwrite)
        with atomic_write(path) as stream:
            stream.write(self.text)

    def _pop_turn(self) -> Turn:
        if not self.turns:
            raise GenerationError("there is no turn to undo")
        return self.turns.pop()

    def _add_turn(self, typed: bytes) -> Turn:
        start = self._prime(typed)
        request = self.model.constrain(dataclasses.replace(self.request, prefix=start.prefix), self.match)
        seeds = range(self.seed, self.seed + self.samples * self.best)
        samples = self.model.samples(self._read(start.ids), seeds=seeds, request=request)
        turn = Turn(typed, tuple(choice.sample for choice in choose_best(samples, self.best)))
        self.seed = seeds.stop
        self.turns.append(turn)
        return turn

    def _prime(self, typed: bytes) -> Prime:
        """The whole text as the model reads it."""
        try:
            return self.model.prime(self.text + typed, skip_unknown=self.skip_unknown)
        except GenerationError:
            self.model.prime(typed if self.turns else self.prime + typed)  # raises if this is what it does not know
            # Words that the model wrote next to each other can make a word that it does not know.
            return self.model.prime(self.text + typed, skip_unknown=True)

    def _read(self, ids: Ids) -> State:
        """The state after ids (n,), read from the end of the longest beginning whose state is known."""
        while self._states and not np.array_equal(self._states[-1][0], ids[: len(self._states[-1][0])]):
            self._states.pop()
        if self._states:
            known, state = self._states[-1][0], self._states[-1][1].copy()
            if len(ids) > len(known):
                self.model.network.read(ids[len(known) :, None], state)
        else:
            state = self.model.read(ids)
        self._states.append((ids, state))
        return state
