"""Keypoints that a network finds by itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from studio.networks.keypoint_detector import KeypointDetector
from studio.networks.keypoint_flow import places


def detector() -> KeypointDetector:
    torch.manual_seed(0)
    return KeypointDetector(5, 2, 4, 16, 3, 4, "group")


def test_a_keypoint_is_the_mean_place_of_its_heat() -> None:
    part = detector()

    class Two(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            heat = torch.full((len(x), 5, 4, 16, 16), -1e3)
            heat[:, :, 1, 2, 3] = 0.0
            heat[:, 4, 3, 2, 3] = 0.0  # the last one is as warm in two places
            return heat

    part.heat = Two()  # type: ignore[assignment]
    points = part(torch.randn(2, 3, 32, 32))
    grid = places((4, 16, 16), points)
    assert torch.allclose(points[:, :4], grid[:, 1, 2, 3].expand(2, 4, 3), atol=1e-6)
    middle = 0.5 * (grid[:, 1, 2, 3] + grid[:, 3, 2, 3])
    assert torch.allclose(points[:, 4], middle.expand(2, 3), atol=1e-6)


def test_what_nothing_was_learnt_about_is_in_the_middle_and_can_be_learnt() -> None:
    part = detector()
    nn.init.zeros_(part.heat.weight)
    assert part(torch.randn(2, 3, 32, 32)).abs().max() < 1e-6
    part = detector()
    part(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for n, p in part.named_parameters() if "weight" in n)
