"""Commands from settings: the fields of settings dataclasses become options.

    def evaluate(text: Texts, *, use: UseSettings, output: OutputSettings) -> None: ...
    make_command(evaluate, "evaluate", ["charrnn evaluate sequel.txt"])

Keyword-only parameters of the function receive instances of these dataclasses; its other parameters are arguments of
the command. All settings that break a limit are reported together, before the function is called.

Help pages are plain text, by group of options. A command is imported when it is used, so that `charrnn --help` does not
wait for every command's settings.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from importlib import import_module
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from charrnn.cli.models import complete_model
from charrnn.errors import OutputError
from charrnn.settings import Rule, check_settings, get_flag, get_rule, raise_usage_errors

WIDTH = 80  # columns of a help page
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
Texts = Annotated[
    list[str],
    typer.Argument(
        help="Text files and folders, which may be compressed, read as one text; - is stdin.", show_default=False
    ),
]


class PlainCommand(TyperCommand):
    """A command whose help page lists its options by group."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Arguments as they are typed, without braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, each group under its name."""
        formatter.width = min(formatter.width, WIDTH)
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                argument = parameter.param_type_name == "argument"
                panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or "Options"
                sections.setdefault(panel, []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records, col_max=26)


def make_command(function: Callable[..., None], name: str, examples: Iterable[str]) -> Any:
    """A click command that calls a function, with the fields of its keyword-only parameters as options."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for own in inspect.signature(function).parameters.values():
        if own.kind is own.KEYWORD_ONLY:
            groups[own.name] = group = hints[own.name]
            parameters += [_make_option(group, declared) for declared in fields(group)]
        else:
            hint = _name_argument(own.name, hints[own.name])
            parameters.append(own.replace(annotation=hint, kind=own.KEYWORD_ONLY))

    def run(**values: Any) -> None:
        settings = {
            key: group(**{declared.name: values.pop(declared.name) for declared in fields(group)})
            for key, group in groups.items()
        }
        raise_usage_errors(check_settings(*settings.values()))
        try:
            function(**values, **settings)
        except BrokenPipeError as error:  # typer would exit without a word
            raise OutputError(f"{error.filename or 'a pipe'} cannot be written: {error.strerror}") from None

    # typer reads the options of a command from the signature of its function.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=PlainCommand, help=function.__doc__, epilog=format_examples(examples))(run)
    return typer.main.get_command(app)


def format_examples(lines: Iterable[str]) -> str:
    """Commands to copy, for the end of a help page, which does not wrap them."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def _make_option(group: type, declared: Field[Any]) -> inspect.Parameter:
    """A field as a parameter for typer."""
    rule = get_rule(declared)
    flag = get_flag(declared)
    names = [f"{flag}/{rule.off_flag}" if rule.off_flag else flag]
    if rule.short:
        names.append(rule.short)
    kind = get_type_hints(group)[declared.name]
    metavar = "|".join(rule.choices) or ("DURATION" if rule.duration else _name_value(kind))
    default = _describe_default(rule, declared.default)
    option = typer.Option(
        *names,
        help=f"{rule.help} [{default}]" if default else rule.help,
        rich_help_panel=rule.group or getattr(group, "panel", "Options"),
        metavar="" if isinstance(declared.default, bool) else metavar,  # flags take no value
        show_default=False,
        autocompletion=_make_completion(rule),
    )
    parameter = inspect.Parameter(declared.name, inspect.Parameter.KEYWORD_ONLY, default=declared.default)
    return parameter.replace(annotation=Annotated[kind, option])


def _name_argument(name: str, hint: Any) -> Any:
    """The annotation of an argument, with its name in capitals for the help page."""
    for info in getattr(hint, "__metadata__", ()):
        info.metavar = name.upper() + ("..." if get_origin(get_args(hint)[0]) is list else "")
    return hint


def _name_value(kind: Any) -> str:
    """The placeholder of an option's value on the help page."""
    text = str(kind)
    return "N" if "int" in text else "X" if "float" in text else "TEXT"


def _describe_default(rule: Rule, default: Any) -> str:
    """The default for the help page; empty where there is nothing to say."""
    if rule.shown_default == "automatic" or (default is None and rule.shown_default is None):
        return ""
    if isinstance(default, bool):
        return "default" if default else ""
    return f"default: {rule.shown_default or default}"


def _make_completion(rule: Rule) -> Callable[[str], list[str]] | None:
    """The function that completes a value in a shell; without one, shells offer files."""
    if rule.model:
        return complete_model
    return (lambda incomplete: [c for c in rule.choices if c.startswith(incomplete)]) if rule.choices else None


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
        module = import_module(f"charrnn.cli.commands.{cmd_name}")
        command = getattr(module, cmd_name)
        return command if isinstance(command, PlainGroup) else make_command(command, cmd_name, module.EXAMPLES)

    def summarize(self) -> list[tuple[str, str]]:
        """The name and summary of each command, without importing it."""
        return list(COMMANDS.items())
