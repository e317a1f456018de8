from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from charrnn.training.devices.workers import Workers
from charrnn.training.run import run_training
from charrnn.training.settings import TrainSettings


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("columns", "threads", "count"), [(16, 2, 2), (16, 8, 4), (100, 8, 8), (7, 4, 1), (64, None, 1), (64, 1, 1)]
)
def test_each_worker_has_columns_enough_and_no_more_workers_than_threads(
    columns: int, threads: int | None, count: int
) -> None:
    assert Workers(columns, threads).count == count


def test_shares_are_contiguous_and_cover_all_columns() -> None:
    workers = Workers(50, 3)
    columns = list(range(50))
    assert [n for share in workers.split(50) for n in columns[share]] == columns
    shares = workers.split(2)
    assert [n for share in shares for n in columns[share]] == [0, 1]
    assert all(share.stop > share.start for share in shares)


def test_results_come_in_the_order_of_the_parts_and_errors_come_through() -> None:
    workers = Workers(32, 4)
    assert workers.map(lambda n: n * n, [3, 1, 2, 0]) == [9, 1, 4, 0]
    with pytest.raises(ZeroDivisionError):
        workers.map(lambda n: 1 // n, [1, 1, 0, 1])


def test_workers_share_the_threads_and_give_them_back() -> None:
    torch.set_num_threads(8)
    workers = Workers(8, 8)
    assert torch.get_num_threads() == 4
    workers.close()
    assert torch.get_num_threads() == 8


@pytest.mark.parametrize("threads", [None, 4])
def test_a_run_gives_the_threads_back(tmp_path: Path, rhyme: str, threads: int | None) -> None:
    text, output = tmp_path / "rhyme.txt", str(tmp_path / "m.safetensors")
    text.write_text(rhyme)
    small = {"steps": 2, "hidden_size": 8, "batch_size": 8, "seq_len": 8, "tensorboard": False}
    torch.set_num_threads(8)
    run_training([str(text)], TrainSettings.from_options({**small, "output": output, "threads": threads}))
    assert torch.get_num_threads() == 8
