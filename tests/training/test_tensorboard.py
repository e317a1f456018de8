"""The real TensorBoard: events are written by its own writer and read back by its own reader."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.writer import SummaryWriter

from charrnn.errors import is_out_of_memory
from charrnn.text.corpus import Corpus
from charrnn.training.tensorboard import TensorBoard
from tests.training.runs import make_plan, make_session

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory, rhyme: str) -> EventAccumulator:
    from charrnn.text.vocabulary.characters import CharVocabulary

    folder = tmp_path_factory.mktemp("run")
    vocabulary = CharVocabulary.of_text(rhyme)
    ids = vocabulary.encode(rhyme)
    corpus = Corpus("rhyme", vocabulary, ids[:3000], ids[3000:])
    board = TensorBoard(folder / "logs")
    sizes = {"hidden_size": 16, "layers": 2, "embedding_size": 4}
    plan = make_plan(corpus, time="2s", batch_size=4, seq_len=16, **sizes)
    run = make_session(plan, corpus, folder / "m.safetensors", board)
    run.sample_interval, run.write_sample = 0.5, lambda _header, _tensors: f"once upon <b>a</b> time\n\n{'long ' * 30}"
    run.run()
    board.close()
    read = EventAccumulator(str(folder / "logs"), size_guidance={"histograms": 0, "scalars": 0, "tensors": 0})
    read.Reload()
    return read


def test_losses_come_as_nats_bits_and_perplexity(events: EventAccumulator) -> None:
    for part in ("train", "valid"):
        losses = events.Scalars(f"loss/{part}")
        bits = events.Scalars(f"bits_per_character/{part}")
        perplexities = events.Scalars(f"perplexity/{part}")
        assert losses
        for loss, bpc, perplexity in zip(losses, bits, perplexities, strict=True):
            assert loss.step == bpc.step == perplexity.step
            assert bpc.value == pytest.approx(loss.value / math.log(2), rel=1e-5)
            assert perplexity.value == pytest.approx(math.exp(loss.value), rel=1e-5)


def test_rate_norm_and_speed_are_there(events: EventAccumulator) -> None:
    for tag in ("optimizer/learning_rate", "optimizer/gradient_norm", "speed/chars_per_second"):
        assert max(event.value for event in events.Scalars(tag)) > 0, tag


def test_every_weight_and_gradient_has_a_histogram(events: EventAccumulator) -> None:
    names = {"embedding/weights", "decoder/weights", "decoder/bias", "initial_state/hidden", "initial_state/cell"}
    names |= {f"layer_{k}/{kind}_from_{p}" for kind in ("weights", "bias") for p in ("below", "before") for k in (0, 1)}
    expected = {f"{name}{end}" for name in names for end in ("", "_gradient")}
    assert set(events.Tags()["histograms"]) == expected
    assert all(events.Histograms(tag)[0].histogram_value.num > 0 for tag in expected)


def test_the_graph_is_there(events: EventAccumulator) -> None:
    operations = {node.op for node in events.Graph().node}
    assert "aten::lstm" in operations


def test_memory_that_ends_while_the_graph_is_traced_is_known_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        reason = "DefaultCPUAllocator: can't allocate memory"
        raise torch.jit.TracingCheckError(None, None, reason)  # type: ignore[attr-defined, no-untyped-call]

    monkeypatch.setattr(SummaryWriter, "add_graph", fail)
    with pytest.raises(RuntimeError) as caught:
        TensorBoard(tmp_path).on_start(SimpleNamespace(metrics=(), trace_inputs=tuple), "cpu")  # type: ignore[arg-type]
    assert is_out_of_memory(caught.value)


def test_samples_are_text_and_no_markup(events: EventAccumulator) -> None:
    (text,) = {t.string_val[0] for e in events.Tensors("sample/text_summary") for t in [e.tensor_proto]}
    first, empty, *long = text.decode().split("\n")
    assert (first, empty) == ("    once upon <b>a</b> time", "    ")
    assert [line[:4] for line in long] == ["    ", "    "]
    assert " ".join(line.strip() for line in long).split() == ["long"] * 30


def test_learned_and_held_out_text_share_a_chart(events: EventAccumulator) -> None:
    layout = layout_pb2.Layout.FromString(events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    assert charts["loss"] == ["loss/train", "loss/valid"]
    assert set(charts) == {"loss", "bits_per_character", "perplexity"}


def test_settings_are_hyperparameters_with_the_final_figures(events: EventAccumulator) -> None:
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    found = HParamsPluginData.FromString(content).session_start_info.hparams
    assert sorted(found)[:5] == [
        f"network/{name}" for name in ("cell", "dropout", "embedding_size", "hidden_size", "layers")
    ]
    assert (found["network/cell"].string_value, found["network/hidden_size"].number_value) == ("lstm", 16)
    assert found["training/seconds"].number_value == 2
    assert "training/steps" not in found
    assert {"_hparams_/experiment", "_hparams_/session_end_info"} <= set(events.summary_metadata)
    assert events.Scalars("final/valid_loss")[0].value > 0
