"""How settings are declared: frozen dataclasses with the default, the limits and the help beside each field.

The command line builds its options from these declarations and the README's tables are held equal to them, so
each default, limit and explanation is written down once.

    @dataclass(frozen=True)
    class ModelSettings:
        layers: int = setting(1, "Recurrent layers.", at_least=1)

    problems(ModelSettings(layers=-1)) == ["--layers must be at least 1; found -1"]
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

DURATION_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Rule:
    """What is known of one setting beside its type and default."""

    help: str
    group: str = "Options"
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
    model: bool = False  # a model file or its name

    def complaint(self, value: object) -> str | None:
        """Why `value` cannot be used ("must be at least 1"), or None if it can."""
        if value is None:
            return None
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if self.duration:
            try:
                value = parse_duration(str(value))
            except ValueError:
                return "must be a duration like 30s, 5m or 1h"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return self._outside(value)

    def _outside(self, value: float) -> str | None:
        if not math.isfinite(value):
            return "must be a finite number"
        wanted = [
            (f"at least {self.at_least:g}", value >= self.at_least) if self.at_least is not None else None,
            (f"above {self.above:g}", value > self.above) if self.above is not None else None,
            (f"at most {self.at_most:g}", value <= self.at_most) if self.at_most is not None else None,
            (f"below {self.below:g}", value < self.below) if self.below is not None else None,
        ]
        limits = [limit for limit in wanted if limit is not None]
        if all(holds for _, holds in limits):
            return None
        return "must be " + " and ".join(words for words, _ in limits)


def setting(default: Any, help: str, **rule: Any) -> Any:  # noqa: A002 - named as users of argparse and click know it
    """A dataclass field with its `Rule`; keyword arguments are the rule's fields."""
    return field(default=default, metadata={"rule": Rule(help, **rule)})


def automatic(help: str, **rule: Any) -> Any:  # noqa: A002
    """A setting that is chosen for the user unless given."""
    return setting(None, help, shown_default="automatic", **rule)


def rule_of(declared: Field[Any]) -> Rule:
    """The `Rule` of a field made by `setting`."""
    rule: Rule = declared.metadata["rule"]
    return rule


def flag_of(declared: Field[Any]) -> str:
    """The option's name on the command line: `hidden_size` is `--hidden-size`."""
    return rule_of(declared).flag or "--" + declared.name.replace("_", "-")


def problems(*groups: Any) -> list[str]:
    """Every limit that the given settings break, one line each, naming the option."""
    found = []
    for group in groups:
        for declared in fields(group):
            value = getattr(group, declared.name)
            complaint = rule_of(declared).complaint(value)
            if complaint:
                found.append(f"{flag_of(declared)} {complaint}; found {value}")
    return found


def unread_settings(kind: str, groups: Mapping[str, Sequence[Any]], advice: str = "leave it out") -> list[str]:
    """A message for each setting that differs from its default although this kind of model does not read it.

    Args:
        kind: of the model.
        groups: the settings that only one kind of model reads, by that kind.
        advice: the end of each message.
    """
    return [
        f"{flag_of(declared)} is for {owner}; {advice}"
        for owner, own_groups in groups.items()
        if owner != kind
        for group in own_groups
        for declared in fields(group)
        if getattr(group, declared.name) != declared.default
    ]


def parse_duration(text: str) -> float:
    """Seconds from `30s`, `5m`, `1h`, `1h30m`; a bare number counts seconds.

    Raises:
        ValueError: if the text is anything else.
    """
    pieces = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not pieces or "".join(n + u for n, u in pieces) != text or ("" in {u for _, u in pieces} and len(pieces) > 1):
        raise ValueError(f"not a duration: {text}")
    return sum(float(number) * DURATION_UNITS[unit or "s"] for number, unit in pieces)


def format_duration(seconds: float) -> str:
    """A duration as people write it: `format_duration(95) == "1m35s"`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}s" if 0 < seconds < 10 and seconds != whole else f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s" if whole % 60 else f"{whole // 60}m"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
