"""Scores of a language model: tables of tokens and lines, and the figures of a text."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.display.records import format_record, print_record
from charrnn.cli.streams import write_line, write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from charrnn.inference.scoring.texts import Block, Score
    from charrnn.text.baselines import Baselines
    from charrnn.text.vocabulary.base import Vocabulary


class TokenTable:
    """Prints each token with its nats: coloured text on a terminal with colours, otherwise rows.

    Adapted nats stand beside the others; the colours are those of the adapted ones.
    """

    def __init__(self, vocabulary: "Vocabulary", *, as_json: bool) -> None:
        self._vocabulary = vocabulary
        self._json = as_json
        self._labels: dict[int | str, str] = {}

    def print(self, blocks: "Iterator[Block]") -> "Iterator[Block]":
        """Print blocks of codes (n,) and nats (n,), and adapted nats (n,), if any, while passing them on."""
        if sys.stdout.isatty() and not self._json:
            from charrnn.cli.display.colours import Surprise

            surprise = Surprise()
            if surprise.coloured:
                for block in blocks:
                    surprise.draw(list(map(self._vocabulary.to_display, block[0].tolist())), block[-1].tolist())
                    yield block
                surprise.print_legend()
                return
        for block in blocks:
            rows = map(self._format_row, *(column.tolist() for column in block))
            write_text("".join(rows))
            yield block

    def _format_row(self, code: int | str, *nats: float) -> str:
        if self._json:
            figures = zip(("nats", "adapted_nats"), (round(each, 6) for each in nats), strict=False)
            return format_record({**self._vocabulary.to_record(code), **dict(figures)}) + "\n"
        label = self._labels.get(code)
        if label is None:
            label = self._labels[code] = self._vocabulary.to_label(code)
        return "\t".join([label, *(f"{each:.4f}" for each in nats)]) + "\n"


def print_line(line: str, score: "Score", adapted: "Score | None" = None, *, as_json: bool) -> None:
    """Print the row of a line of text."""
    text = line.removesuffix("\n")
    scores = [score] if adapted is None else [score, adapted]
    if as_json:
        figures = zip(("bpc", "adapted_bpc"), (each.bpc for each in scores), strict=False)
        print_record({**dict(figures), "chars": score.chars, "unknown": score.unknown, "line": text})
    else:
        write_text("\t".join([*(f"{each.bpc:.4f}" for each in scores), str(score.chars), text]) + "\n")


def adapted_figures(score: "Score") -> dict[str, float]:
    """The figures of an adapted model in JSON."""
    return {f"adapted_{name}": getattr(score, name) for name in ("loss", "bpc", "perplexity")}


def adapted_rows(score: "Score") -> list[tuple[str, str, str]]:
    """The figures of an adapted model in words: name, figure, unit."""
    return [
        ("adapted", f"{score.loss:.4f}", "nats per character, adapting while scoring"),
        ("adapted bits", f"{score.bpc:.4f}", "per character"),
        ("adapted perplexity", f"{score.perplexity:.3f}", ""),
    ]


def baseline_figures(baselines: "Baselines") -> dict[str, float]:
    """Bits per character of what the model is compared with, in JSON."""
    return {
        "gzip_bpc": baselines.gzip,
        "xz_bpc": baselines.xz,
        "ngram_bpc": baselines.ngram,
        "ngram_order": baselines.order,
        "compared_chars": baselines.chars,
    }


def baseline_rows(baselines: "Baselines") -> list[tuple[str, str, str]]:
    """The figures of the baselines in words: name, figure, unit."""
    names = {"gzip": baselines.gzip, "xz": baselines.xz, f"{baselines.order}-gram model": baselines.ngram}
    return [(name, f"{bits:.4f}", "bits per character") for name, bits in names.items()]


def score_rows(vocabulary: "Vocabulary", score: "Score") -> list[tuple[str, str, str]]:
    """The figures of a text as rows of a name, a figure and its unit; with a charged loss if a token is unknown."""
    share = f"in {score.unknown_share:.2%} of all characters" if score.unknown else ""
    rows = [
        ("cross-entropy", f"{score.loss:.4f}", "nats per character"),
        ("bits per character", f"{score.bpc:.4f}", ""),
        ("perplexity", f"{score.perplexity:.3f}", ""),
        ("characters", f"{score.chars:,}", ""),
        (f"unknown {vocabulary.units}", f"{score.unknown:,}", share),
    ]
    if score.unknown:
        charge = f"{vocabulary.unknown_nats:.4f} for each unknown character: ln {max(2, vocabulary.characters):,}"
        rows.append(("charged loss", f"{score.charged_loss:.4f}", f"nats per character, with {charge}"))
    return rows


def format_rows(rows: "Iterable[tuple[str, str, str]]") -> list[str]:
    """Rows of names, figures and units as lines."""
    return [f"{name:<20} {figure} {unit}".rstrip() for name, figure, unit in rows]


def print_score(
    path: Path,
    vocabulary: "Vocabulary",
    score: "Score",
    adapted: "Score | None" = None,
    *,
    baselines: "Baselines | None" = None,
    seconds: float,
    to_stderr: bool,
    as_json: bool,
) -> None:
    """Print the figures of a text; to stderr, next to a table on stdout, always in words."""
    speed = (score.tokens + score.unknown) / max(seconds, 1e-9)  # tokens per second
    by_token = vocabulary.multi_character
    if as_json and not to_stderr:
        record = {
            "model": str(path),
            "chars": score.chars,
            **({"tokens": score.tokens, "token_loss": score.token_loss} if by_token else {}),
            "unknown": score.unknown,
            "unknown_share": score.unknown_share,
            "loss": score.loss,
            "charged_loss": score.charged_loss,
            "bpc": score.bpc,
            "perplexity": score.perplexity,
            **(adapted_figures(adapted) if adapted else {}),
            **(baseline_figures(baselines) if baselines else {}),
            "seconds": round(seconds, 3),
            "chars_per_second": round(speed * score.chars / score.tokens, 1),
        }
        print_record(record)
        return
    rows = [
        *score_rows(vocabulary, score),
        *(adapted_rows(adapted) if adapted else []),
        *(baseline_rows(baselines) if baselines else []),
        ("speed", f"{speed:,.0f}", f"{vocabulary.units}/s"),
    ]
    if by_token:
        perplexity = math.exp(min(score.token_loss, 700.0))
        rows.append(("tokens", f"{score.tokens:,}", ""))
        rows.append(("loss per token", f"{score.token_loss:.4f}", f"nats, perplexity {perplexity:.1f}"))
    if (sys.stderr if to_stderr else sys.stdout).isatty():
        from charrnn.cli.display.colours import print_figures

        remarks = {
            "bits per character": "1 bit is the uncertainty of a coin toss",
            "perplexity": f"like a choice among about {score.perplexity:.0f} equally likely characters",
        }
        rows = [(name, figure, remarks.get(name, unit)) for name, figure, unit in rows]
        print_figures(str(path), rows, to_stderr=to_stderr)
        return
    write_line("\n".join(format_rows(rows)), to_stderr=to_stderr)
