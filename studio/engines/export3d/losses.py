"""What an Export3D network is taught by (paper, section 6.3).

First ``L_rec = L2_raw + L2 + LPIPS_raw + LPIPS`` (equation 13), then with a discriminator that is told the
camera ``λ_rec · L_rec + λ_adv · L_adv`` (equation 14), L_adv by binary cross-entropy. LPIPS is the user's
VGG16, or what :mod:`studio.networks.perceptual` puts in its place and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from studio.engines.export3d.network import Drawn
from studio.networks.perceptual import PerceptualLoss

RECONSTRUCTION, ADVERSARIAL = 1.0, 0.01
"""λ_rec and λ_adv."""


@dataclass(frozen=True)
class Reconstruction:
    """The parts of equation 13, a number each."""

    raw_squares: Tensor
    """Mean squared difference of the raw picture."""
    squares: Tensor
    """Of the picture."""
    raw_perceptual: Tensor
    """Perceptual difference of the raw picture."""
    perceptual: Tensor
    """Of the picture."""

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.raw_squares + self.squares + self.raw_perceptual + self.perceptual


def reconstruction(
    drawn: Drawn, driving: Tensor, perceptual: PerceptualLoss, counts: Tensor | None = None
) -> Reconstruction:
    """How far drawn pictures are from the driving frames.

    Args:
        drawn: B pictures.
        driving: ``[B, 3, S, S]`` -1..1. The raw driving picture is its mean over a raw pixel's area.
        perceptual: what compares looks. Raw pictures must be as large as it can compare: 32 pixels.
        counts: ``[B, 1, S, S]`` how much squares count at each place, 1 on average; None for all alike.
    """
    raw = functional.interpolate(driving, drawn.raw.shape[2:], mode="area")
    return Reconstruction(
        _squares(drawn.raw, raw, counts),
        _squares(drawn.picture, driving, counts),
        perceptual(drawn.raw.clamp(-1.0, 1.0), raw).mean(),
        perceptual(drawn.picture.clamp(-1.0, 1.0), driving).mean(),
    )


def face_difference(
    painted: Tensor, driving: Tensor, counts: Tensor, perceptual: PerceptualLoss
) -> tuple[Tensor, Tensor]:
    """How far painted faces are from the driving frames' faces, both seen from the front: squares, and looks.

    Args:
        painted: ``[B, 3, W, W]`` -1..1.
        driving: ``[B, 3, W, W]``.
        counts: ``[B, 1, W, W]`` 0..1 how much a place counts: 0 where the driving frame does not show it.
        perceptual: what compares looks.
    """
    squares = ((painted - driving).square() * counts).mean() / counts.mean().clamp_min(1e-3)
    # What does not count is made alike, so that looks have no border there.
    return squares, perceptual(torch.lerp(driving, painted, counts), driving).mean()


def critic_loss(real: Tensor, drawn: Tensor) -> Tensor:
    """What the discriminator minimises: binary cross-entropy of its logits ``[B]``, real ones being 1.

    Half the sum over both kinds, so that an undecided critic has log 2.
    """
    return 0.5 * (functional.softplus(-real).mean() + functional.softplus(drawn).mean())


def verdict_loss(drawn: Tensor) -> Tensor:
    """What the generator minimises: binary cross-entropy of being taken for real, logits ``[B]``."""
    return functional.softplus(-drawn).mean()


def total_loss(parts: Reconstruction, drawn: Tensor | None = None) -> Tensor:
    """Equation 14; without a discriminator's logits ``[B]`` equation 13."""
    total = RECONSTRUCTION * parts.total
    return total if drawn is None else total + ADVERSARIAL * verdict_loss(drawn)


def _squares(drawn: Tensor, wanted: Tensor, counts: Tensor | None) -> Tensor:
    error = (drawn - wanted).square()
    if counts is None:
        return error.mean()
    places = functional.interpolate(counts, error.shape[2:], mode="area")
    return (error * places).mean()
