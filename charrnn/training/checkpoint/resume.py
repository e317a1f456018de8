"""What a resumed run takes over from the saved one, and what it may change on the way.

The saved settings win. An option that is given again must say the same as the saved run; only those in
`CHANGEABLE` may differ. Limits that are given replace all saved ones:

    saved --steps 400, resumed with --steps 400    goes on to step 400, as if nothing had happened
    saved --steps 400, resumed with --steps 800    goes on to step 800
    saved --time 5m, resumed without               the rest of the five minutes
    saved anyhow, resumed with --time 10m          ten minutes more, from now

The learning rate stays a function of progress over the whole budget: a run of five minutes that is given ten
more is a third through a run of fifteen, and its rate is that of such a run at that place.

No PyTorch in here: an option that contradicts is told before anything slow.
"""

import dataclasses
import types
import typing
from collections.abc import Collection
from typing import Any

from charrnn.errors import TrainingError, UsageError
from charrnn.settings import format_duration, get_flag, parse_duration
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.text.vocabulary.loading import vocabulary_from_json
from charrnn.training.checkpoint.state import Checkpoint
from charrnn.training.recipe.language import Plan
from charrnn.training.recipe.schedule import Budget
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TextSettings, TrainSettings
from charrnn.training.transfer import united

LIMITS = ("time", "epochs", "steps")
CHANGEABLE = frozenset(
    (*LIMITS, *(declared.name for declared in dataclasses.fields(RunSettings) if declared.name != "init_from"))
)
PER_CALL = frozenset(("output", "overwrite", "resume", "quiet", "json"))  # not taken over from the saved run
GROUPS: dict[str, type] = {
    "text": TextSettings,
    "model": ModelSettings,
    "learning": LearningSettings,
    "run": RunSettings,
}


def taken_over(given_settings: TrainSettings, given: Collection[str], saved: Checkpoint) -> TrainSettings:
    """The settings of the resumed run: the saved ones, and of those in `given` what may change.

    Args:
        given_settings: as they stand on the command line, defaults filled in.
        given: names of the settings that the user typed.
        saved: the state to go on from.

    Raises:
        UsageError: if something else was typed that differs from the saved run; all such are told together.
    """
    contradictions, groups = [], {}
    chosen = _flat(saved.state["plan"])
    for name, group in GROUPS.items():
        now, before = getattr(given_settings, name), saved.state["settings"].get(name, {})
        values = {}
        for declared in dataclasses.fields(group):
            key = declared.name
            value = getattr(now, key)
            old = before.get(key, value)
            if key in PER_CALL or (key in given and key in CHANGEABLE):
                values[key] = value
                continue
            values[key] = old
            effective = chosen.get(key) if old is None else old
            if key in given and value not in (old, chosen.get(key)):
                flag = get_flag(declared)
                contradictions.append(
                    f"{flag} {value} contradicts the saved run, which has {flag} {effective}; leave it out"
                )
        groups[name] = group(**values)
    if contradictions:
        raise UsageError(
            "\n".join([*contradictions, "To train from the start instead, replace --resume by --overwrite"])
        )
    return TrainSettings(**groups)


def new_budget(learning: LearningSettings, given: Collection[str], saved: Checkpoint) -> Budget | None:
    """The budget of the resumed run; None if it is that of the saved one."""
    typed = {name: getattr(learning, name) for name in LIMITS if name in given and getattr(learning, name) is not None}
    if not typed:
        return None
    seconds = None
    if "time" in typed:
        seconds = float(saved.state["record"]["seconds"]) + parse_duration(typed["time"])
    found = Budget(seconds, typed.get("epochs"), typed.get("steps"))
    return None if dataclasses.asdict(found) == saved.state["plan"]["budget"] else found


def saved_plan(learning: LearningSettings, given: Collection[str], saved: Checkpoint) -> Plan:
    """The plan of the resumed run: the saved one, with another budget if limits are given."""
    plan: Plan = rebuilt(Plan, saved.state["plan"])
    budget = new_budget(learning, given, saved)
    return plan if budget is None else dataclasses.replace(plan, budget=budget)


def corpus_described(corpus: Corpus | LabelledCorpus) -> dict[str, Any]:
    """What the saved state says of the text."""
    chars = corpus.train_size + corpus.valid_size
    return {"name": corpus.name, "chars": chars, "fingerprint": corpus.fingerprint}


def with_saved_symbols(corpus: Corpus | LabelledCorpus, saved: Checkpoint) -> Corpus | LabelledCorpus:
    """The corpus with the ids of the saved run, whose vocabulary may come from a model that it started from.

    Raises:
        TrainingError: if the text's content is not that of the saved run.
    """
    before = saved.state["corpus"]
    if corpus.fingerprint != before["fingerprint"]:
        raise TrainingError(
            f"{corpus.name} is not the text of the saved run ({before['name']}, {before['chars']:,} characters): "
            "its content has changed. Give the text as it was, or train from the start with --overwrite"
        )
    if isinstance(corpus, LabelledCorpus):
        return corpus  # which starts from no other model
    size = saved.state["plan"]["config"]["vocab_size"]
    return united(corpus, vocabulary_from_json(saved.state["vocabulary"], size))


def rebuilt(kind: type, found: dict[str, Any]) -> Any:
    """A dataclass from what `dataclasses.asdict` and JSON made of it.

    Raises:
        TrainingError: if it was saved by a charrnn whose plans hold other things.
    """
    hints = typing.get_type_hints(kind)
    declared = {field.name: field for field in dataclasses.fields(kind)}
    missing = {
        name
        for name, field in declared.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    } - set(found)
    if missing or not set(found) <= set(declared):
        odd = ", ".join(sorted(missing | (set(found) - set(declared))))
        raise TrainingError(f"the saved run is of another version of charrnn ({odd}); start anew with --overwrite")
    return kind(**{name: _typed(hints[name], value) for name, value in found.items()})


def _typed(hint: Any, value: Any) -> Any:
    """`value` as JSON gave it, as the type that it came from."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None:
            return None
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        hint = next((kind for kind in kinds if _fits(kind, value)), kinds[0])
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return rebuilt(hint, value)
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        options = typing.get_args(hint)
        item = options[0] if options else Any
        return tuple(_typed(item, element) for element in value)
    return value


def _fits(kind: type, value: Any) -> bool:
    """Whether `value` was a dataclass of this kind."""
    fitting = dataclasses.is_dataclass(kind) and isinstance(value, dict)
    return fitting and {declared.name for declared in dataclasses.fields(kind)} == set(value)


def _flat(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan's values by their own names, those of its parts beside its own."""
    found: dict[str, Any] = {}
    for name, value in plan.items():
        found.update(value if isinstance(value, dict) else {name: value})
    return found


def told(saved: Checkpoint) -> str:
    """Where a resumed run goes on, in words."""
    record, steps = saved.state["record"], saved.state["trainer"]["steps"]
    return f"going on at step {steps:,}, {format_duration(record['seconds'])} into the run"
