import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import charrnn as library
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from tests.cli.notes import newest
from tests.conftest import Charrnn
from tests.models import make_model
from tests.needs import open_pty

LETTERS = CharVocabulary.of_text("ROMEO: abcdefghij\né漢")


@pytest.fixture
def model(tmp_path: Path) -> library.Model:
    """A model in models/ of the folder that commands run in."""
    made = make_model(LETTERS)
    save_model(tmp_path / "models" / "m.safetensors", made.header, made.network.tensors)
    return made


def raw(folder: Path, *arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "charrnn", "generate", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=folder, check=False, timeout=60)


def test_the_prime_and_what_follows(charrnn: Charrnn, model: library.Model) -> None:
    text = model.generate("ROMEO:", length=50, seed=3)
    done = charrnn("generate", "-p", "ROMEO:", "-l", 50, "--seed", 3)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ROMEO:{text}\n", newest("m"))
    assert charrnn("generate", "-p", "ROMEO:", "-l", 50, "--seed", 3, "--no-echo").stdout == f"{text}\n"


def test_a_chosen_seed_is_told_and_gives_the_text_again(charrnn: Charrnn, model: library.Model) -> None:
    done = charrnn("generate", "-l", 60)
    note, line = done.stderr.splitlines(keepends=True)
    assert note == newest("m")
    word, seed = line.split()
    assert word == "seed"
    assert charrnn("generate", "-l", 60, "--seed", seed).stdout == done.stdout
    assert charrnn("generate", "-l", 5, "--quiet").stderr == ""


def test_primes_from_option_file_and_stdin_are_one(charrnn: Charrnn, model: library.Model, tmp_path: Path) -> None:
    (tmp_path / "prime.txt").write_text("é漢 abc\n", encoding="utf-8")
    options = ["-l", 30, "--seed", 1]
    by_option = charrnn("generate", "-p", "é漢 abc\n", *options).stdout
    assert charrnn("generate", "--prime-file", "prime.txt", *options).stdout == by_option
    assert charrnn("generate", "--prime-file", "-", *options, stdin="é漢 abc\n").stdout == by_option


def test_samples_in_a_pipe_are_lines_and_depend_on_their_seed_only(charrnn: Charrnn, model: library.Model) -> None:
    options = ["-l", 40, "--stop", "\n", "--seed", 7]
    lines = charrnn("generate", "-n", 20, *options).stdout.split("\n")
    assert lines[-1] == ""
    assert lines[:-1] == [model.generate(length=40, seed=7 + k, stop=["\n"]) for k in range(20)]


def test_json_describes_each_sample(charrnn: Charrnn, model: library.Model) -> None:
    done = charrnn("generate", "-p", "abc", "-l", 40, "-n", 3, "--seed", 7, "--json", "--stop", "é漢", "--stop", "a")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["seed"] for each in found] == [7, 8, 9]
    for each in found:
        assert each["text"] == model.generate("abc", length=40, seed=each["seed"], stop=["é漢", "a"])
        assert (each["prime"], each["chars"]) == ("abc", len(each["text"]))
        assert each["finish"] == ("length" if each["chars"] == 40 else "stop")
        assert each["loss"] is None if not each["text"] else each["loss"] > 0


def test_bytes_go_out_as_they_are(tmp_path: Path) -> None:
    made = make_model(ByteVocabulary.of_text(bytes(range(0, 256, 5))))
    save_model(tmp_path / "models" / "b.safetensors", made.header, made.network.tensors)
    done = raw(tmp_path, "--prime-file", "-", "-l", 300, "--seed", 1, "-t", 3, stdin=b"\xff\x00")
    assert done.returncode == 0
    assert len(done.stdout) == 302
    assert done.stdout.startswith(b"\xff\x00")
    assert not set(done.stdout) - set(range(0, 256, 5))


def test_a_reader_that_leaves_ends_it_quietly(model: library.Model, tmp_path: Path) -> None:
    for samples in ("1", "20"):
        command = [sys.executable, "-m", "charrnn", "generate", "-l", "1000000000", "--seed", "1", "-n", samples]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stderr
            assert len(process.stdout.read(100)) == 100
            process.stdout.close()
            assert process.wait(timeout=60) == 0
            assert process.stderr.read().decode() == newest("m")


