"""`charrnn export` as typed."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from charrnn.model.file import save_model
from tests.conftest import Charrnn
from tests.inference.export.models import make_kind


@pytest.fixture(autouse=True)
def model(tmp_path: Path) -> Path:
    file = tmp_path / "models" / "rhyme.safetensors"
    save_model(file, *make_kind("GRU of two layers"))
    return file


def test_a_page_and_a_graph(charrnn: Charrnn, tmp_path: Path) -> None:
    done = charrnn("export", "-o", "out/page.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("\nout/page.html: 0.1 MB; open it in a browser\n")
    page = (tmp_path / "out" / "page.html").read_text()
    assert "<title>rhyme</title>" in page
    assert '"File dated"' in page
    done = charrnn("export", "-m", "rhyme", "-o", "rhyme.onnx", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    graph = onnx.load(tmp_path / "rhyme.onnx")
    (described,) = graph.metadata_props
    assert json.loads(described.value)["training"] == {"corpus": "rhyme"}


def test_a_file_is_replaced_only_if_asked_for(charrnn: Charrnn, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("mine")
    done = charrnn("export", "-m", "rhyme", "-o", "page.html")
    assert done.returncode == 1
    assert done.stderr == "charrnn: page.html already exists; replace it with --overwrite, or name another file\n"
    assert file.read_text() == "mine"
    assert charrnn("export", "-o", "page.html", "--overwrite").returncode == 0
    assert file.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the file to write: -o page.html for a page, or -o model.onnx for an ONNX graph"),
        (("-o", "page.pdf"), "--output must end in .html or .onnx; found page.pdf"),
        (("-o", "models/rhyme.safetensors"), "--output must end in .html or .onnx; found models/rhyme.safetensors"),
    ],
)
def test_what_is_no_output_is_refused_in_one_line(charrnn: Charrnn, arguments: tuple[str, ...], message: str) -> None:
    done = charrnn("export", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"charrnn: {message}\n")


def test_what_cannot_be_read_or_written_is_refused_in_one_line(charrnn: Charrnn, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    (tmp_path / "folder.html").mkdir()
    for name, output in (("bad.safetensors", "page.html"), ("missing", "page.html"), ("rhyme", "folder.html")):
        done = charrnn("export", "-m", name, "-o", output)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("name", ["page.html", "model.onnx"])
def test_exporting_loads_no_torch(tmp_path: Path, name: str) -> None:
    code = (
        "import sys; from charrnn.cli.app import _run; _run();"
        "assert 'numpy' in sys.modules; assert not {'torch', 'tensorboard'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, "export", "-o", name], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / name).exists()
