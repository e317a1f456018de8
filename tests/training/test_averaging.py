import torch

from charrnn.model.config import ModelConfig
from charrnn.training.averaging import HORIZON, WeightAverage
from charrnn.training.network.language import CharRNN
from tests.devices import on_devices


def set_bias(network: CharRNN, value: float) -> None:
    with torch.no_grad():
        network.decoder.bias.fill_(value)


def test_the_first_update_forgets_the_random_weights() -> None:
    network = CharRNN(ModelConfig("gru", 1, 4, 0, 3))
    average = WeightAverage(network)
    set_bias(network, 7.0)
    average.update(steps=1, progress=0.01)
    assert (average.tensors()["decoder.bias"] == 7.0).all()


@on_devices
def test_it_is_the_exponential_average_over_a_share_of_the_run(device: torch.device) -> None:
    network = CharRNN(ModelConfig("gru", 1, 4, 0, 3)).to(device)
    set_bias(network, 0.0)
    average = WeightAverage(network)
    total, expected = 1000, 0.0
    for step in range(900, total + 1):
        set_bias(network, float(step))
        average.update(step, step / total)
        expected += (step - expected) / (HORIZON * total)
    torch.testing.assert_close(average.tensors()["decoder.bias"], torch.full((3,), expected, device=device))


@on_devices
def test_the_network_has_the_average_within_the_block_only(device: torch.device) -> None:
    network = CharRNN(ModelConfig("lstm", 2, 4, 2, 3)).to(device)
    average = WeightAverage(network)
    before = network.export()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    after = network.export()
    with average.apply():
        for name, tensor in network.export().items():
            assert (tensor == before[name]).all()
            assert (tensor == average.export()[name]).all()
    for name, tensor in network.export().items():
        assert (tensor == after[name]).all()


def test_a_restored_average_is_the_same() -> None:
    network = CharRNN(ModelConfig("rnn", 1, 4, 2, 3))
    one = WeightAverage(network)
    set_bias(network, 3.0)
    one.update(10, 0.5)
    other = WeightAverage(network)
    other.load({name: tensor.clone() for name, tensor in one.tensors().items()})
    assert all(torch.equal(tensor, other.tensors()[name]) for name, tensor in one.tensors().items())
