import dataclasses
import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpora import fasta as module
from charrnn.corpora.fasta import GENOME_MEMBER, read_genome, read_sequences, reverse_complement
from charrnn.errors import CorpusError

RECORDS = st.lists(st.tuples(st.text("abc |;=1>", max_size=12), st.text("ACGTacgtnN", max_size=50)), min_size=1)


def fasta(records: list[tuple[str, str]], width: int) -> list[str]:
    lines = []
    for name, sequence in records:
        lines += [f">{name}x", *(sequence[at : at + width] for at in range(0, len(sequence), width))]
    return lines


def read(text: str) -> list[tuple[str, str]]:
    """A reader as simple as can be."""
    return [
        (name[:-1], "".join(lines))
        for name, *lines in (record.split("\n") for record in ("\n" + text).removesuffix("\n").split("\n>")[1:])
    ]


@given(RECORDS, st.integers(1, 60), st.integers(0, 60))
def test_fasta_to_fasta_keeps_names_and_sequences(records: list[tuple[str, str]], width: int, wrap: int) -> None:
    text = "".join(read_sequences(fasta(records, width), headers=True, wrap=wrap))
    assert read(text) == [(name, sequence.upper().replace("N", "")) for name, sequence in records]
    assert all(len(line) <= wrap for line in text.split("\n") if wrap and not line.startswith(">"))
    assert "".join(read_sequences(text.removesuffix("\n").split("\n"), headers=True, wrap=wrap)) == text


@given(RECORDS, st.integers(1, 60))
def test_without_headers_a_line_is_a_record(records: list[tuple[str, str]], width: int) -> None:
    text = "".join(read_sequences(fasta(records, width), keep_n=True))
    assert text == "".join(sequence.upper() + "\n" for _, sequence in records if sequence)


@given(st.text("ACGT", min_size=1))
def test_both_strands(sequence: str) -> None:
    whole = "".join(read_sequences([">a", sequence], both_strands=True))
    assert whole == f"{sequence}\n{reverse_complement(sequence)}\n"
    assert reverse_complement(reverse_complement(sequence)) == sequence


def test_both_strands_keep_their_names() -> None:
    found = "".join(read_sequences([">a", "AAC", ">b", "GG"], both_strands=True, headers=True))
    assert found == ">a\nAAC\n>a reverse complement\nGTT\n>b\nGG\n>b reverse complement\nCC\n"


def test_comments_and_blank_lines_are_no_sequence() -> None:
    assert "".join(read_sequences(["; old", ">p", "MK*", "", "; more", "L-V "])) == "MK*L-V\n"


def test_only_sequences_stand_between_names() -> None:
    with pytest.raises(CorpusError, match="line 2 is neither"):
        list(read_sequences([">a", "AC GT"]))


def test_the_genome_is_a_member_of_a_source_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        data = gzip.compress(b">chromosome\nACGT\n")
        member = tarfile.TarInfo(GENOME_MEMBER)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(module, "GENOME", dataclasses.replace(module.GENOME, sha256=digest))
    assert list(read_genome(str(path))) == [">chromosome\nACGT\n"]
