"""Declaration of settings: frozen dataclasses with the default, the limits and the help text of each field.

The command line builds its options from these declarations, and docs/commands.md is generated from them, so each
default, limit and explanation is written once.

    @dataclass(frozen=True)
    class ModelSettings:
        layers: int = setting(1, "Recurrent layers.", at_least=1)

    check_settings(ModelSettings(layers=-1)) == ["--layers must be at least 1; found -1"]
"""

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from charrnn.errors import UsageError

TEXT = "The text"  # the panel of options that learning and writing both have
DURATION_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Rule:
    """Everything about a setting except its type and default.

    Attributes:
        help: the help text.
        group: the panel of the help page in which the option stands, if it is not the `panel` of its class.
        short: the short form of the option, such as `-o`.
        flag, off_flag: the names of the option, if they do not follow from the field's name.
        at_least, at_most, above, below: limits of a number, or of a duration in seconds.
        choices: the valid values.
        duration: whether the value is a duration such as `5m`.
        shown_default: what the help page says instead of the default.
        model: whether the value is a model file or its name.
    """

    help: str
    group: str | None = None
    short: str | None = None
    flag: str | None = None
    off_flag: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    duration: bool = False
    shown_default: str | None = None
    model: bool = False

    def check(self, value: object) -> str | None:
        """Why `value` is invalid ("must be at least 1"), or None if it is valid."""
        if value is None:
            return None
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if self.duration:
            try:
                value = parse_duration(str(value))
            except ValueError:
                meant = f"; type {value}s or {value}m" if str(value).isdecimal() else ""
                return f"must be a duration like 30s, 5m or 1h{meant}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return self._check_limits(value)

    def _check_limits(self, value: float) -> str | None:
        if not math.isfinite(value):
            return "must be a finite number"
        limits = [
            (f"{name} {limit:g}", holds(value, limit))
            for name, limit, holds in (
                ("at least", self.at_least, operator.ge),
                ("above", self.above, operator.gt),
                ("at most", self.at_most, operator.le),
                ("below", self.below, operator.lt),
            )
            if limit is not None
        ]
        if all(holds for _, holds in limits):
            return None
        return "must be " + " and ".join(limit for limit, _ in limits)


def setting(default: Any, help: str, **rule: Any) -> Any:  # noqa: A002 - named as users of argparse and click know it
    """A dataclass field with its `Rule`; keyword arguments are the rule's fields."""
    return field(default=default, metadata={"rule": Rule(help, **rule)})


def auto_setting(help: str, **rule: Any) -> Any:  # noqa: A002
    """A setting that is chosen automatically unless it is given; its default is None."""
    return setting(None, help, shown_default="automatic", **rule)


def get_rule(declared: Field[Any]) -> Rule:
    """The `Rule` of a field declared by `setting`."""
    rule: Rule = declared.metadata["rule"]
    return rule


def get_flag(declared: Field[Any]) -> str:
    """The name of the option on the command line: `hidden_size` is `--hidden-size`."""
    return get_rule(declared).flag or "--" + declared.name.replace("_", "-")


def check_settings(*groups: Any) -> list[str]:
    """A line for each invalid value in these groups of settings, naming the option."""
    errors = []
    for group in groups:
        for declared in fields(group):
            value = getattr(group, declared.name)
            if error := get_rule(declared).check(value):
                errors.append(f"{get_flag(declared)} {error}; found {value}")
    return errors


def raise_usage_errors(complaints: Sequence[str]) -> None:
    """Raise a `UsageError` of all complaints, if there are any."""
    if complaints:
        raise UsageError("\n".join(complaints))


def unread_settings(kind: str, groups: Mapping[str, Sequence[Any]], advice: str = "leave it out") -> list[str]:
    """A message for each setting that differs from its default although this kind of model does not read it.

    `groups` are the settings that only one kind of model reads, by that kind; `advice` ends each message.
    """
    return [
        f"{get_flag(declared)} is for {owner}; {advice}"
        for owner, own_groups in groups.items()
        if owner != kind
        for group in own_groups
        for declared in fields(group)
        if getattr(group, declared.name) != declared.default
    ]


def parse_duration(text: str) -> float:
    """The seconds of a duration such as `5m` or `1h30m`; only 0 needs no unit. ValueError if it is none."""
    pieces = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if text != "0" and (not pieces or "".join(number + unit for number, unit in pieces) != text):
        raise ValueError(f"not a duration: {text}")
    return sum(float(number) * DURATION_UNITS[unit] for number, unit in pieces)


def format_duration(seconds: float) -> str:
    """A duration in the form that `parse_duration` reads: `format_duration(95) == "1m35s"`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}s" if 0 < seconds < 10 and seconds != whole else f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s" if whole % 60 else f"{whole // 60}m"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
