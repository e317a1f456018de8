"""Making the task that the settings ask for, from a plan that is new or that of a saved run."""

from collections.abc import Collection

from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.text.vocabulary import vocabulary_from_json
from charrnn.training.checkpoint.files import Checkpoint
from charrnn.training.checkpoint.resume import restore_plan
from charrnn.training.recipe.classifier import ClassifierPlan, make_classifier_plan
from charrnn.training.recipe.language import LanguagePlan, depends_on_throughput, make_language_plan
from charrnn.training.recipe.plan import choose_batch_shape
from charrnn.training.recipe.throughput import Throughput, measure_throughput
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
    """The task of a run, with its network: a new one, that of a `saved` state, or one with the weights of `source`.

    `given` are the names of the settings that the user gave.

    Raises:
        UsageError: if the batches are too small for the number of processes.
    """
    world = resources.world
    if settings.text.task == "classify":
        assert isinstance(corpus, LabelledCorpus)  # noqa: S101 - read as such
        if saved is None:
            classifier_plan = _plan_classifier(settings, corpus, resources)
        else:
            classifier_plan = restore_plan(ClassifierPlan, settings.learning, given, saved)
        return ClassifierTask(world.broadcast(lambda: classifier_plan), corpus, resources)
    vocabulary = source.vocabulary if source is not None else None
    if saved is not None:  # its vocabulary may come from a model that the run started from
        size = saved.state["plan"]["config"]["vocab_size"]
        vocabulary = vocabulary_from_json(saved.state["vocabulary"], size)
    if isinstance(corpus, Corpus) and vocabulary is not None:
        corpus = merge_vocabulary(corpus, vocabulary)
    if saved is None:
        plan = _plan_language_model(settings, corpus, resources)
    else:
        plan = restore_plan(LanguagePlan, settings.learning, given, saved)
    symbols = corpus.vocabulary
    weights = None if source is None else lambda fresh: transfer_weights(fresh, symbols, source)
    return LanguageTask(world.broadcast(lambda: plan), corpus, resources, weights)


def _plan_classifier(settings: TrainSettings, corpus: LabelledCorpus, resources: Resources) -> ClassifierPlan:
    throughput = measure_throughput(  # classifiers learn in fp32
        settings.model.cell, resources.device, resources.world, uses_kernel=resources.kernel != "torch"
    )
    return make_classifier_plan(settings, corpus, throughput)


def _plan_language_model(
    settings: TrainSettings, corpus: Corpus | LabelledCorpus, resources: Resources
) -> LanguagePlan:
    world, device = resources.world, resources.device
    throughput = Throughput(1.0)
    if depends_on_throughput(settings):
        uses_kernel = resources.kernel != "torch"
        throughput = measure_throughput(
            settings.model.cell, device, world, resources.precision, uses_kernel=uses_kernel
        )
    return make_language_plan(settings, corpus, throughput, choose_batch_shape(device.type, world.size))