def test_a_terminal_gets_rules_between_samples(model: library.Model, tmp_path: Path) -> None:
    ours, theirs = open_pty()
    command = [sys.executable, "-m", "charrnn", "generate", "-l", "20", "--seed", "1", "-n", "2"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=subprocess.PIPE, env=environment) as process:
        assert process.wait(timeout=60) == 0
    os.close(theirs)
    shown = os.read(ours, 10_000).decode().replace("\r\n", "\n")
    os.close(ours)
    rules = ["\x1b[2m" + f"\u2500\u2500 sample {k} of 2 ".ljust(80, "\u2500") + "\n\x1b[0m" for k in (1, 2)]
    first, second = model.generate(length=20, seed=1), model.generate(length=20, seed=2)
    rules[1] = rules[1].replace("\x1b[2m", "\x1b[2m\n")
    assert shown == f"{rules[0]}{first.removesuffix(chr(10))}\n{rules[1]}{second.removesuffix(chr(10))}\n"


def test_a_terminal_tells_the_prime_from_the_text(model: library.Model, tmp_path: Path) -> None:
    ours, theirs = open_pty()
    command = [sys.executable, "-m", "charrnn", "generate", "-l", "20", "--seed", "1", "-p", "abc"]
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}  # bold is no colour
    subprocess.run(command, cwd=tmp_path, stdout=theirs, stderr=subprocess.PIPE, check=True, env=environment)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode().replace("\r\n", "\n")
    os.close(ours)
    assert shown.startswith("\x1b[1mabc\x1b[0m" + model.generate("abc", length=20, seed=1)[:10])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-p", "aXbYX"], 1, "the model has never seen 'X' (U+0058), 'Y' (U+0059); change the prime"),
        (["-p", "a", "--prime-file", "-"], 2, "--prime and --prime-file cannot be combined"),
        (["--stop", ""], 2, "--stop must not be empty"),
        (["--prime-file", "none.txt"], 1, "the prime cannot be read from none.txt: No such file or directory"),
        (["-t", "-1", "--top-p", "0"], 2, "--top-p must be above 0 and at most 1; found 0.0"),
        (["-m", "mm"], 1, "there is no model mm; did you mean models/m.safetensors?"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    charrnn: Charrnn, model: library.Model, arguments: list[str], status: int, message: str
) -> None:
    done = charrnn("generate", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_characters_can_be_left_out(charrnn: Charrnn, model: library.Model) -> None:
    done = charrnn("generate", "-p", "aXb", "--unknown", "skip", "-l", 20, "--seed", 1, "--no-echo")
    assert done.stdout == model.generate("ab", length=20, seed=1) + "\n"


def test_no_length_is_the_prime_alone(charrnn: Charrnn, model: library.Model) -> None:
    assert charrnn("generate", "-p", "abc", "-l", 0, "--seed", 1).stdout == "abc\n"


def test_a_prime_file_is_read_as_a_corpus_is(charrnn: Charrnn, model: library.Model, tmp_path: Path) -> None:
    (tmp_path / "prime.txt").write_bytes(b"\xef\xbb\xbfab\r\nc")
    done = charrnn("generate", "--prime-file", "prime.txt", "-l", 20, "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ab\nc" + model.generate("ab\nc", length=20, seed=1)[:10])


@pytest.mark.parametrize("arguments", [["-p", "\udcff"], ["--prime-file", "-"]])
def test_a_prime_that_is_no_text_is_one_line(tmp_path: Path, model: library.Model, arguments: list[str]) -> None:
    done = raw(tmp_path, *arguments, stdin=b"\xff")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"charrnn: ") == 1
    assert b"Traceback" not in done.stderr


def test_json_of_bytes_holds_no_halves_of_characters(charrnn: Charrnn, tmp_path: Path) -> None:
    made = make_model(ByteVocabulary.of_text(bytes(range(0, 256, 5))))
    save_model(tmp_path / "models" / "b.safetensors", made.header, made.network.tensors)
    done = charrnn("generate", "-l", 100, "--seed", 1, "-t", 3, "--json")
    json.loads(done.stdout)["text"].encode("utf-8")


