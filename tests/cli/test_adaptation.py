"""The option --adapt of `charrnn evaluate` and `charrnn generate`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model

TEXT = "to be, or not to be.\n" * 20
FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture
def charrnn(in_process: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line in a folder with a model and a text."""
    monkeypatch.chdir(tmp_path)
    model = make_model(CharVocabulary.of_text(TEXT))
    save_model(Path("models/m.safetensors"), model.header, model.network.tensors)
    for name in ("labelled", "classifier"):
        shutil.copy(FIXTURES / "models" / f"{name}.safetensors", f"{name}.safetensors")
    shutil.copy(FIXTURES / "corpora" / "kinds.tsv", "kinds.tsv")
    Path("text.txt").write_text(TEXT)
    return in_process


def test_the_figures_of_a_text(charrnn: Any) -> None:
    plain = json.loads(charrnn("evaluate", "-m", "m", "text.txt", "--json")[1])
    status, out, _ = charrnn("evaluate", "-m", "m", "text.txt", "--adapt", "--json")
    figures = json.loads(out)
    assert status == 0
    assert set(figures) - set(plain) == {"adapted_loss", "adapted_bpc", "adapted_perplexity"}
    assert {name: figures[name] for name in ("loss", "bpc", "chars")} == {n: plain[n] for n in ("loss", "bpc", "chars")}
    assert figures["adapted_loss"] < figures["loss"] - 0.1
    rows = charrnn("evaluate", "-m", "m", "text.txt", "--adapt")[1].splitlines()
    assert rows[0] == f"cross-entropy        {figures['loss']:.4f} nats per character"
    assert any(row.startswith(f"adapted              {figures['adapted_loss']:.4f} nats per character") for row in rows)


def test_a_table_of_characters(charrnn: Any) -> None:
    rows = [row.split("\t") for row in charrnn("evaluate", "text.txt", "--adapt", "--per-char")[1].splitlines()]
    assert [row[0].replace("\\n", "\n") for row in rows] == list(TEXT)
    assert rows[0][1] == rows[0][2]
    assert float(rows[-2][2]) != float(rows[-2][1])
    record = json.loads(charrnn("evaluate", "text.txt", "--adapt", "--per-char", "--json")[1].splitlines()[-1])
    assert record == {
        "char": "\n",
        "nats": pytest.approx(float(rows[-1][1]), abs=1e-3),
        "adapted_nats": record["adapted_nats"],
    }


def test_a_table_of_lines(charrnn: Any) -> None:
    status, out, err = charrnn("evaluate", "text.txt", "--adapt", "--per-line")
    rows = [row.split("\t") for row in out.splitlines()]
    assert status == 0
    assert {row[3] for row in rows} == {TEXT.splitlines()[0]}
    assert float(rows[-1][1]) < float(rows[-1][0]) == float(rows[0][0])
    assert "adapted" in err
    record = json.loads(charrnn("evaluate", "text.txt", "--adapt", "--per-line", "--json")[1].splitlines()[-1])
    assert record["adapted_bpc"] == pytest.approx(float(rows[-1][1]), abs=1e-3)


def test_models_of_labelled_texts(charrnn: Any) -> None:
    status, out, _ = charrnn("evaluate", "-m", "labelled.safetensors", "kinds.tsv", "--adapt", "--json")
    figures = json.loads(out)
    assert status == 0
    assert figures["adapted_loss"] < figures["loss"]
    out = charrnn("evaluate", "-m", "labelled.safetensors", "kinds.tsv", "--adapt")[1]
    assert f"adapted              {figures['adapted_loss']:.4f} nats per character" in out
    status, _, err = charrnn("evaluate", "-m", "classifier.safetensors", "kinds.tsv", "--adapt")
    assert (status, err) == (2, "charrnn: --adapt is for language models; classifier.safetensors is a classifier\n")


def test_writing_on_from_a_text_and_keeping_the_model(charrnn: Any) -> None:
    options = ["-l", "40", "--seed", "1"]
    status, plain, _ = charrnn("generate", "-m", "m", *options)
    status, out, err = charrnn("generate", "-m", "m", "--adapt", "text.txt", "-o", "a.safetensors", *options)
    assert status == 0
    assert out != plain
    assert err.startswith(f"adapted to {len(TEXT)} characters of text.txt: ")
    assert err.endswith("adapted model: a.safetensors\n")
    assert charrnn("generate", "-m", "a.safetensors", *options)[1] == out
    assert charrnn("generate", "-m", "m", *options)[1] == plain
    assert "adapted_chars     420" in charrnn("info", "a.safetensors")[1]
    status, _, err = charrnn("generate", "-m", "m", "--adapt", "text.txt", "-o", "a.safetensors", *options)
    assert (status, err) == (
        1,
        "charrnn: a.safetensors already exists; replace it with --overwrite, or name another file\n",
    )
    assert charrnn("generate", "-m", "m", "--adapt", "text.txt", "-o", "a.safetensors", "--overwrite", *options)[0] == 0


def test_nothing_is_saved_unless_asked_for(charrnn: Any) -> None:
    before = sorted(Path().rglob("*"))
    status, out, err = charrnn(
        "generate", "-m", "m", "--adapt", "-", "-l", "5", "--seed", "1", "--quiet", stdin=TEXT.encode()
    )
    assert (status, err) == (0, "")
    assert len(out) >= 5
    assert sorted(Path().rglob("*")) == before


def test_the_prime_is_read_after_the_text(charrnn: Any) -> None:
    out = charrnn("generate", "-m", "m", "--adapt", "text.txt", "-p", "to", "-l", "5", "--seed", "1")[1]
    assert out.startswith("to")


def test_a_label_is_needed_where_there_are_labels(charrnn: Any) -> None:
    labelled = ["generate", "-m", "labelled.safetensors", "--adapt", "text.txt", "-l", "5"]
    status, _, err = charrnn(*labelled)
    assert (status, err) == (2, "charrnn: with a model of labelled texts, --adapt also needs --label\n")
    assert charrnn(*labelled, "--label", "animal")[0] == 0
    assert json.loads(charrnn(*labelled, "--label", "animal", "--json", "--quiet")[1])["label"] == "animal"


def test_what_cannot_be_adapted_to(charrnn: Any) -> None:
    status, _, err = charrnn("generate", "-m", "m", "-o", "a.safetensors")
    assert (status, err) == (
        2,
        "charrnn: -o saves an adapted model; add --adapt FILE with the text to adapt to\n",
    )
    status, _, err = charrnn("generate", "-m", "m", "--adapt", "nowhere")
    assert (status, err) == (1, "charrnn: there is no file or folder nowhere; check the name\n")
    status, _, err = charrnn("generate", "-m", "m", "--adapt", "-", stdin=b"12345")
    assert (status, err) == (1, "charrnn: the text to adapt to contains no character that the model knows\n")
    status, _, err = charrnn("generate", "-m", "m", "--adapt", "text.txt", "-o", "models/m.safetensors", "--overwrite")
    assert (status, err) == (
        1,
        "charrnn: models/m.safetensors is also an input file; name another file to write\n",
    )
    status, _, err = charrnn("generate", "-m", "m", "--adapt", "-", "--prime-file", "-")
    assert (status, err) == (
        2,
        "charrnn: --prime-file and --adapt cannot both read stdin; give one of them a file\n",
    )
