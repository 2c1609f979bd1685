"""Each loss on inputs made by hand, in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from studio.engines.semantic.keypoints import KEYPOINTS
from studio.engines.semantic.losses import (
    critic_loss,
    feature_rows,
    matching_loss,
    places_that_count,
    verdict_loss,
)
from studio.networks.appearance_loss import ColourLoss, PerceptualLoss, appearance_loss
from studio.networks.patch_discriminator import Judgement


def said(*scores: float, features: tuple[float, ...] = ()) -> list[Judgement]:
    """One resolution for each score, all of whose features are the given numbers."""
    felt = tuple(torch.full((1, 2, 3, 3), value) for value in features)
    return [Judgement(torch.full((1, 1, 4, 4), score), felt) for score in scores]


def test_critic_wants_real_above_one_and_drawn_below_minus_one() -> None:
    assert critic_loss(said(2.0, 1.0), said(-3.0, -1.0)).item() == 0.0
    # (1 - 0.5) + (1 + 0.25) and (1 + 1) + 0, averaged over both resolutions
    assert critic_loss(said(0.5, -1.0), said(0.25, -2.0)).item() == pytest.approx((1.75 + 2.0) / 2)


def test_generator_wants_high_scores() -> None:
    assert verdict_loss(said(0.5, -2.0)).item() == pytest.approx(0.75)


def test_features_are_matched_layer_by_layer() -> None:
    real, drawn = said(0.0, 0.0, features=(1.0, 2.0)), said(0.0, 0.0, features=(1.5, 5.0))
    assert matching_loss(real, drawn).item() == pytest.approx(0.5 + 3.0)
    assert matching_loss(real, real).item() == 0.0


def test_real_features_are_taken_for_given() -> None:
    real, drawn = (torch.ones(1, 1, 2, 2) * x for x in (1.0, 3.0))
    real.requires_grad_(True)
    drawn.requires_grad_(True)
    matching_loss([Judgement(real, (real,))], [Judgement(drawn, (drawn,))]).backward()
    assert real.grad is None
    assert torch.allclose(drawn.grad, torch.full_like(drawn, 0.25))  # type: ignore[arg-type]


def test_colours_and_gradients_at_four_scales() -> None:
    flat = torch.zeros(1, 3, 128, 128)
    loss = ColourLoss()
    assert loss(flat, flat).item() == 0.0
    # A constant difference is the same at each of the four scales and has no gradient.
    assert loss(flat + 0.25, flat).item() == pytest.approx(4 * 0.25, rel=1e-5)
    # A ramp along x: its gradient doubles with every halving, its mean difference stays.
    ramp = (0.001 * torch.arange(128.0)).expand(1, 3, 128, 128)
    steps = sum(0.001 * 2**scale for scale in range(4))
    assert loss(ramp, flat).item() == pytest.approx(4 * 0.0635 + steps, rel=1e-4)
    # Sides below 16 are left out: of 32 two scales are looked at.
    assert loss(flat[..., :32, :32] + 0.25, flat[..., :32, :32]).item() == pytest.approx(0.5, rel=1e-5)


def test_stripes_of_one_pixel_count_at_the_first_scale_alone() -> None:
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 0.5
    stripes[..., 1::2] = -0.5
    assert ColourLoss()(stripes, torch.zeros_like(stripes)).item() == pytest.approx(0.5 + 1.0, rel=1e-5)


def test_perceptual_loss_sums_layers_and_scales() -> None:
    class Felt(nn.Module):
        """Five layers, each of which feels the picture's mean a little more."""

        def forward(self, x: Tensor) -> list[Tensor]:
            return [x * layer for layer in range(1, 6)]

    loss = PerceptualLoss.__new__(PerceptualLoss)
    nn.Module.__init__(loss)
    loss.features = Felt()  # type: ignore[assignment]
    a, b = torch.zeros(1, 3, 128, 128), torch.full((1, 3, 128, 128), 0.1)
    assert loss(a, b).item() == pytest.approx(4 * (1 + 2 + 3 + 4 + 5) * 0.1, rel=1e-4)


def test_without_vgg19_the_stand_in_says_so() -> None:
    loss = appearance_loss(None)
    assert isinstance(loss, ColourLoss)
    assert "VGG19" in loss.sentence


def test_places_around_eyes_and_mouth_count_more() -> None:
    rows = feature_rows(16)
    assert {KEYPOINTS[row].name for row in rows} == {
        "upper lip, inner edge",
        "lower lip, inner edge",
        "left corner of the mouth",
        "right corner of the mouth",
        "left upper lid",
        "right upper lid",
        "left iris",
        "right iris",
    }
    points = torch.zeros(1, 16, 3)
    points[0, :, 0] = 10.0  # far outside
    points[0, rows[0], :2] = torch.tensor([-1 + 21 / 64, -1 + 41 / 64])  # the middle of pixel (10, 20)
    counts = places_that_count(points, rows, 64, 3.0)
    assert counts.shape == (1, 1, 64, 64)
    assert counts.mean().item() == pytest.approx(1.0, rel=1e-5)
    assert counts[0, 0].argmax().item() == 20 * 64 + 10
    assert (counts.max() / counts.min()).item() == pytest.approx(4.0, rel=1e-3)
    # An error counts by where it is.
    a, b = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    a[..., 18:23, 8:13], b[..., 48:53, 48:53] = 0.5, 0.5
    zero = torch.zeros(1, 3, 64, 64)
    assert ColourLoss()(a, zero, counts) > 2.0 * ColourLoss()(b, zero, counts)
