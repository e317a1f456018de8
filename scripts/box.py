"""Makes the model in the box, models/shakespeare.safetensors: trained on the plays, in half precision on disk.

python scripts/box.py                     fetches the plays, learns them for nine minutes, rounds, scores, describes
python scripts/box.py --trained MODEL     leaves the learning out: a model that the same command made

Run it from the repository's root.
"""

import argparse
import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from charrnn.inference.loading import load_language_model
from charrnn.inference.model import Model
from charrnn.model.file import load_model, save_model

TEXT, TRAINED, BOX = (
    Path("data/shakespeare.txt"),
    Path("models/box.safetensors"),
    Path("models/shakespeare.safetensors"),
)
HELD_OUT = 0.05  # of the text, at its end
# As many units as fit in 2 MB; twice through the plays on two cores.
TRAIN = ["train", str(TEXT), "--hidden-size", "448", "--time", "520s", "--valid-fraction", str(HELD_OUT)]
COMMAND = " ".join(["charrnn", *TRAIN])
README = """\
Models go here: `charrnn train data/NAME.txt` writes `models/NAME.safetensors`. Git ignores all but one of them.

## shakespeare.safetensors

The model in the box: {size}, {parameters:,} weights in half precision, {megabytes:.2f} MB. It has read Shakespeare's
plays and is what `charrnn generate --prime "ROMEO:"` uses where there is no other model.

| | |
|---|---|
| made by | `python scripts/box.py`, which runs `{command}` and rounds the weights |
| learned from | the first {learned:,} characters of what `scripts/corpora.py shakespeare` writes, {epochs:.1f} times |
| held out | the last {held_out:,} characters: the end of {end} |
| cross-entropy there | {loss:.4f} nats per character, {bpc:.4f} bits; perplexity {perplexity:.3f} |
| the same before rounding | {unrounded:.4f} nats per character |

Most of tiny Shakespeare is in these plays: it is no test for this model.
"""
END = "*The Two Gentlemen of Verona*, and all of *The Winter's Tale*"


def run(*command: str) -> None:
    """Run a command in sight; a failed one ends this program."""
    done = subprocess.run([sys.executable, *command], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def held_out(text: str) -> str:
    """The end of the text that `--valid-fraction` holds out."""
    return text[int(len(text) * (1 - HELD_OUT)) :]


def rounded(source: Path, target: Path, test: str) -> tuple[Model, float]:
    """Write a model in half precision, and in it how it does on `test` then; also how it did before."""
    header, tensors = load_model(source)
    before = load_language_model(source).score(test).loss
    header = dataclasses.replace(header, precision="half")
    save_model(target, header, tensors)
    loss = load_language_model(target).score(test).loss
    figures = {"valid_loss": loss, "valid_bpc": loss / math.log(2), "valid_perplexity": math.exp(loss)}
    training: dict[str, Any] = {**header.training, **figures, "model": target.as_posix(), "command": COMMAND}
    save_model(target, dataclasses.replace(header, training=training), tensors)
    return load_language_model(target), before


def described(model: Model, size: int, chars: int, test: str, unrounded: float) -> str:
    """What models/README.md says."""
    config, training = model.header.config, model.header.training
    return README.format(
        size=f"{config.cell.upper()} {config.layers}x{config.hidden_size}",
        parameters=config.parameters,
        megabytes=size / 1e6,
        command=COMMAND,
        learned=chars - len(test),
        epochs=training["epochs"],
        held_out=len(test),
        end=END,
        loss=training["valid_loss"],
        bpc=training["valid_bpc"],
        perplexity=training["valid_perplexity"],
        unrounded=unrounded,
    )


def main() -> None:
    """Everything, from fetching the plays to the description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", type=Path, metavar="MODEL", help="round this one, and train none")
    trained = parser.parse_args().trained
    if not TEXT.exists():
        run("scripts/corpora.py", "shakespeare", "-o", str(TEXT))
    if trained is None:
        run("-m", "charrnn", *TRAIN, "-o", str(TRAINED), "--overwrite", "--no-tensorboard")
    text = TEXT.read_text(encoding="utf-8")
    test = held_out(text)
    model, unrounded = rounded(trained or TRAINED, BOX, test)
    page = described(model, BOX.stat().st_size, len(text), test, unrounded)
    BOX.with_name("README.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
