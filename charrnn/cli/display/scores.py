"""Scores of a language model: tables of tokens and lines, and the figures of a text."""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from charrnn.inference.network.language import Floats
    from charrnn.inference.scoring.texts import Score
    from charrnn.text.vocabulary.base import Codes, Vocabulary

    Blocks = Iterator[tuple[Codes, Floats]]


class TokenTable:
    """Prints each token with its nats: coloured text on a terminal with colours, otherwise rows."""

    def __init__(self, vocabulary: "Vocabulary", *, as_json: bool) -> None:
        self._vocabulary = vocabulary
        self._json = as_json
        self._labels: dict[int | str, str] = {}

    def print(self, blocks: "Blocks") -> "Blocks":
        """Print blocks of codes (n,) and nats (n,) while passing them on."""
        if sys.stdout.isatty() and not self._json:
            from charrnn.cli.display.surprise import Surprise

            surprise = Surprise()
            if surprise.coloured:
                for codes, nats in blocks:
                    surprise.draw(list(map(self._vocabulary.to_display, codes.tolist())), nats.tolist())
                    yield codes, nats
                surprise.print_legend()
                return
        for codes, nats in blocks:
            rows = map(self._row, codes.tolist(), nats.tolist())
            sys.stdout.buffer.write("".join(rows).encode())
            yield codes, nats

    def _row(self, code: int | str, nats: float) -> str:
        if self._json:
            figure = None if math.isnan(nats) else round(nats, 6)
            return json.dumps({**self._vocabulary.to_record(code), "nats": figure}) + "\n"
        label = self._labels.get(code)
        if label is None:
            label = self._labels[code] = self._vocabulary.to_label(code)
        return f"{label}\t{nats:.4f}\n"


def print_line(line: str, score: "Score", *, as_json: bool) -> None:
    """Print the row of a line of text."""
    text = line.removesuffix("\n")
    if as_json:
        bpc = score.bpc if score.chars else None
        row = json.dumps({"bpc": bpc, "chars": score.chars, "unknown": score.unknown, "line": text}).encode()
    else:
        row = f"{score.bpc:.4f}\t{score.chars}\t{text}".encode("utf-8", "surrogateescape")
    sys.stdout.buffer.write(row + b"\n")


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
        charge = f"{vocabulary.unknown_nats:.4f} for each unknown character, ln {max(2, vocabulary.characters):,}"
        rows.append(("charged loss", f"{score.charged_loss:.4f}", f"nats per character, with {charge}"))
    return rows


def print_score(
    path: Path, vocabulary: "Vocabulary", score: "Score", seconds: float, *, to_stderr: bool, as_json: bool
) -> None:
    """Print the figures of a text; to stderr, next to a table on stdout, always in words."""
    speed = (score.tokens + score.unknown) / max(seconds, 1e-9)  # tokens per second
    by_token = vocabulary.multi_character
    if as_json and not to_stderr:
        figures = {
            "model": str(path),
            "chars": score.chars,
            **({"tokens": score.tokens, "token_loss": score.token_loss} if by_token else {}),
            "unknown": score.unknown,
            "unknown_share": score.unknown_share,
            "loss": score.loss,
            "charged_loss": score.charged_loss,
            "bpc": score.bpc,
            "perplexity": score.perplexity,
            "seconds": round(seconds, 3),
            "chars_per_second": round(speed * score.chars / score.tokens, 1),
        }
        typer.echo(json.dumps(figures))
        return
    rows = [
        *score_rows(vocabulary, score),
        ("speed", f"{speed:,.0f}", f"{vocabulary.units}/s"),
    ]
    if by_token:
        perplexity = math.exp(min(score.token_loss, 700.0))
        rows.append(("tokens", f"{score.tokens:,}", ""))
        rows.append(("the same by token", f"{score.token_loss:.4f}", f"nats, perplexity {perplexity:.1f}"))
    if (sys.stderr if to_stderr else sys.stdout).isatty():
        from charrnn.cli.display.surprise import print_figures

        remarks = {
            "bits per character": "1 is a coin toss for each character",
            "perplexity": f"as many equally likely characters: about {score.perplexity:.0f}",
        }
        rows = [(name, figure, remarks.get(name, unit)) for name, figure, unit in rows]
        print_figures(str(path), rows, to_stderr=to_stderr)
        return
    for name, figure, unit in rows:
        typer.echo(f"{name:<20} {figure} {unit}".rstrip(), err=to_stderr)
