from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import UsageError
from charrnn.inference.loading import load_language_model
from charrnn.model.config import ModelConfig
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.settings import TextSettings
from charrnn.text.vocabulary.base import UNKNOWN
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.settings import ModelSettings, TrainSettings
from charrnn.training.tasks.transfer import Source, merge_vocabulary, transfer_weights
from tests.training.runs import make_plan, make_trainer


def source(folder: Path, cell: str = "lstm", embedding_size: int = 3, symbols: str = "abd") -> Source:
    vocabulary = CharVocabulary.of_text(symbols)
    config = ModelConfig(cell, 2, 5, embedding_size, len(vocabulary))
    generator = np.random.default_rng(2)
    tensors = {name: generator.normal(size=shape).astype(np.float32) for name, shape in config.shapes().items()}
    path = folder / "source.safetensors"
    save_model(path, ModelHeader(config, vocabulary.to_json()), tensors)
    return Source.load(path)


def small(text: str) -> Corpus:
    vocabulary = CharVocabulary.of_text(text)
    ids = vocabulary.encode(text)
    return Corpus("small", vocabulary, ids[:-4], ids[-4:])


def test_the_vocabulary_becomes_the_union_and_the_text_stays(tmp_path: Path) -> None:
    corpus = small("bcbccbbc")
    found = merge_vocabulary(corpus, source(tmp_path).vocabulary)
    assert found.vocabulary.symbols == "abcd"
    assert found.vocabulary.decode(found.train) == b"bcbc"
    assert found.vocabulary.decode(found.valid) == b"cbbc"
    assert UNKNOWN not in list(found.train)
    assert merge_vocabulary(small("abdaabbd"), source(tmp_path).vocabulary).vocabulary.symbols == "abd"


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("embedding_size", [0, 3])
def test_symbols_keep_their_rows_and_new_ones_get_fresh_rows(tmp_path: Path, cell: str, embedding_size: int) -> None:
    old = source(tmp_path, cell, embedding_size)
    vocabulary = CharVocabulary.of_text("abcd")
    config = replace(old.header.config, vocab_size=4)
    fresh = {name: np.full(shape, 9.0, dtype=np.float32) for name, shape in config.shapes().items()}
    found = transfer_weights(fresh, vocabulary, old)
    assert {name: tensor.shape for name, tensor in found.items()} == config.shapes()
    by_symbol = {"decoder.weight": 0, "decoder.bias": 0}
    by_symbol |= {"embedding.weight": 0} if embedding_size else {"rnn.weight_ih_l0": 1}
    for name, tensor in found.items():
        if name in by_symbol:
            rows = np.moveaxis(tensor, by_symbol[name], 0)
            np.testing.assert_array_equal(rows[[0, 1, 3]], np.moveaxis(old.tensors[name], by_symbol[name], 0))
            assert (rows[2] == 9.0).all()
        else:
            np.testing.assert_array_equal(tensor, old.tensors[name])


def test_the_new_network_reads_the_old_text_as_the_old_one_did(tmp_path: Path) -> None:
    """Up to the new symbol's share of the probability, which is the same for every text."""
    old = source(tmp_path)
    corpus = merge_vocabulary(small("abcdabcd"), old.vocabulary)
    sizes = {"cell": "lstm", "layers": 2, "hidden_size": 5, "embedding_size": 3, "dropout": 0.0}
    plan = make_plan(corpus, steps=1, **sizes)
    trainer = make_trainer(plan, corpus, lambda fresh: transfer_weights(fresh, corpus.vocabulary, old))
    weights = trainer.task.network.export()
    weights["decoder.bias"][2] = -100.0  # c never
    path = tmp_path / "muted.safetensors"
    save_model(path, ModelHeader(plan.config, corpus.vocabulary.to_json()), weights)
    text = "abdabbda"
    assert load_language_model(path).score(text).loss == pytest.approx(
        load_language_model(old.path).score(text).loss, rel=1e-6
    )


def test_sizes_and_tokens_come_from_the_model(tmp_path: Path) -> None:
    settings = source(tmp_path, "gru", 0).merge_settings(TrainSettings.from_options({"dropout": 0.2}), ())
    assert settings.text.tokens == "char"
    assert settings.model == ModelSettings(cell="gru", layers=2, hidden_size=5, embedding_size=0, dropout=0.2)


def test_sizes_that_differ_are_all_told(tmp_path: Path) -> None:
    old = source(tmp_path)
    given = {"tokens": "byte", "cell": "gru", "hidden_size": 5, "layers": 1, "dropout": 0.1}
    with pytest.raises(UsageError) as caught:
        old.merge_settings(TrainSettings.from_options(given), given)
    assert str(caught.value).splitlines() == [
        f"--tokens byte does not match {old.path}, which has --tokens char; leave it out",
        f"--cell gru does not match {old.path}, which has --cell lstm; leave it out",
        f"--layers 1 does not match {old.path}, which has --layers 2; leave it out",
    ]


def test_merged_rare_characters_stay_merged_in_the_union(tmp_path: Path) -> None:
    corpus = read_corpus([_write(tmp_path, "bcbccbbc" * 8 + "xyz")], TextSettings(min_count=2))
    found = merge_vocabulary(corpus, source(tmp_path).vocabulary)
    assert found.vocabulary.symbols == "abcd\ufffd"
    assert found.vocabulary.unknown == 4
    assert list(found.valid)[-3:] == [4, 4, 4]


def _write(folder: Path, text: str) -> Path:
    path = folder / "text.txt"
    path.write_text(text)
    return path
