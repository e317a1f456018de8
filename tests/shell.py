"""A small shell for the commands in the documentation: pipelines, `&&` and `>`, with charrnn in the test's process.

What is replaced, all of it: training is shortened by options that the shell adds, a few steps of a tiny network; texts
that are fetched are small ones made here; programs that never end, or need a person or a network, have stand-ins, and
so have those that are not installed; of scripts, which take minutes, only the command line is parsed; a few lines of
notes precede those of an untrained model, which writes none.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from charrnn.corpora import fasta, plain, shakespeare, tunes
from scripts import benchmark, experiments, pictures, versions, wheel

SHORT = ["--hidden-size", "16", "--batch-size", "4", "--seq-len", "16"]
ALWAYS = {"tensorboard": ["true"], "torchrun": ["true"], "fzf": ["head", "-n", "3"]}
IF_MISSING = {"jq": ["cat"]}
PARSERS = {
    "benchmark.py": benchmark.parse_arguments,
    "experiments.py": experiments.parse_arguments,
    "pictures.py": pictures.parse_arguments,
    "versions.py": versions.parse_arguments,
    "wheel.py": wheel.parse_arguments,
}
TUNES = "".join(f"X:{number}\nT:Jig\nM:2/4\nK:G\nGABc|d2c2|\n\n" for number in range(150))
SEQUENCES = "".join(f">record {number}\n{'ACGTTGCA' * 9}\n" for number in range(40))
NOTES = "0 C4:24 E4:24 mf\n"  # what an untrained model of notes does not write

Run = Callable[..., tuple[int, str, str]]


class Shell:
    """Runs lines in the working folder; `in_process` is the fixture of that name."""

    def __init__(self, in_process: Run, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        self._in_process = in_process
        self._again = False
        monkeypatch.setattr(shakespeare, "read_plays", lambda _archive: [text])
        monkeypatch.setattr(shakespeare, "read_tiny_shakespeare", lambda _file: text)
        monkeypatch.setattr(plain, "read_stdlib", lambda: [text])
        monkeypatch.setattr(fasta, "read_genome", lambda _archive: [SEQUENCES])
        monkeypatch.setattr(tunes, "read_collection", lambda _archive: [TUNES])

    def run(self, line: str, *, again: bool = False) -> str:
        """Return the stdout of a line, whose commands have to succeed; `again` if its files may exist already."""
        self._again = again
        out = ""
        for pipeline in _split(_split_words(line), "&&"):
            out = ""
            for stage in _split(pipeline, "|"):
                out = self._run_stage(stage, out)
        return out

    def _run_stage(self, words: list[str], stdin: str) -> str:
        into = words.index(">") if ">" in words else None
        argv = [match for word in words[:into] for match in (_expand(word) or [word])]
        if argv[:3] == ["charrnn", "corpus", "text2midi"]:
            stdin = NOTES + stdin
        if argv[0] == "charrnn":
            status, out, err = self._in_process(*_shorten(argv[1:], again=self._again), stdin=stdin.encode())
            assert status == 0, (argv, err)
        elif argv[0].endswith("python"):
            _check_script(argv[1:])
            out = ""
        else:
            argv = ALWAYS.get(argv[0]) or (argv if shutil.which(argv[0]) else IF_MISSING[argv[0]])
            out = subprocess.run(argv, input=stdin.encode(), check=True, capture_output=True).stdout.decode()
        if into is None:
            return out
        Path(words[into + 1]).write_text(out)
        return ""


def _check_script(argv: list[str]) -> None:
    """Parse the command line of one of the project's scripts."""
    script = Path(argv[0])
    assert (Path(__file__).parent.parent / script).is_file(), script
    PARSERS[script.name](argv[1:])


def _split_words(line: str) -> list[str]:
    """Split a line as a shell does."""
    lexer = shlex.shlex(line.replace(r"$'\n'", "'\n'"), posix=True, punctuation_chars="|&>")
    lexer.whitespace_split = True
    return list(lexer)


def _split(words: list[str], separator: str) -> Iterator[list[str]]:
    """Yield the words between separators."""
    part: list[str] = []
    for word in [*words, separator]:
        if word == separator:
            yield part
            part = []
        else:
            part.append(word)


def _shorten(arguments: list[str], *, again: bool) -> list[str]:
    """Return the arguments of charrnn with options that shorten what takes long."""
    if arguments[:1] == ["corpus"]:
        extra = ["--length", "3000"] if arguments[1] == "brackets" and "-l" not in arguments else []
        return [*arguments, *extra, *(["--overwrite"] if again and "-o" in arguments else [])]
    if arguments[:1] != ["train"] or "--help" in arguments:
        return arguments
    short = [*arguments, *SHORT, *([] if "classify" in arguments else ["--sample-every", "0"])]
    if "--resume" in arguments:
        return [*short, "--steps", "4"]
    return [*short, "--steps", "2", *(["--overwrite"] if again else [])]


def list_commands(markdown: str) -> list[tuple[int, str]]:
    """Return the lines of a document's sh blocks with their numbers, without comments and with joined continuations."""
    lines: list[tuple[int, str]] = []
    inside, joined = False, ""
    for number, line in enumerate(markdown.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```sh"
        elif inside and line.endswith("\\"):
            joined += line[:-1]
        elif inside:
            command = re.sub(r"(^|\s+)#.*", "", joined + line)
            joined = ""
            lines += [(number, command)] if command else []
    return lines


def _expand(word: str) -> list[str]:
    """Return the files that a word with a star matches."""
    return sorted(map(str, Path().glob(word))) if "*" in word else []
