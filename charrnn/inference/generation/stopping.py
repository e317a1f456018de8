"""Finding stop strings in a stream of pieces.

For example:

    finder = StopFinder([b"END"])
    finder.feed(b"the E")    # b"the "     E may begin a stop string, so it is held back
    finder.feed(b"N")        # b""
    finder.feed(b"Glish")    # b"ENGlish"  it did not
    finder.stopped           # False
"""

from collections.abc import Sequence


class StopFinder:
    """Passes text on until one of `stops` (none of them empty) is complete, without that stop string.

    Attributes:
        stopped: whether a stop string was complete.
    """

    def __init__(self, stops: Sequence[bytes]) -> None:
        self._stops = list(stops)
        self._longest = max(map(len, self._stops), default=0)
        self._held = b""
        self.stopped = False

    def feed(self, piece: bytes) -> bytes:
        """Add a piece of text; returns the text that cannot belong to a stop string."""
        if not self._stops:
            return piece
        text = self._held + piece
        matches = [(at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if matches:
            # The stop string that is complete first ends the text; of two that end together, the one that begins first.
            at, _ = min(matches, key=lambda match: (match[0] + len(match[1]), match[0]))
            self.stopped, self._held = True, b""
            return text[:at]
        held = self._possible_start(text)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> bytes:
        """The text that is still held back, at the end of the text."""
        held, self._held = self._held, b""
        return held

    def _possible_start(self, text: bytes) -> int:
        """Length of the longest end of `text` that begins a stop string."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            ending = text[len(text) - size :]
            if any(stop.startswith(ending) for stop in self._stops):
                return size
        return 0
