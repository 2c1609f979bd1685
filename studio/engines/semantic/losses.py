"""What a semantic network is taught by: how pictures look, a discriminator's verdict, its features.

``perceptual · 10 + adversarial · 1 + matching · 10`` (paper, equation 1; weights of the public base code, as
the paper's are lost). The perceptual part is :mod:`studio.networks.appearance_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.keypoint_flow import picture_places
from studio.networks.patch_discriminator import Judgement

FOCUS = 0.12
"""Half sides of the picture about a keypoint of eyes or mouth within which errors count more."""
FEATURES = ("lip", "mouth", "lid", "iris")
"""Words in the names of keypoints around which faces are read."""


def critic_loss(real: Sequence[Judgement], drawn: Sequence[Judgement]) -> Tensor:
    """What the discriminator minimises: hinges at ±1 (Lim & Ye 2017), averaged over scales."""
    parts = [
        functional.relu(1.0 - a.score).mean() + functional.relu(1.0 + b.score).mean()
        for a, b in zip(real, drawn)
    ]
    return torch.stack(parts).mean()


def verdict_loss(drawn: Sequence[Judgement]) -> Tensor:
    """What the generator minimises: the negative mean score, averaged over scales."""
    return -torch.stack([judgement.score.mean() for judgement in drawn]).mean()


def matching_loss(real: Sequence[Judgement], drawn: Sequence[Judgement]) -> Tensor:
    """Mean absolute difference of the discriminator's features, summed over layers, averaged over scales.

    Real pictures' features are taken for given.
    """
    parts = [
        torch.stack([(a.detach() - b).abs().mean() for a, b in zip(one.features, other.features)]).sum()
        for one, other in zip(real, drawn)
    ]
    return torch.stack(parts).mean()


def places_that_count(keypoints: Tensor, rows: Sequence[int], side: int, more: float) -> Tensor:
    """A weight for each place that is larger around some keypoints: ``[B, 1, side, side]``, 1 on average.

    Args:
        keypoints: ``[B, K, 3]`` of the driving frame.
        rows: which of them.
        side: pixels.
        more: how many times a place right at a keypoint counts more than one far from all.
    """
    at = picture_places((side, side), keypoints)
    points = keypoints[:, list(rows), :2]
    # The nearest keypoint alone: lips that touch would otherwise count double.
    squared = (at[None, None] - points[..., None, None]).square().sum(2).amin(1, keepdim=True)
    weight = 1.0 + more * torch.exp(-0.5 / FOCUS**2 * squared)
    return weight / weight.mean((1, 2, 3), keepdim=True)


def feature_rows(count: int) -> list[int]:
    """Which of the first keypoints lie where faces are read: eyes and mouth."""
    from studio.engines.semantic.keypoints import KEYPOINTS

    return [
        row for row, point in enumerate(KEYPOINTS[:count]) if any(word in point.name for word in FEATURES)
    ]
