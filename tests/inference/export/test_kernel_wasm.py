import subprocess
from importlib import resources
from pathlib import Path

from tests.needs import wat2wasm

WEB = resources.files("charrnn.inference.export").joinpath("web")


@wat2wasm
def test_the_module_is_its_source_assembled(tmp_path: Path) -> None:
    source = tmp_path / "kernel.wat"
    source.write_bytes(WEB.joinpath("kernel.wat").read_bytes())
    subprocess.run(["wat2wasm", source, "-o", tmp_path / "kernel.wasm"], check=True)
    assert (tmp_path / "kernel.wasm").read_bytes() == WEB.joinpath("kernel.wasm").read_bytes()
