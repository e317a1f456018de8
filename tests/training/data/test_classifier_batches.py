import numpy as np

from charrnn.text.documents.corpus import Documents
from charrnn.text.storage import TokenIds
from charrnn.training.data.documents import ClassifierBatches


def documents(count: int = 500) -> Documents:
    """Document i holds i % 40 + 1 times the number i % 7, and is labelled i % 3."""
    lengths = np.arange(count) % 40 + 1
    ends = np.cumsum(lengths)
    numbers = np.repeat(np.arange(count) % 7, lengths).astype(np.uint8)
    tokens = TokenIds(numbers, np.arange(7, dtype=np.int32))
    return Documents(tokens, ends - lengths, ends, (np.arange(count) % 3).astype(np.int32), np.arange(7))


def test_an_epoch_has_everyone_once_with_others_of_similar_length() -> None:
    batches = ClassifierBatches(documents(), 16, 100, seed=1)
    seen, padding, symbols = 0, 0, 0
    while seen < 500:
        batch = batches.next_batch()
        seen += len(batch.labels)
        symbols += batch.symbols
        padding += batch.ids.size - batch.symbols
        for column, length in enumerate(batch.lengths.tolist()):
            assert len(set(batch.ids[:length, column].tolist())) == 1
            assert not batch.ids[length:, column].any()
    assert seen == 500
    assert symbols == documents().lengths.sum()
    assert padding < 0.1 * symbols
    assert batches.smallest > 8
    assert batches.get_state()["epoch"] == 0


def test_a_place_in_the_order_is_found_again() -> None:
    first, second = ClassifierBatches(documents(), 16, 10, seed=1), ClassifierBatches(documents(), 16, 10, seed=1)
    for _ in range(50):
        first.next_batch()
    second.set_state(first.get_state())
    for _ in range(40):
        one, two = first.next_batch(), second.next_batch()
        assert np.array_equal(one.ids, two.ids)
        assert np.array_equal(one.labels, two.labels)


def test_of_long_documents_another_part_is_read_each_time() -> None:
    texts = Documents(
        TokenIds(np.arange(100, dtype=np.uint8), np.arange(100, dtype=np.int32)),
        np.array([0]),
        np.array([100]),
        np.zeros(1, dtype=np.int32),
        np.arange(100),
    )
    batches = ClassifierBatches(texts, 1, 10, seed=0)
    parts = [batches.next_batch().ids[:, 0].tolist() for _ in range(50)]
    assert all(part == list(range(part[0], part[0] + 10)) for part in parts)
    assert len({part[0] for part in parts}) > 20
