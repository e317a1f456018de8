import torch

from charrnn.model.config import ModelConfig
from scripts.benchmarks.gpu.rates import open_charrnn_step


def test_a_step_trains_and_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(2):  # the second has as many threads as the first
            with open_charrnn_step(
                ModelConfig("lstm", 1, 8, 4, 11), (8, 4), torch.float32, torch.device("cpu")
            ) as step:
                trainer = step.func.__self__  # type: ignore[attr-defined] # a partial of a method
                step()
                assert (trainer.steps, trainer.workers.count) == (1, 2)
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
