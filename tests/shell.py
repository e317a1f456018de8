"""A small shell for what the documentation shows: pipelines, `&&` and `>`, with charrnn in the process of the test.

Training is cut short by options that the test adds: a few steps of a tiny network. Programs that never end, or need a
person or a network, have stand-ins; so have those that are not installed.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import benchmark, corpora, experiments, pictures

SHORT = ["--hidden-size", "16", "--batch-size", "4", "--seq-len", "16"]
ALWAYS = {"tensorboard": ["true"], "torchrun": ["true"], "fzf": ["head", "-n", "3"]}
IF_MISSING = {"jq": ["cat"]}
PARSED = {"benchmark.py": benchmark.parsed, "experiments.py": experiments.parsed, "pictures.py": pictures.parsed}

Run = Callable[..., tuple[int, str, str]]


class Shell:
    """Runs lines in the working folder; `in_process` is the fixture of that name."""

    def __init__(self, in_process: Run, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        self._in_process = in_process
        self._patch = monkeypatch
        self._text = text
        self._again = False

    def run(self, line: str, *, again: bool = False) -> str:
        """Stdout of a line, every command of which has to end well; `again` if its models may be there already."""
        self._again = again
        out = ""
        for pipeline in _split(_words(line), "&&"):
            out = ""
            for stage in _split(pipeline, "|"):
                out = self._stage(stage, out)
        return out

    def _stage(self, words: list[str], stdin: str) -> str:
        into = words.index(">") if ">" in words else None
        argv = [found for word in words[:into] for found in (_matching(word) or [word])]
        if argv[0] == "charrnn":
            status, out, err = self._in_process(*_short(argv[1:], again=self._again), stdin=stdin.encode())
            assert status == 0, (argv, err)
        elif argv[0].endswith("python"):
            out = self._script(argv[1:])
        else:
            argv = ALWAYS.get(argv[0]) or (argv if shutil.which(argv[0]) else IF_MISSING[argv[0]])
            out = subprocess.run(argv, input=stdin.encode(), check=True, capture_output=True).stdout.decode()
        if into is None:
            return out
        Path(words[into + 1]).write_text(out)
        return ""

    def _script(self, argv: list[str]) -> str:
        """The project's own scripts: corpora of a few kilobytes, and of what takes minutes the command line alone."""
        script = Path(argv[0])
        assert (Path(__file__).parent.parent / script).is_file(), script
        if script.name != "corpora.py":
            PARSED[script.name](argv[1:])
            return ""

        options = corpora.parsed(argv[1:])
        options.make = lambda _options: [self._text]
        with self._patch.context() as patch:
            patch.setattr(corpora, "parsed", lambda: options)
            assert corpora.main() == 0
        return ""


def _words(line: str) -> list[str]:
    """A line as a shell splits it."""
    lexer = shlex.shlex(line.replace(r"$'\n'", "'\n'"), posix=True, punctuation_chars="|&>")
    lexer.whitespace_split = True
    return list(lexer)


def _split(words: list[str], border: str) -> Iterator[list[str]]:
    part: list[str] = []
    for word in [*words, border]:
        if word == border:
            yield part
            part = []
        else:
            part.append(word)


def _short(arguments: list[str], *, again: bool) -> list[str]:
    if arguments[:1] != ["train"] or "--help" in arguments:
        return arguments
    short = [*arguments, *SHORT, *([] if "classify" in arguments else ["--sample-every", "0"])]
    if "--resume" in arguments:
        return [*short, "--steps", "4"]
    return [*short, "--steps", "2", *(["--overwrite"] if again else [])]


def commands(markdown: str) -> list[str]:
    """The lines of a document's sh blocks, without comments; a backslash joins a line to the next."""
    blocks = re.findall(r"^```sh\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"(^|\s+)#.*", "", line) for line in lines) if line]


def _matching(word: str) -> list[str]:
    """The files that a word with a star means."""
    return sorted(map(str, Path().glob(word))) if "*" in word else []
