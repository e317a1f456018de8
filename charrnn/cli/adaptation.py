"""The option --adapt of a command that writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.display.notes import Progress, write_notes
from charrnn.errors import UsageError
from charrnn.files import check_output
from charrnn.inference.settings import AdaptSettings
from charrnn.wording import count_of

if TYPE_CHECKING:
    from charrnn.inference.model import Model


def check_adaptation(settings: AdaptSettings, inputs: Sequence[str | Path]) -> None:
    """Check the output file before slow work; `inputs` are the other files that the command reads.

    Raises:
        charrnn.errors.UsageError: if there is an output file, but nothing to adapt to.
        charrnn.errors.OutputError: if something would be lost.
    """
    if settings.adapt is None:
        if settings.output is not None:
            raise UsageError("-o saves an adapted model; add --adapt FILE with the text to adapt to")
        return
    if settings.output is not None:
        check_output(Path(settings.output), [settings.adapt, *inputs], overwrite=settings.overwrite)


def adapt_model(model: "Model", settings: AdaptSettings, label: str | None, *, quiet: bool) -> "Model":
    """The model after reading the text to adapt to, saved if a file is named; without a text, the model itself.

    Raises:
        charrnn.errors.UsageError: if it is a model of labelled texts and `label` is None.
        charrnn.errors.CorpusError: if the text cannot be read, or holds nothing that the model knows.
    """
    if settings.adapt is None:
        return model
    from charrnn.inference.labelled import LabelledModel
    from charrnn.text.reading import TextReader
    from charrnn.text.settings import ReadingSettings

    if isinstance(model, LabelledModel):
        if label is None:
            raise UsageError("with a model of labelled texts, --adapt also needs --label")
        model = model.for_label(label)
    reader = TextReader.from_names([settings.adapt], ReadingSettings(), binary=model.vocabulary.binary)
    codes = model.vocabulary.tokenize_pieces(reader)
    with Progress("adapting", unit="characters", quiet=quiet) as progress:
        adapted, before, after = model.adapt_to_codes(
            codes, lambda done, read: progress(done, reader.estimate_total(read))
        )
    losses = f"{before.loss:.4f} nats per character as trained, {after.loss:.4f} while adapting"
    read = count_of(after.chars, "character")
    notes = [*reader.notes, f"adapted to {read} of {settings.adapt}: {losses}"]
    if settings.output is not None:
        from charrnn.model.file import save_model

        save_model(Path(settings.output), adapted.header, adapted.network.tensors)
        notes.append(f"adapted model: {settings.output}")
    write_notes(notes, quiet=quiet)
    return adapted
