"""Thousands of damaged and doctored model files: each is refused with an error of ours, or is a valid model.

Valid ones generate, score, inspect, classify and print without any other error, and what they print is text or JSON.
The child process that opens them may not take more than 200 MB, nor longer than the time it is given.
"""

import contextlib
import copy
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.needs import import_resource, posix

FILES = 4000
MEMORY = 200 * 2**20  # bytes
SECONDS = 300
TEXT = 'a\tthe cat (ab) "\u2603" \U0001f408\tcd\nb\t// dé\n' * 9
HUGE: list[Any] = [
    *(0, -1, 1, 2, 7, 65, 2**16, 2**18, 2**20, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30),
    *(10**400, 1e308, 1e400, 0.5, -0.0, True, False, None, "", "lstm", "half", "a" * 1000, "\x1b[2J", "\ud800"),
    *([], {}, [1], [[]] * 50, {"a": {"b": {}}}, [0, 0], [2**40, 2**40], [-1, 4]),
]


def build(cell: str, embedding_size: int, tokens: str, precision: str = "single") -> bytes:
    """A small valid model file; that of words has labels, and embeddings of 5 make a classifier."""
    from charrnn.model.config import ClassifierConfig, LabelledConfig, ModelConfig
    from charrnn.model.file import save_model
    from charrnn.model.header import ModelHeader
    from charrnn.text.vocabulary.base import Vocabulary
    from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
    from charrnn.text.vocabulary.words import WordVocabulary

    labels: dict[str, Any] = {}
    if embedding_size == 5:
        vocabulary: Vocabulary = CharVocabulary.of_text("\n abcdé☃🐈").with_marks()
        config: ModelConfig = ClassifierConfig(cell, 2, 6, embedding_size, len(vocabulary), 2, True, "all")
        labels = {"labels": ("a", "b"), "label_counts": (3, 4), "task": "classify"}
    elif tokens == "word":
        vocabulary = WordVocabulary(["the", " cat", "\n"]).with_marks()
        config = LabelledConfig(cell, 2, 6, embedding_size, len(vocabulary), 2)
        labels = {"labels": ("a", "b"), "label_counts": (3, 4)}
    else:
        vocabulary = (
            ByteVocabulary.of_text(bytes(range(5, 14))) if tokens == "byte" else CharVocabulary.of_text("\n abcdé☃🐈")
        )
        config = ModelConfig(cell, 2, 6, embedding_size, len(vocabulary))
    generator = np.random.default_rng(1)
    tensors = {name: generator.normal(size=shape).astype(np.float32) for name, shape in config.shapes().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        header = ModelHeader(config, vocabulary.to_json(), {"corpus": "x", "steps": 3}, precision=precision, **labels)
        save_model(path, header, tensors)
        return path.read_bytes()


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A file's header, and the weights behind it."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: Any, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) within a JSON value."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def doctor(value: Any, draw: random.Random) -> None:
    """Replace, remove, rename or exchange something in a JSON value."""
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        found = places(value)
        if not found:
            return
        container, key = draw.choice(found)
        action = draw.randrange(5)
        if action == 0:
            del container[key]
        elif action == 1 and isinstance(container, dict):
            container[draw.choice(("x", "format", "shape", "rnn.weight_hh_l7", key + "x"))] = container.pop(key)
        elif action == 2:
            other, name = draw.choice(found)
            container[key] = copy.deepcopy(other[name])
        else:
            container[key] = copy.deepcopy(draw.choice(HUGE))


def flip_bits(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    reach = draw.choice((16, 600, len(data)))  # most of what matters comes first
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        changed[draw.randrange(min(reach, len(data)))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    return data[: draw.choice((draw.randrange(20), draw.randrange(len(data)), len(data) - 1))]


def insert(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    at = draw.choice((0, 8, draw.randrange(len(data)), len(data)))
    return data[:at] + draw.randbytes(draw.choice((1, 4, 1000))) + data[at:]


def change_length(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    """Another header length than the header's."""
    length = draw.choice((0, 1, 2, len(data) - 8, 2**20, 4 * 2**20, 2**32, 2**62, 2**64 - 1, draw.randrange(2**16)))
    return struct.pack("<Q", length) + data[8:]


def change_header(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    """Other names, types, shapes or offsets."""
    header, body = header_of(data)
    doctor(header, draw)
    return join(header, body)


def change_description(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    """Another description: configuration, vocabulary, training."""
    header, body = header_of(data)
    found = json.loads(header["__metadata__"]["charrnn"])
    doctor(found, draw)
    text = json.dumps(found)
    if draw.random() < 0.1:
        text = draw.choice((text[: draw.randrange(len(text))], "[" * 100_000, "1" * 10_000, '{"format": 1' * 9, "NaN"))
    header["__metadata__"]["charrnn"] = text
    return join(header, body)


def swap(data: bytes, other: bytes, draw: random.Random) -> bytes:
    """One model's header or description over another's weights."""
    header, body = header_of(data)
    foreign, weights = header_of(other)
    if draw.random() < 0.5:
        header["__metadata__"] = foreign["__metadata__"]
        return join(header, body)
    return join(foreign, draw.choice((body, weights + body, weights)))


def poison(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    """Weights that are no numbers."""
    header, body = header_of(data)
    half = header["decoder.bias"]["dtype"] == "F16"
    width, dtype = (2, "<e") if half else (4, "<f")
    at = width * draw.randrange(len(body) // width)
    odd = (float("nan"), float("inf"), -float("inf"), 6e4 if half else 3e38, 6e-8 if half else 1e-45)
    return join(header, body[:at] + struct.pack(dtype, draw.choice(odd)) + body[at + width :])


def large(data: bytes, _other: bytes, draw: random.Random) -> bytes:
    """A header of megabytes, all of it nesting, numbers, names or characters."""
    header, body = header_of(data)
    found = json.loads(header["__metadata__"]["charrnn"])
    count = draw.choice((10_000, 100_000, 250_000))
    kind = draw.randrange(4)
    if kind == 0:
        found["training"] = {"x": [[]] * count}
    elif kind == 1:
        found["vocabulary"]["symbols"] = "".join(map(chr, range(32, 32 + count)))
    elif kind == 2:
        found["config"] = {str(k): k for k in range(count)}
    else:
        header.update({f"t{k}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for k in range(count // 10)})
    header["__metadata__"]["charrnn"] = json.dumps(found)
    return join(header, body)


Mutation = Callable[[bytes, bytes, random.Random], bytes]
MUTATIONS: list[tuple[Mutation, int]] = [
    *((flip_bits, 6), (cut, 2), (insert, 2), (change_length, 1)),
    *((change_header, 6), (change_description, 6), (swap, 1), (poison, 2)),
]


def commands(model: str, text: str, page: str, *, as_json: bool) -> list[Callable[[], None]]:
    """Everything that can be done with a model of any kind."""
    from charrnn.cli.commands import classify, evaluate, generate, info, inspect
    from charrnn.inference import settings
    from charrnn.inference.scoring.settings import DetailSettings, DynamicSettings
    from charrnn.inference.settings import ClassifySettings, PageSettings, PlotSettings, SpanSettings, UnitSettings
    from charrnn.text.settings import ColumnSettings, ReadingSettings

    output = settings.OutputSettings(json=as_json, quiet=True)
    common: dict[str, Any] = {
        "reading": ReadingSettings(),
        "use": settings.UseSettings(model=model),
        "output": output,
    }
    score = partial(
        evaluate.evaluate,
        [text],
        columns=ColumnSettings(),
        plot=PlotSettings(),
        dynamic=DynamicSettings(),
        **common,
    )
    look = partial(inspect.inspect, [text], span=SpanSettings(length=300), **common)
    return [
        partial(info.info, model, output=output),
        partial(
            generate.generate,
            text=settings.PrimeSettings(length=4, samples=2),
            sampling=settings.SamplingSettings(seed=1),
            adaptation=settings.AdaptSettings(),
            use=settings.GenerationSettings(model=model),
            output=output,
        ),
        partial(score, detail=DetailSettings()),
        partial(score, detail=DetailSettings(per_line=True)),
        partial(score, detail=DetailSettings(per_char=True)),
        partial(look, units=UnitSettings(unit=0, unknown="skip"), page=PageSettings()),
        partial(look, units=UnitSettings(unknown="skip"), page=PageSettings(html=page, overwrite=True)),
        partial(classify.classify, [text], table=ClassifySettings(all=True), **common),
    ]


def use(model: Path, text: Path, page: Path) -> int:
    """Do everything with a valid model, and check what is printed; returns how many commands succeeded."""
    from charrnn.errors import CharrnnError

    done = 0
    for as_json in (False, True):
        for command in commands(str(model), str(text), str(page), as_json=as_json):
            with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")) as out:
                try:
                    command()
                except CharrnnError as error:
                    check_message(error)
                    continue
                out.flush()
            printed = out.buffer.getvalue().decode("utf-8", "strict" if as_json else "surrogateescape")
            for line in printed.splitlines() if as_json else []:
                json.loads(line, parse_constant=refuse_constant)
            done += 1
    return done


def check_message(error: Exception) -> None:
    """Errors are short, and of printable lines."""
    assert len(str(error)) < 1500, error
    assert all(line.isprintable() for line in str(error).splitlines()), error


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def end(path: Path) -> str:
    """How opening a file ends: "valid", or the error's name."""
    import charrnn
    from charrnn.errors import CharrnnError

    try:
        charrnn.load(path)
    except CharrnnError as refused:
        error = refused
    else:
        return "valid"
    check_message(error)
    return type(error).__name__


def fuzz(seed: int, files: int) -> None:
    """Open `files` mutated models; print how many ended how."""
    from charrnn.inference.loading import load_language_model

    warnings.simplefilter("ignore")  # weights of 1e38 overflow, and may
    models = [build("lstm", 3, "char"), build("gru", 0, "char"), build("rnn", 2, "byte"), build("gru", 2, "word")]
    models += [build("lstm", 3, "char", "half"), build("gru", 2, "char", "half"), build("lstm", 5, "char")]
    kinds, shares = [kind for kind, _ in MUTATIONS], [share for _, share in MUTATIONS]
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(models[0])
        load_language_model(path).generate(length=2)
        resource = import_resource()
        begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        text = Path(folder) / "text"
        text.write_text(TEXT, encoding="utf-8")
        use(path, text, Path(folder) / "page.html")
        ends: Counter[str] = Counter()
        uses = 0
        for number in range(files):
            mutation = draw.choices(kinds, shares)[0] if number % 100 else large
            data, other = draw.sample(models, 2)
            path.write_bytes(mutation(data, other, draw))
            try:
                ends[ending := end(path)] += 1
                if ending == "valid" and number % 100:
                    uses += use(path, text, Path(folder) / "page.html")
            except Exception as error:
                raise AssertionError(f"file {number}, by {mutation.__name__}") from error
        grown_by = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin) * 1024
    print(json.dumps({"ends": ends, "uses": uses, "memory": grown_by}))  # noqa: T201


@posix
def test_mutated_model_files_are_refused_or_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.test_fuzz", "1", str(FILES)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["ends"].keys() == {"ModelFileError", "valid"}
    assert sum(found["ends"].values()) == FILES
    assert found["ends"]["valid"] > FILES / 100  # bits of weights that stay numbers, spaces, other training
    assert found["ends"]["ModelFileError"] > FILES / 2
    assert found["uses"] > 8 * found["ends"]["valid"]
    assert found["memory"] < MEMORY


if __name__ == "__main__":
    fuzz(int(sys.argv[1]), int(sys.argv[2]))
