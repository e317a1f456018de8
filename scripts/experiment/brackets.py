"""Nested brackets: a network of 15 units, and whether a grammar accepts what it writes."""

from collections.abc import Iterator
from statistics import mean

from charrnn.corpora.brackets import brackets, refused_at
from scripts.experiment.running import Story, table

TEMPERATURES = (0.3, 0.5, 0.7, 1.0, 1.3)
NETWORK = ("--cell", "gru", "--layers", "1", "--hidden-size", "15")
TIME = "60s"
LENGTH = 2000
OPENED = ("--prime", "()\n", "--stop", "\n")  # behind a whole sequence a new one begins


def tell(story: Story, symbols: int = 400_000) -> Iterator[str]:
    """The story's table."""
    corpus = story.corpus("brackets.txt", brackets(symbols, lines=True))
    found = story.train(corpus, "brackets", TIME, *NETWORK)
    known = set(corpus.read_text().split("\n"))
    rows = [_row("the corpus", [line for line in corpus.read_text().split("\n") if line], known)]
    for temperature in TEMPERATURES:
        made = [sample["text"] for sample in story.generate(found["model"], temperature, LENGTH, *OPENED)]
        rows.append(_row(f"T {temperature}", made, known))
    size, bits = found["parameters"], found["valid_bpc"]
    yield f"A GRU of 15 units, {size:,} weights, {found['seconds']:.0f} s; {bits:.3f} bits a symbol held out."
    yield table(["sequences", "accepted", "symbols, mean", "longest", "deepest", "not in the corpus"], rows)


def _row(name: str, made: list[str], known: set[str]) -> list[object]:
    accepted = sum(refused_at(line) is None for line in made) / len(made)
    new = sum(line not in known for line in made) / len(made)
    deepest = max(int(symbol) for line in made for symbol in line + "0" if symbol.isdigit())
    return [name, f"{accepted:.1%}", f"{mean(map(len, made)):.1f}", max(map(len, made)), deepest, f"{new:.0%}"]
