from charrnn.model.config import ModelConfig
from scripts.benchmarks.generation import ENDLESS, generate_samples
from scripts.benchmarks.timing import make_random_model


def test_random_models_generate() -> None:
    pieces = generate_samples(make_random_model(ModelConfig("gru", 1, 8, 0, 20)), 3)
    assert sum(next(pieces) for _ in range(6)) > 0


def test_random_models_generate_without_end_under_the_expression() -> None:
    pieces = generate_samples(make_random_model(ModelConfig("gru", 1, 8, 0, 20)), 3, ENDLESS)
    assert sum(next(pieces) for _ in range(60)) > 60
