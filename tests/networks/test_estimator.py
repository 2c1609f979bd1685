"""The estimator network: what it reads, what gradients it gives, and that frozen means frozen."""

from __future__ import annotations

import pytest
import torch

from studio.networks.estimator import NUMBERS, EstimatorReading, EstimatorShape, HeadEstimator


@pytest.fixture
def estimator() -> HeadEstimator:
    torch.manual_seed(0)
    network = HeadEstimator(EstimatorShape(components=5, size=32, width=8, hidden=16))
    network.basis.copy_(torch.randn(NUMBERS, 11))
    network.mean.copy_(torch.randn(NUMBERS))
    return network.freeze()


def test_a_reading_is_mean_and_basis_of_the_coordinates(estimator: HeadEstimator) -> None:
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    reading = estimator(images)
    whole = torch.cat([reading.expression, reading.jaw, reading.angles], 1)
    assert [reading.expression.shape[1], reading.jaw.shape[1], reading.angles.shape[1]] == [50, 3, 3]
    expected = estimator.mean + estimator.coordinates(images) @ estimator.basis.T
    torch.testing.assert_close(whole, expected)
    assert torch.linalg.matrix_rank(whole.double() - estimator.mean.double()) <= 3


def test_gradients_reach_the_pixels_and_no_weight(estimator: HeadEstimator) -> None:
    images = (torch.rand(2, 3, 32, 32) * 2 - 1).requires_grad_()
    reading = estimator(images)
    (reading.expression.square().sum() + reading.angles.sum()).backward()
    assert images.grad is not None
    assert (images.grad.abs().amax((1, 2, 3)) > 0).all()
    assert all(p.grad is None for p in estimator.parameters())


def test_gradient_is_the_numerical_one(estimator: HeadEstimator) -> None:
    network = estimator.double()
    images = (torch.rand(1, 3, 32, 32, dtype=torch.float64) * 2 - 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: network(x).angles, (images,), fast_mode=True)


def test_frozen_stays_in_evaluation_mode(estimator: HeadEstimator) -> None:
    holder = torch.nn.Sequential(estimator)
    holder.train()
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(estimator(images).expression, estimator(images).expression)
    loose = HeadEstimator(estimator.shape).train()
    loose.basis.copy_(estimator.basis)
    assert not torch.equal(loose(images).expression, loose(images).expression)


def test_any_size_and_any_company(estimator: HeadEstimator) -> None:
    """A larger crop reads as its reduction does, and neighbours in the batch change nothing."""
    coarse = torch.rand(2, 3, 8, 8) * 2 - 1
    small = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")
    large = torch.nn.functional.interpolate(small, size=(64, 64), mode="bilinear")
    spread = float(estimator(small).expression.std(0).mean())
    assert (estimator(large).expression - estimator(small).expression).abs().mean() < 0.2 * spread
    alone = estimator(small[:1]).expression
    torch.testing.assert_close(estimator(small).expression[:1], alone, rtol=1e-4, atol=1e-5)


def test_state_comes_back(estimator: HeadEstimator) -> None:
    estimator.trusted.copy_(torch.linspace(0, 1, NUMBERS))
    other = HeadEstimator(estimator.shape)
    other.load_state_dict(estimator.state_dict())
    other.freeze()
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(other(images).jaw, estimator(images).jaw)
    split = EstimatorReading.split(torch.linspace(0, 1, NUMBERS))
    assert torch.equal(other.reliability.angles, split.angles)
    assert other.reliability.expression[0] == 0
