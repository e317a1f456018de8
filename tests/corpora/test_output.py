from collections.abc import Iterator
from pathlib import Path

import pytest

from charrnn.corpora.plain import require_items, write_file
from charrnn.errors import CorpusError


def test_a_corpus_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    def breaking() -> Iterator[str]:
        yield "half"
        raise OSError("the network is down")

    path = tmp_path / "new" / "text.txt"
    with pytest.raises(OSError, match="down"):
        write_file(breaking(), path)
    assert list(path.parent.iterdir()) == []
    assert write_file(["whole ", "text"], path) == 10
    assert path.read_text() == "whole text"


def test_at_least_one_item_is_required() -> None:
    assert list(require_items(["", "a", "", "b"], "none")) == ["a", "b"]
    with pytest.raises(CorpusError, match=r"^no tunes$"):
        list(require_items(["", ""], "no tunes"))
