"""The moving average of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipelines.training.average import WeightAverage


class Two(nn.Module):
    noise: torch.Tensor
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.register_buffer("noise", torch.tensor([0.0]).requires_grad_())
        self.register_buffer("mean", torch.tensor([7.0]))
        self.frozen = nn.Parameter(torch.tensor([9.0]), requires_grad=False)


def _train(net: Two, average: WeightAverage, values: list[float]) -> None:
    for value in values:
        with torch.no_grad():
            net.weight.fill_(value)
            net.noise.fill_(-value)
        average.update()


def test_closed_form():
    net = Two()
    average = WeightAverage({"net": net}, 0.3)
    values = [4.0, -1.0, 0.5, 3.0, 8.0, -2.0]
    _train(net, average, values)
    expected = torch.tensor([1.0, 2.0])
    for n, value in enumerate(values, 1):
        decay = min(0.3, n / (n + 9))
        expected = decay * expected + (1 - decay) * value
    with average.applied():
        torch.testing.assert_close(net.weight.detach(), expected)
        assert net.noise.item() < 0
        assert net.mean.item() == 7.0
    assert net.weight.tolist() == [-2.0, -2.0]


def test_after_many_updates_a_constant_is_forgotten_geometrically():
    net = Two()
    average = WeightAverage({"net": net}, 0.5)
    _train(net, average, [0.0] * 20)
    before = average.state_dict()["average"]["net.weight"].clone()
    _train(net, average, [1.0] * 3)
    after = average.state_dict()["average"]["net.weight"]
    torch.testing.assert_close(after, 0.125 * before + 0.875)


def test_the_weights_come_back_whatever_happens():
    net = Two()
    average = WeightAverage({"net": net}, 0.9)
    _train(net, average, [3.0])

    def fail():
        with average.applied():
            assert net.weight[0].item() != 3.0
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert net.weight.tolist() == [3.0, 3.0]
    average.keep()
    assert net.weight[0].item() == pytest.approx(0.1 * 1.0 + 0.9 * 3.0)


def test_round_trip():
    net, other = Two(), Two()
    average, copy = WeightAverage({"net": net}, 0.9), WeightAverage({"net": other}, 0.9)
    _train(net, average, [3.0, 5.0])
    copy.load_state_dict(average.state_dict())
    for one, pair in ((net, average), (other, copy)):
        _train(one, pair, [2.0])
        pair.keep()
    assert torch.equal(net.weight, other.weight)
