import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from charrnn.corpora import tunes
from charrnn.corpora.tunes import read_collection, read_tunes, reduce_tune

TUNE = """X: 12
T: Merrily, or Else -- Jig
T: Another Name
C: somebody
Z: transcribed % by me
M: 6/8
L: 1/8
K: Gmaj
u"4"B |(vGAB) (3abc | {f}g.a~b !trill!c2 d | [1 e/f/g a :|\\
w: words be-low
[K:D] "Am" A>B c2=20
M: 9/8
k[G2B2] =3DF !
"""


def test_a_tune_is_reduced_to_what_sounds() -> None:
    assert reduce_tune(TUNE.split("\n")) == (
        "X:1\nT:Merrily, or Else -- Jig\nM:6/8\nL:1/8\nK:Gmaj\n"
        "B|GAB (3abc|{f}gab c2 d|[1 e/f/g a :|\n[K:D] A>B c2\nM:9/8\n[G2B2] =F\n"
    )


def test_tunes_end_at_an_empty_line_or_the_next_tune() -> None:
    text = "%abc-2.1\nX:1\nK:A\nabc|\nX:2\nK:B\n\nwords between\n\nX:3\nT:no key\nabc|\n\nX:4\nK:C\ncba|"
    assert list(read_tunes(text.split("\n"), seed=None)) == ["X:1\nK:A\nabc|\n\n", "X:1\nK:C\ncba|\n\n"]


def test_the_order_follows_the_seed() -> None:
    lines = [line for key in "ABCDEFG" for line in ("X:1", f"K:{key}", "abc|", "")]
    assert list(read_tunes(lines, 1)) == list(read_tunes(lines, 1)) != list(read_tunes(lines, 2))
    assert sorted(read_tunes(lines, 1)) == sorted(read_tunes(lines, None))


def test_the_collection_is_in_the_order_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wheel.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("music21/corpus/ryansMammoth/Reel.abc", "X:1\r\nK:A\r\nabc|")
        wheel.writestr("music21/corpus/ryansMammoth/Jig.abc", "X:1\nK:D\ndef|\n")
        wheel.writestr("music21/corpus/ryansMammoth/license.txt", "none")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(tunes, "COLLECTION", dataclasses.replace(tunes.COLLECTION, sha256=digest))
    assert list(read_collection(str(path))) == ["X:1\nK:D\ndef|\n\n", "X:1\nK:A\nabc|\n\n"]
