"""Losses on hand-made pictures and logits."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from studio.engines.export3d.losses import (
    critic_loss,
    face_difference,
    reconstruction,
    total_loss,
    verdict_loss,
)
from studio.engines.export3d.network import Drawn
from studio.networks.perceptual import PerceptualLoss, perceptual_loss


class Flat(PerceptualLoss):
    """Mean absolute difference: something whose values are known."""

    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().mean((1, 2, 3))


def drawn(picture: Tensor, raw: Tensor) -> Drawn:
    nothing = raw[:, :1]
    return Drawn(picture, raw, nothing, nothing, None)


def test_the_four_parts_of_reconstruction_are_counted_each_by_itself():
    driving = torch.full((2, 3, 64, 64), 0.2)
    made = drawn(torch.full((2, 3, 64, 64), 0.5), torch.full((2, 3, 32, 32), -0.2))
    parts = reconstruction(made, driving, Flat())
    values = [float(v) for v in (parts.raw_squares, parts.squares, parts.raw_perceptual, parts.perceptual)]
    assert all(abs(a - b) < 1e-6 for a, b in zip(values, (0.16, 0.09, 0.4, 0.3)))
    assert abs(float(parts.total) - 0.95) < 1e-6


def test_equal_pictures_cost_nothing_and_raw_ones_are_means():
    torch.manual_seed(0)
    driving = torch.rand(1, 3, 64, 64) * 2 - 1
    raw = torch.nn.functional.avg_pool2d(driving, 2)
    parts = reconstruction(drawn(driving, raw), driving, perceptual_loss(None))
    assert float(parts.total) < 1e-5
    assert float(reconstruction(drawn(driving, -raw), driving, perceptual_loss(None)).total) > 0.1


def test_places_can_count_more():
    driving = torch.zeros(1, 3, 64, 64)
    picture = driving.clone()
    picture[..., :32] = 0.5
    counts = torch.cat([torch.full((1, 1, 64, 32), 1.5), torch.full((1, 1, 64, 32), 0.5)], 3)
    raw = torch.nn.functional.avg_pool2d(picture, 2)
    parts = reconstruction(drawn(picture, raw), driving, Flat(), counts)
    assert abs(float(parts.squares) - 1.5 * 0.25 / 2) < 1e-6
    assert abs(float(parts.raw_squares) - 1.5 * 0.25 / 2) < 1e-6


def test_cross_entropies_in_closed_form():
    undecided = torch.zeros(4)
    assert abs(float(critic_loss(undecided, undecided)) - math.log(2)) < 1e-6
    assert abs(float(verdict_loss(undecided)) - math.log(2)) < 1e-6
    real, fake = torch.tensor([2.0]), torch.tensor([-1.0])
    p, q = 1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(1.0))
    assert abs(float(critic_loss(real, fake)) + 0.5 * (math.log(p) + math.log(1 - q))) < 1e-6
    assert abs(float(verdict_loss(fake)) + math.log(q)) < 1e-6


def test_the_verdict_weighs_a_hundredth():
    driving = torch.full((1, 3, 64, 64), 0.2)
    parts = reconstruction(drawn(driving, torch.full((1, 3, 32, 32), 0.2)), driving, Flat())
    assert float(total_loss(parts)) < 1e-6
    assert abs(float(total_loss(parts, torch.zeros(3))) - 0.01 * math.log(2)) < 1e-6


def test_faces_are_compared_only_where_they_count():
    driving = torch.zeros(1, 3, 32, 32)
    painted = driving.clone()
    painted[..., :8] = 0.5
    left = torch.zeros(1, 1, 32, 32)
    left[..., :16] = 1.0
    squares, looks = face_difference(painted, driving, left, Flat())
    assert abs(float(squares) - 0.25 / 2) < 1e-6  # half of what counts is wrong
    assert abs(float(looks) - 0.5 / 4) < 1e-6
    squares, looks = face_difference(painted, driving, 1.0 - left, Flat())
    assert float(squares) == float(looks) == 0.0
