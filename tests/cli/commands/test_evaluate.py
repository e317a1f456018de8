"""`charrnn evaluate`: figures, and tables by line and by character."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.model.config import ModelConfig
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from tests.cli.notes import without_note

SYMBOLS = "\n\\abcdé"


@pytest.fixture
def charrnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: Any) -> Any:
    """Runs a command in a folder with a small model `m`; gives its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHARRNN_TRACEBACK", raising=False)
    write_model("m", {"tokens": "char", "symbols": SYMBOLS})

    return without_note(in_process, "m")


def write_model(name: str, vocabulary: dict[str, Any]) -> None:
    config = ModelConfig("gru", 1, 6, 3, len(vocabulary["symbols"]))
    generator = np.random.default_rng(5)
    drawn = {name: generator.normal(0, 0.5, shape).astype(np.float32) for name, shape in config.shapes().items()}
    save_model(Path("models", f"{name}.safetensors"), ModelHeader(config, vocabulary), drawn)


def test_files_folders_and_stdin_are_one_text(charrnn: Any) -> None:
    Path("a").write_text("abcd\n")
    Path("b").mkdir()
    Path("b/c").write_text("dcbaéx\n")
    status, out, _ = charrnn("evaluate", "a", "b", "--json")
    assert status == 0
    by_files = json.loads(out)
    by_pipe = json.loads(charrnn("evaluate", "-", "--json", stdin="abcd\ndcbaéx\n".encode())[1])
    assert by_files["chars"] == 11
    assert by_files["unknown"] == 1
    assert by_files["loss"] == by_pipe["loss"]
    figures = {"model", "chars", "unknown", "loss", "bpc", "perplexity", "seconds", "chars_per_second"}
    assert set(by_files) == figures | {"unknown_share", "charged_loss"}
    assert "unknown characters   1" in charrnn("evaluate", "a", "b")[1]


def test_unknown_characters_are_charged_beside_the_loss(charrnn: Any) -> None:
    figures = json.loads(charrnn("evaluate", "-", "--json", stdin=b"abxy")[1])
    assert figures["unknown_share"] == 0.5
    assert figures["charged_loss"] == pytest.approx((figures["loss"] + math.log(len(SYMBOLS))) / 2)
    rows = charrnn("evaluate", "-", stdin=b"abxy")[1].splitlines()
    assert "unknown characters   2 in 50.00% of all characters" in rows
    charged = f"charged loss         {figures['charged_loss']:.4f} nats per character"
    assert f"{charged}, with 1.9459 for each unknown character: ln 7" in rows
    assert "charged" not in charrnn("evaluate", "-", stdin=b"ab")[1]


def test_a_table_of_lines(charrnn: Any) -> None:
    text = "abcd\na\tb\n\nxyz\ndé"
    status, out, err = charrnn("evaluate", "-", "--per-line", stdin=text.encode())
    assert status == 0
    rows = [line.split("\t", 2) for line in out.splitlines()]
    assert [(row[1], row[2]) for row in rows] == [("5", "abcd"), ("3", "a\tb"), ("1", ""), ("1", "xyz"), ("2", "dé")]
    assert "unknown characters   4" in err
    alone = json.loads(charrnn("evaluate", "-", "--json", stdin=b"abcd\n")[1])
    assert float(rows[0][0]) == pytest.approx(alone["bpc"], abs=1e-4)
    objects = [
        json.loads(line)
        for line in charrnn("evaluate", "-", "--per-line", "--json", stdin=text.encode())[1].splitlines()
    ]
    assert objects[0] == {"bpc": pytest.approx(alone["bpc"]), "chars": 5, "unknown": 0, "line": "abcd"}


def test_a_line_of_strangers_has_no_figure(charrnn: Any) -> None:
    status, out, _ = charrnn("evaluate", "-", "--per-line", stdin=b"ab\nxyz")
    assert status == 0
    assert out.splitlines()[1] == "nan\t0\txyz"


def test_a_table_of_characters(charrnn: Any) -> None:
    status, out, err = charrnn("evaluate", "-", "--per-char", stdin="ab\\é\nx\u200b".encode())
    assert status == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["a", "b", "\\\\", "é", "\\n", "x", "\\u200b"]
    assert [row[1] == "nan" for row in rows] == [False] * 5 + [True] * 2
    figures = json.loads(charrnn("evaluate", "-", "--json", stdin="ab\\é\nx\u200b".encode())[1])
    assert np.mean([float(row[1]) for row in rows[:5]]) == pytest.approx(figures["loss"], abs=1e-3)
    assert f"{figures['loss']:.4f} nats per character" in err
    assert charrnn("evaluate", "-", "--per-char", "--quiet", stdin=b"a")[2] == ""


def test_bytes(charrnn: Any) -> None:
    write_model("bytes", {"tokens": "byte", "symbols": "ab\xff"})
    out = charrnn("evaluate", "-", "-m", "bytes", "--per-char", stdin=b"a\xff\r\x00")[1]
    assert [line.split("\t")[0] for line in out.splitlines()] == ["a", "\\xff", "\\r", "\\x00"]


def test_encodings_and_line_ends(charrnn: Any) -> None:
    latin = "abé\r\n".encode("latin-1")
    status, _, err = charrnn("evaluate", "-", stdin=latin)
    assert status == 1
    assert "byte 0xe9 at offset 2" in err
    status, out, err = charrnn("evaluate", "-", "--encoding", "latin-1", "--json", stdin=latin)
    assert json.loads(out)["chars"] == 4
    assert err == "1 line end CRLF or CR was read as LF; --keep-newlines keeps them\n"
    kept = charrnn("evaluate", "-", "--encoding", "latin-1", "--keep-newlines", "--json", stdin=latin)[1]
    assert json.loads(kept)["unknown"] == 1


def test_what_cannot_be_evaluated(charrnn: Any) -> None:
    status, _, err = charrnn("evaluate", "-", stdin=b"")
    assert (status, err) == (1, "charrnn: - contains no character that the model knows: nothing to evaluate\n")
    status, _, err = charrnn("evaluate", "nowhere")
    assert (status, err) == (1, "charrnn: there is no file or folder nowhere; check the name\n")
    status, _, err = charrnn("evaluate", "models/m.safetensors")
    assert status == 1
    assert "is a model file (safetensors), not a text" in err
    status, _, err = charrnn("evaluate", "-", "--per-line", "--per-char")
    assert (status, err) == (2, "charrnn: --per-line and --per-char cannot be combined; give one of them\n")


def test_compressors_and_ngrams_beside_the_model(charrnn: Any) -> None:
    Path("text").write_text("abcdabcdabcdabcd\n" * 20)
    figures = json.loads(charrnn("evaluate", "text", "--compare", "--json")[1])
    assert 0 < figures["ngram_bpc"] < figures["gzip_bpc"] < figures["xz_bpc"]
    assert figures["compared_chars"] == 340
    after = json.loads(charrnn("evaluate", "text", "--compare-after", "text", "--json")[1])
    assert after["ngram_bpc"] < figures["ngram_bpc"]
    assert after["loss"] == figures["loss"]
    rows = charrnn("evaluate", "text", "--compare")[1].splitlines()
    assert f"gzip                 {figures['gzip_bpc']:.4f} bits per character" in rows
    assert any(row.startswith(f"{figures['ngram_order']}-gram model") for row in rows)
    status, _, err = charrnn("evaluate", "text", "--compare-after", "missing")
    assert status == 1
    assert "missing" in err