def test_a_text_without_prime_gets_a_hint(charrnn: Charrnn, model: library.Model) -> None:
    done = charrnn("generate", "ROMEO:")
    assert done.returncode == 2
    assert "Use --prime for the text to continue: " in done.stderr


def test_line_ends_and_tabs_may_be_typed_in_a_stop(charrnn: Charrnn, model: library.Model) -> None:
    options = ["generate", "-l", 60, "--seed", 7, "-n", 5]
    wanted = charrnn(*options, "--stop", "\n").stdout
    assert charrnn(*options, "--stop", r"\n").stdout == charrnn(*options, "--lines").stdout == wanted
    assert wanted.splitlines() == [model.generate(length=60, seed=7 + k, stop=["\n"]) for k in range(5)]
    both = charrnn(*options, "--lines", "--stop", "a").stdout.splitlines()
    assert both == [model.generate(length=60, seed=7 + k, stop=["\n", "a"]) for k in range(5)]


def test_every_sample_matches_the_expression(charrnn: Charrnn, model: library.Model) -> None:
    pattern = r"[ROME]{2,9}: [a-j]{3,}\n?"
    options = ["generate", "--match", pattern, "-l", 30, "--seed", 7, "-n", 12, "--no-echo", "-p", "abc", "--json"]
    found = [json.loads(line) for line in charrnn(*options).stdout.splitlines()]
    assert len(found) == 12
    for sample in found:
        assert re.fullmatch(pattern, sample["text"])
        assert sample["text"] == model.generate("abc", match=pattern, length=30, seed=sample["seed"])
        assert sample["finish"] == ("length" if len(sample["text"]) == 30 else "match")
        assert sample["loss"] > 0


def test_every_sample_of_a_labelled_model_matches(charrnn: Charrnn, tmp_path: Path) -> None:
    fixture = Path(__file__).parents[2] / "fixtures" / "models" / "labelled.safetensors"
    options = ["generate", "-m", fixture, "--seed", 1, "-n", 20, "-l", 40, "--json", "-t", 2]
    found = [json.loads(line) for line in charrnn(*options, "--match", "[a-z]{3} [a-z ]*s").stdout.splitlines()]
    assert len(found) == 20
    assert all(re.fullmatch("[a-z]{3} [a-z ]*s", sample["text"]) for sample in found)
    assert len({sample["label"] for sample in found}) > 1


def test_the_best_of_several_is_that_with_the_lowest_loss(charrnn: Charrnn, model: library.Model) -> None:
    options = ["generate", "-l", 25, "--seed", 7, "--lines"]
    every = [json.loads(line) for line in charrnn(*options, "-n", 12, "--json").stdout.splitlines()]
    best = [json.loads(line) for line in charrnn(*options, "-n", 3, "--best", 4, "--json").stdout.splitlines()]
    for number, sample in enumerate(best):
        candidates = every[4 * number : 4 * number + 4]
        assert sample.pop("losses") == [each["loss"] for each in candidates]
        assert sample == min(candidates, key=lambda each: each["loss"] or 1e9)
        assert sample["text"] == model.generate(length=25, seed=7 + 4 * number, best=4, stop=["\n"])
    shown = charrnn(*options, "-n", 3, "--best", 4).stdout
    assert shown == "".join(sample["text"] + "\n" for sample in best)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--match", "([a-z"], "'([a-z' is not a regular expression: unterminated character set"),
        (["--match", "é+XY"], "no text that the model can generate matches 'é+XY'; it has never seen 'X', 'Y'"),
        (["--match", r"(a)\1"], "contains a back-reference, which is not supported"),
        (["--match", "a{20}", "-l", "10"], "has 20 characters, more than --length 10"),
        (["-n", "50000", "--best", "100"], "--samples times --best must be at most 1,000,000"),
        (["--best", "0"], "--best must be at least 1"),
    ],
)
def test_expressions_that_cannot_be_followed_are_refused(
    charrnn: Charrnn, model: library.Model, arguments: list[str], message: str
) -> None:
    done = charrnn("generate", "--quiet", *arguments)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr
