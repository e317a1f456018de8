"""Help pages in plain text, by group of options, and commands that are imported when they are used.

`charrnn --help` should not wait for every command's settings, nor any help page for a library that draws boxes.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from charrnn.cli.options import WIDTH, add_command

# ruff: noqa: E501 - summaries are one line each
COMMANDS = {  # the summary is the first line of the command's own help; a test holds them equal
    "train": "Train a model on a text and write the best version to a file.",
    "generate": "Generate text with a model, continuing a prime.",
    "evaluate": "Score a text: cross-entropy, bits per character, perplexity; for a model of labelled texts, also accuracy.",
    "classify": "Classify every line: print its label, the label's probability and the line, separated by tabs.",
    "novelty": "Measure how much of a text is copied from a corpus: the longest shared span, and whole lines.",
    "inspect": "Show what each unit does along a text and which units follow its properties; for a classifier, every class.",
    "export": "Export a model as a web page that generates text in any browser, offline, or as an ONNX graph.",
    "models": "List the models in models/: size, corpus, held-out loss and date.",
    "info": "Show what a model file contains, without reading its weights.",
    "corpus": "Make a text to train on: convert files, extract it from a package, or generate it.",
}


class PlainGroup(TyperGroup):
    """A group whose help page shows the whole summary of each command."""

    def summarize(self) -> list[tuple[str, str]]:
        """The name and summary of each command."""
        return [(name, (command.help or "").partition("\n")[0]) for name, command in self.commands.items()]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write each command's summary."""
        formatter.width = min(formatter.width, WIDTH)
        with formatter.section("Commands"):
            formatter.write_dl(self.summarize())


class LazyGroup(PlainGroup):
    """The commands of `COMMANDS`, each imported from the module of its name in `charrnn.cli.commands`.

    A module holds a function of its name and the `EXAMPLES` of its help page, or a group of commands.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment] # the names that a mistyped one may mean

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command with this name, None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        app = typer.Typer(
            add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
        )
        app.callback()(lambda: None)
        module = import_module(f"charrnn.cli.commands.{cmd_name}")
        command = getattr(module, cmd_name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=cmd_name)
        else:
            add_command(app, command, cmd_name, module.EXAMPLES)
        return typer.main.get_command(app).commands[cmd_name]  # type: ignore[attr-defined]

    def summarize(self) -> list[tuple[str, str]]:
        """The name and summary of each command, without importing it."""
        return list(COMMANDS.items())
