"""What the parts of a measurement find: printed at once, as a table at the end, and as JSON."""

import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.common import table

COLUMNS = ("part", "what", "value", "bar", "")


@dataclass(frozen=True)
class Result:
    """One figure.

    Attributes:
        part: of the measurement.
        what: was measured.
        value: the figure.
        unit: of it.
        bar: what the figure has to reach, in words, if anything.
        holds: whether it does, None without a bar.
    """

    part: str
    what: str
    value: float
    unit: str = ""
    bar: str = ""
    holds: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        value = f"{self.value:,.0f}" if abs(self.value) >= 1000 else f"{self.value:.4g}"
        verdict = "" if self.holds is None else "holds" if self.holds else "FAILS"
        return self.part, self.what, f"{value} {self.unit}".strip(), self.bar, verdict


@dataclass
class Results:
    """The figures so far, and the parts that failed.

    Attributes:
        bars: whether figures are compared with their bars.
    """

    bars: bool
    results: list[Result] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        part: str,
        what: str,
        value: float,
        unit: str = "",
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Add and print a figure, with the bar that it has to reach, if any."""
        bar, holds = "", None
        if self.bars and at_least is not None:
            bar, holds = f"at least {at_least:g}", value >= at_least
        elif self.bars and at_most is not None:
            bar, holds = f"at most {at_most:g}", value <= at_most
        result = Result(part, what, value, unit, bar, holds)
        self.results.append(result)
        print("  ".join(filter(None, result.cells[1:])), flush=True)

    def attempt(self, name: str, measure: Callable[[], None]) -> None:
        """Call a function; an error is printed and kept, and the next part goes on."""
        try:
            measure()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are measured
            traceback.print_exc()
            self.failures[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"{name} failed: {self.failures[name]}", flush=True)

    def tabulate(self) -> str:
        """Return all figures as a table in Markdown, and the failures below it."""
        failed = [f"{name} failed: {error}" for name, error in self.failures.items()]
        return "\n".join([table(COLUMNS, [result.cells for result in self.results]), *failed])

    def to_json(self) -> dict[str, Any]:
        """Return everything, JSON-able."""
        return {"results": [asdict(result) for result in self.results], "failures": self.failures}
