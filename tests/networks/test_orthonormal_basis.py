"""Directions stay at right angles whatever training does to them."""

from __future__ import annotations

import pytest
import torch

from studio.networks.orthonormal_basis import OrthonormalBasis


def off(basis: torch.Tensor) -> float:
    return float((basis.mT @ basis - torch.eye(basis.shape[1])).abs().max().detach())


def test_it_is_orthonormal_after_training_steps():
    torch.manual_seed(1)
    basis = OrthonormalBasis(256, 10)
    start = basis().detach().clone()
    assert off(start) < 1e-5
    wanted = torch.randn(256, 10)
    # A rate so high that a weight that was merely normalised now and then would be far off.
    optimiser = torch.optim.Adam(basis.parameters(), lr=0.1)
    for _ in range(30):
        optimiser.zero_grad()
        (basis() - wanted).square().sum().backward()
        optimiser.step()
        assert off(basis()) < 1e-5
    assert (basis() - start).abs().max() > 0.1


def test_directions_do_not_turn_round():
    torch.manual_seed(2)
    basis = OrthonormalBasis(12, 5)
    with torch.no_grad():
        start = basis().clone()
        for column in range(5):  # a library's own sign would follow the weight's first entry
            basis.weight[0, column] *= -1e-3
        assert (basis() * start).sum(0).min() > 0.0
        moved = basis().clone()
        basis.weight.add_(1e-5 * torch.randn(12, 5))
        assert (basis() - moved).abs().max() < 1e-3
        # The first direction is the weight's first column, not its opposite.
        assert torch.allclose(
            basis()[:, 0], torch.nn.functional.normalize(basis.weight[:, 0], dim=0), atol=1e-6
        )


def test_its_gradient_is_that_of_finite_differences():
    torch.manual_seed(3)
    basis = OrthonormalBasis(7, 3).double()
    told = torch.randn(7, 3, dtype=torch.float64)

    def value(weight: torch.Tensor) -> torch.Tensor:
        return (torch.func.functional_call(basis, {"weight": weight}, ()) * told).sum()

    assert torch.autograd.gradcheck(value, (basis.weight.detach().clone().requires_grad_(),))


def test_more_directions_than_dimensions_are_refused():
    with pytest.raises(ValueError, match="right angles"):
        OrthonormalBasis(4, 5)
