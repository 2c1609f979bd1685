"""The planes' moving average, step by step."""

from __future__ import annotations

import torch

from studio.networks.plane_average import PlaneAverage


def test_it_follows_the_papers_equation():
    torch.manual_seed(0)
    average, keep = PlaneAverage(2, 4, 0.9), 0.9
    held = torch.zeros(3, 2, 4, 4)
    for _ in range(5):
        planes = torch.randn(3, 3, 2, 4, 4)
        assert torch.allclose(average(planes), planes + held)  # of the step before
        held = keep * held + (1 - keep) * planes.mean(0)
        assert torch.allclose(average.average, held, atol=1e-6)


def test_evaluation_adds_it_and_changes_nothing():
    average = PlaneAverage(2, 4, 0.5)
    average(torch.ones(1, 3, 2, 4, 4))
    average.eval()
    before = average.average.clone()
    first, second = (average(torch.zeros(2, 3, 2, 4, 4)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(average.average, before)
    assert float(first[0, 0, 0, 0, 0]) == 0.5


def test_constant_planes_do_not_grow_without_end():
    average = PlaneAverage(1, 4, 0.9)
    for _ in range(400):
        drawn = average(torch.ones(1, 3, 1, 4, 4))
    assert torch.allclose(drawn, torch.full_like(drawn, 2.0), atol=1e-3)


def test_its_gradient_is_the_planes_own_and_it_is_kept_with_the_weights():
    average = PlaneAverage(1, 4, 0.5)
    for _ in range(2):
        planes = torch.ones(1, 3, 1, 4, 4, requires_grad=True)
        average(planes).sum().backward()
        assert planes.grad is not None
        assert torch.equal(planes.grad, torch.ones_like(planes))
    other = PlaneAverage(1, 4, 0.5)
    other.load_state_dict(average.state_dict())
    assert torch.equal(other.average, average.average)
    assert float(other.average.max()) == 0.75


def test_one_means_none():
    average = PlaneAverage(1, 4, 1.0)
    average(torch.ones(1, 3, 1, 4, 4))
    assert not average.average.any()
