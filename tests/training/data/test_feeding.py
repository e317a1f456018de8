import numpy as np
import pytest
import torch

from charrnn.training.data.feeding import TextFeed, id_dtype, upload, upload_if_small
from charrnn.training.data.streams import Streams

CPU = torch.device("cpu")


@pytest.mark.parametrize("vocab", [200, 5000])
def test_a_text_on_the_device_is_read_as_one_that_is_sent(vocab: int) -> None:
    ids = np.random.default_rng(0).integers(vocab, size=500).astype(np.int32)

    def windows(*, resident: bool) -> list[list[torch.Tensor]]:
        streams = Streams(ids, 6, restart=0.3, seed=1)
        feed = TextFeed(streams, slice(1, 4), CPU, upload(ids, vocab, CPU) if resident else None)
        found = [feed.next(9) for _ in range(30)]
        assert all(window.count >= 9 * 6 for window in found)
        return [[window.inputs, window.targets, window.restarted] for window in found]

    for sent, resident in zip(windows(resident=False), windows(resident=True), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(sent, resident, strict=True))


def test_a_process_reads_its_own_columns_of_what_all_read() -> None:
    ids = np.arange(100, dtype=np.int32)
    whole, part = (
        TextFeed(Streams(ids, 5, restart=0.2, seed=3), columns, CPU) for columns in (slice(0, 5), slice(2, 5))
    )
    for _ in range(10):
        a, b = whole.next(4), part.next(4)
        assert torch.equal(a.inputs[:, 2:], b.inputs)
        assert torch.equal(a.restarted[2:], b.restarted)
        assert a.count == b.count == 20 + int(a.restarted.sum())


def test_ids_lie_in_the_narrowest_type_and_stay_in_memory_without_a_gpu() -> None:
    assert [id_dtype(vocab) for vocab in (2, 256, 257, 40_000)] == [
        torch.uint8,
        torch.uint8,
        torch.int16,
        torch.int32,
    ]
    assert upload_if_small(np.arange(9, dtype=np.int32), 9, CPU) is None
