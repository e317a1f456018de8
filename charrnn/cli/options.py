"""Commands from settings: the options of a command are the fields of its settings' dataclasses.

    @command(app, "evaluate", UseSettings, OutputSettings)
    def evaluate(text: Annotated[list[str], typer.Argument()], *, use: UseSettings, output: OutputSettings) -> None: ...

The function's keyword-only parameters receive the filled-in dataclasses; its other parameters are its own.
All settings that break a limit are reported together, before the function is called.
"""

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Annotated, Any, get_type_hints

import typer

from charrnn.cli.models import complete_model
from charrnn.errors import UsageError
from charrnn.settings import Rule, check_settings, get_flag, get_rule


class ReaderGoneError(Exception):
    """Whoever read our output has closed it. Not an OSError: typer would end with status 1 on such a one."""


def command(
    app: typer.Typer, name: str, *, epilog: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the command `name`, its keyword-only settings spread into options."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        own = inspect.signature(function).parameters.values()
        groups = {p.name: hints[p.name] for p in own if p.kind is p.KEYWORD_ONLY}
        plain = [p.replace(annotation=hints[p.name]) for p in own if p.name not in groups]
        options = [_option(group, declared) for group in groups.values() for declared in fields(group)]

        def run(**values: Any) -> None:
            settings = {
                key: group(**{declared.name: values.pop(declared.name) for declared in fields(group)})
                for key, group in groups.items()
            }
            found = check_settings(*settings.values())
            if found:
                raise UsageError("\n".join(found))
            try:
                function(**values, **settings)
            except BrokenPipeError:
                raise ReaderGoneError from None

        run.__doc__ = function.__doc__
        run.__name__ = function.__name__
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*plain, *options]]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name, epilog=epilog)(run)
        return function

    return register


def examples(*lines: str) -> str:
    """Commands to copy, the last words of a command's help: a paragraph each, so that none runs into the next."""
    return "\n\n".join(["Examples:", *lines])


def _option(group: type, declared: Field[Any]) -> inspect.Parameter:
    """One field as typer sees it."""
    rule = get_rule(declared)
    flag = get_flag(declared)
    names = [f"{flag}/{rule.off_flag}" if rule.off_flag else flag]
    if rule.short:
        names.append(rule.short)
    metavar = "|".join(rule.choices) or ("DURATION" if rule.duration else None)
    # A flag has no value to name.
    metavar = "" if isinstance(declared.default, bool) else metavar
    shown: bool | str = rule.shown_default or declared.default not in (None, False)
    option = typer.Option(
        *names,
        help=rule.help,
        rich_help_panel=rule.group,
        metavar=metavar,
        show_default=shown,
        autocompletion=_completion(rule),
    )
    kind = get_type_hints(group)[declared.name]
    return inspect.Parameter(
        declared.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=declared.default,
        annotation=Annotated[kind, option],
    )


def _completion(rule: Rule) -> Callable[[str], list[str]] | None:
    """What a shell may offer for a value; where nothing is known, it offers files."""
    if rule.model:
        return complete_model
    return (lambda incomplete: [c for c in rule.choices if c.startswith(incomplete)]) if rule.choices else None
