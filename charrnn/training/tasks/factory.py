"""Making the task that the settings ask for, from a plan that is new or that of a saved run."""

from collections.abc import Collection

from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.text.vocabulary.loading import vocabulary_from_json
from charrnn.training.checkpoint.files import Checkpoint
from charrnn.training.checkpoint.resume import restore_plan
from charrnn.training.recipe.classifier import ClassifierPlan, make_classifier_plan
from charrnn.training.recipe.language import ON_CPU, LanguagePlan, depends_on_speed, make_language_plan
from charrnn.training.recipe.shape import shape_for
from charrnn.training.recipe.speed import measure_peak
from charrnn.training.settings import TrainSettings
from charrnn.training.tasks.classifier import ClassifierTask
from charrnn.training.tasks.language import LanguageTask
from charrnn.training.tasks.task import Resources, Task
from charrnn.training.tasks.transfer import Source, merge_vocabulary, transfer_weights


def make_task(
    settings: TrainSettings,
    given: Collection[str],
    corpus: Corpus | LabelledCorpus,
    resources: Resources,
    saved: Checkpoint | None,
    source: Source | None = None,
) -> Task:
    """The task of a run, with its network.

    Args:
        settings: of the run.
        given: names of the settings that the user gave.
        corpus: that it learns from.
        resources: what the run computes on.
        saved: the state to continue from, if there is one.
        source: the model to start from, if there is one.

    Raises:
        UsageError: if the batches are too small for the number of processes.
    """
    if settings.text.task == "classify":
        assert isinstance(corpus, LabelledCorpus)  # noqa: S101 - read as such
        return _make_classifier(settings, given, corpus, resources, saved)
    return _make_language_model(settings, given, corpus, resources, saved, source)


def _make_classifier(
    settings: TrainSettings,
    given: Collection[str],
    corpus: LabelledCorpus,
    resources: Resources,
    saved: Checkpoint | None,
) -> ClassifierTask:
    world = resources.world
    if saved is None:
        peak = world.all_reduce(measure_peak(settings.model.cell, resources.device))  # classifiers learn in fp32
        plan = make_classifier_plan(settings, corpus, peak)
    else:
        plan = restore_plan(ClassifierPlan, settings.learning, given, saved)
    return ClassifierTask(world.broadcast(lambda: plan), corpus, resources)


def _make_language_model(
    settings: TrainSettings,
    given: Collection[str],
    corpus: Corpus | LabelledCorpus,
    resources: Resources,
    saved: Checkpoint | None,
    source: Source | None,
) -> LanguageTask:
    world, device = resources.world, resources.device
    vocabulary = source.vocabulary if source is not None else None
    if saved is not None:  # its vocabulary may come from a model that the run started from
        size = saved.state["plan"]["config"]["vocab_size"]
        vocabulary = vocabulary_from_json(saved.state["vocabulary"], size)
    if isinstance(corpus, Corpus) and vocabulary is not None:
        corpus = merge_vocabulary(corpus, vocabulary)
    if saved is not None:
        plan = restore_plan(LanguagePlan, settings.learning, given, saved)
    else:
        shape, peak = shape_for(device.type, world.size, ON_CPU), 1.0
        if depends_on_speed(settings):
            own = measure_peak(settings.model.cell, device, shape.half_speed, resources.precision)
            peak = world.all_reduce(own)
        plan = make_language_plan(settings, corpus, peak, shape)
    symbols = corpus.vocabulary
    weights = None if source is None else lambda fresh: transfer_weights(fresh, symbols, source)
    return LanguageTask(world.broadcast(lambda: plan), corpus, resources, weights)
