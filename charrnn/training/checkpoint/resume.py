"""What a resumed run takes from the saved one, and what may change on the way.

The saved settings win. An option that is given again must have the saved value; only those in `CHANGEABLE` may
differ. Limits are totals of the whole run, what was learned before included; given ones replace all saved ones:

    saved --steps 400, resumed with --steps 400    continues to step 400, as if nothing had happened
    saved --steps 400, resumed with --steps 800    continues to step 800
    saved --time 5m, resumed without               the rest of the five minutes
    saved --time 5m, resumed with --time 15m       the rest of fifteen minutes

The learning rate stays a function of progress over the whole budget: a run of five minutes that is resumed with
fifteen is a third through a run of fifteen, and has the learning rate of such a run at that point.

This module loads no PyTorch: a contradicting option is reported before anything slow.
"""

import dataclasses
import math
from collections.abc import Collection
from typing import Any, TypeVar

from charrnn.errors import TrainingError
from charrnn.model.config import ClassifierConfig, LabelledConfig, ModelConfig
from charrnn.settings import format_duration, get_flag, raise_usage_errors
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.checkpoint.files import Checkpoint
from charrnn.training.recipe.plan import Budget, Plan
from charrnn.training.settings import GROUPS, LearningSettings, RunSettings, TrainSettings

LIMITS = ("time", "epochs", "steps")
RUN_OPTIONS = tuple(declared.name for declared in dataclasses.fields(RunSettings))
CHANGEABLE = frozenset((*LIMITS, *RUN_OPTIONS, "sample_every", "precision"))
PER_CALL = frozenset(("output", "overwrite", "resume", "quiet", "json"))  # not taken from the saved run

AnyPlan = TypeVar("AnyPlan", bound=Plan)


def merge_settings(settings: TrainSettings, given: Collection[str], saved: Checkpoint) -> TrainSettings:
    """The saved settings, with the changeable ones of those `given` now; UsageError naming any that contradict."""
    contradictions, groups = [], {}
    before = _flatten(saved.state["settings"])
    chosen = {**_flatten(saved.state["plan"]), "tokens": saved.state.get("vocabulary", {}).get("tokens")}
    for name, group in GROUPS.items():
        values = {}
        for declared in dataclasses.fields(group):
            key = declared.name
            value = getattr(getattr(settings, name), key)
            old = before.get(key, value)
            if key in PER_CALL or (key in given and key in CHANGEABLE):
                values[key] = value
                continue
            values[key] = old
            effective = chosen.get(key) if old is None else old
            if key in given and value not in (old, chosen.get(key)):
                flag = get_flag(declared)
                contradictions.append(
                    f"{flag} {value} differs from the saved run, which has {flag} {effective}; leave it out"
                )
        groups[name] = group(**values)
    if contradictions:
        raise_usage_errors([*contradictions, "To train from the start instead, replace --resume with --overwrite"])
    return TrainSettings(**groups)


def restore_plan(kind: type[AnyPlan], learning: LearningSettings, given: Collection[str], saved: Checkpoint) -> AnyPlan:
    """The plan of the resumed run: the saved one, with another budget if limits are given."""
    plan = rebuild_plan(kind, saved.state["plan"])
    others: dict[str, Any] = {name: None for name in LIMITS if name not in given}
    budget = Budget.from_settings(dataclasses.replace(learning, **others))
    return plan if budget == Budget() else dataclasses.replace(plan, budget=budget)


def describe_corpus(corpus: Corpus | LabelledCorpus) -> dict[str, Any]:
    """The description of a corpus in the saved state."""
    size = {"texts": sum(corpus.counts)} if isinstance(corpus, LabelledCorpus) else {}
    return {
        "name": corpus.name,
        "chars": corpus.train_size + corpus.valid_size,
        **size,
        "fingerprint": corpus.fingerprint,
    }


def check_corpus(corpus: Corpus | LabelledCorpus, saved: Checkpoint) -> None:
    """Raise a TrainingError if the corpus is not that of the saved run."""
    before = saved.state["corpus"]
    if corpus.fingerprint == before["fingerprint"]:
        return
    what, size = "text", f"{before.get('chars', 0):,} characters"
    if "texts" in before:
        what, size = "corpus", f"{before['texts']:,} texts"
    raise TrainingError(
        f"{corpus.name} is not the {what} of the saved run ({before['name']}, {size}): "
        "its content has changed. Give the original text, or train from the start with --overwrite"
    )


def rebuild_plan(kind: type[AnyPlan], values: dict[str, Any]) -> AnyPlan:
    """A plan from what `dataclasses.asdict` and JSON have made of it; TrainingError if plans had other fields then."""
    sizes = values["config"]
    special = ClassifierConfig if "pool" in sizes else LabelledConfig if "classes" in sizes else ModelConfig
    parts = {"config": _make(special, sizes), "budget": _make(Budget, values["budget"])}
    words = {name: tuple(values.get(name, ())) for name in ("reasons", "warnings")}
    plan: AnyPlan = _make(kind, {**values, **parts, **words})
    return plan


def _make(kind: type, values: dict[str, Any]) -> Any:
    declared = dataclasses.fields(kind)
    required = {field.name for field in declared if field.default is dataclasses.MISSING}
    if differing := (required - set(values)) | (set(values) - {field.name for field in declared}):
        names = ", ".join(sorted(differing))
        raise TrainingError(f"the saved run is from another version of charrnn ({names}); start over with --overwrite")
    return kind(**values)


def _flatten(groups: dict[str, Any]) -> dict[str, Any]:
    """Values by their own names, those of nested dictionaries beside the others."""
    flat: dict[str, Any] = {}
    for name, value in groups.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def describe_position(saved: Checkpoint) -> str:
    """The place where a resumed run continues, in words."""
    record, steps = saved.state["record"], saved.state["trainer"]["steps"]
    return f"continuing at step {steps:,}, {format_duration(record['seconds'])} into the run"


def describe_finished(budget: Budget, saved: Checkpoint) -> str:
    """A note that the budget is used up, with the option that trains further."""
    record, steps = saved.state["record"], saved.state["trainer"]["steps"]
    seconds, epochs = record["seconds"], [int(each["epochs"]) for each in record["history"]]
    if budget.steps is not None:
        more = f"--steps {2 * max(steps, budget.steps)}"
    elif budget.epochs is not None and budget.seconds is None:
        more = f"--epochs {math.ceil(2 * max([budget.epochs, *epochs]))}"
    else:
        more = f"--time {format_duration(2 * max(seconds, budget.seconds or 0.0))}"
    return (
        f"already finished at step {steps:,}, {format_duration(seconds)} into the run; "
        f"to train further, use --resume {more} (the total of the whole run)"
    )
