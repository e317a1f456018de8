"""What happens inside a model along a text: rankings of units, and values along the text."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from charrnn.cli.display.escape import to_cell, visible
from charrnn.cli.display.records import print_record
from charrnn.cli.streams import write_line

if TYPE_CHECKING:
    from charrnn.inference.classification.classifier import Classifier
    from charrnn.inference.inspection.course import Course
    from charrnn.inference.inspection.finding import Finding, Unit
    from charrnn.inference.inspection.tracing import ReadText
    from charrnn.inference.network.language import Floats
    from charrnn.text.vocabulary.base import Vocabulary

MOST_DRAWN = 500  # characters on a terminal by default
START = "\u25b8"  # the learned initial state


def print_findings(findings: "Sequence[Finding]", state: str, *, as_json: bool) -> None:
    """Print a ranking of units; as JSON with those that are not above chance."""
    if as_json:
        for finding in findings:
            print_record({**asdict(finding), "state": state})
        return
    write_line(" score  chance  layer  unit  property")
    for finding in findings:
        if finding.above:
            place = f"{finding.layer:5}  {finding.unit:4}  {visible(finding.property)}"
            write_line(f"{finding.score:+.3f}   {finding.control:.3f}  {place}")


@dataclass(frozen=True)
class UnitDisplay:
    """Shows the states (L, T, H) of units along a text, `state` of each."""

    vocabulary: "Vocabulary"
    read: "ReadText"
    states: "Floats"
    state: str

    def print_json(self, units: "Sequence[Unit]", shown: int) -> None:
        """Print an object for each unit."""
        for unit in units:
            values = self.states[unit.layer, :shown, unit.unit].tolist()
            record = {
                "layer": unit.layer,
                "unit": unit.unit,
                "state": self.state,
                "text": "".join(self.read.parts[:shown]),
                "values": [round(value, 6) for value in values],
            }
            print_record(record)

    def draw(self, units: "Sequence[Unit]", shown: int | None) -> list[str]:
        """Print the text coloured by each unit, or a table where there are no colours; returns notes."""
        from charrnn.cli.display.colours import Heatmap

        heatmap, total = Heatmap(), len(self.read.parts)
        if not heatmap.coloured:
            self._print_table(units, shown or total)
            return []
        parts = self.read.parts[: shown or MOST_DRAWN]
        top = max([1.0, *(float(abs(self.states[unit.layer, :, unit.unit]).max()) for unit in units)])
        for unit in units:
            along = self.states[unit.layer, :, unit.unit]
            heatmap.draw(unit.heading, parts, along[: len(parts)].tolist(), top)
        heatmap.print_legend(f"-{top:.3g}", "0", f"+{top:.3g}")
        if len(parts) == total or shown is not None:
            return []
        return [f"showed the first {len(parts):,} of {total:,} {self.vocabulary.units}; --shown N shows more"]

    def _print_table(self, units: "Sequence[Unit]", shown: int) -> None:
        """Print a row for each token, with a column for each unit."""
        names = map(self.vocabulary.to_label, self.read.codes[:shown].tolist())
        values = self.states[[unit.layer for unit in units], :, [unit.unit for unit in units]].T  # (T, units)
        _print_rows([f"layer {unit.layer} unit {unit.unit}" for unit in units], names, values[:shown].tolist())


def print_courses(courses: "Sequence[Course]", model: "Classifier", *, as_json: bool) -> None:
    """Print the classes' probabilities along each text: coloured, as a table where there are no colours, or as JSON."""
    labels = model.labels
    if as_json:
        for course in courses:
            record = {
                "text": "".join(course.parts),
                "label": labels[course.label],
                "labels": list(labels),
                "probabilities": [[round(value, 6) for value in row] for row in course.probabilities.tolist()],
                **({"sums": course.sums} if course.sums else {}),
            }
            print_record(record)
        return
    from charrnn.cli.display.colours import Heatmap

    heatmap = Heatmap()
    for course in courses:
        if heatmap.coloured:
            # Red is the predicted class, blue any other, white even.
            along = (2 * course.probabilities[:, course.label] - 1).tolist()
            heading = f"{labels[course.label]} {course.probabilities[-1, course.label]:.1%}  {course.explanation}"
            heatmap.draw(heading, [START, *course.parts], along, 1.0)
        else:
            names = ["(start)", *map(model.vocabulary.to_label, course.codes.tolist())]
            _print_rows([visible(to_cell(label)) for label in labels], names, course.probabilities.tolist())
    if heatmap.coloured:
        heatmap.print_legend("another class", "even", "the predicted class")


def _print_rows(columns: Sequence[str], names: Iterable[str], rows: Sequence[Sequence[float]]) -> None:
    lines = ["\t".join(["character", *columns])]
    for name, row in zip(names, rows, strict=True):
        lines.append("\t".join([name, *(f"{value:.4f}" for value in row)]))
    write_line("\n".join(lines))
