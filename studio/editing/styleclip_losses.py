"""What StyleCLIP minimises: far from the words, far from the person, far from where it began."""

from __future__ import annotations

import torch
from torch import Tensor

from studio.editing.clip_pictures import random_windows
from studio.editing.clip_words import Clip
from studio.editing.identity_drift import IdentityMeter


def clip_loss(clip: Clip, pictures: Tensor, goal: Tensor, smallest: float, chance: torch.Generator) -> Tensor:
    """1 − the cosine of pictures, each looked at through a window of its own, with where they shall go.

    Args:
        pictures: ``[B, 3, R, R]``.
        goal: ``[E]`` of length one.
        smallest: side of the smallest window, as a share of the picture.
        chance: a generator of the CPU.
    """
    windows = random_windows(len(pictures), smallest, chance)
    return (1.0 - clip.pictures(pictures, windows) @ goal).mean()


def identity_loss(meter: IdentityMeter, pictures: Tensor, unedited: Tensor) -> Tensor:
    """Mean drift of pictures from unedited ones, both ``[B, 3, R, R]``; gradients towards the first."""
    with torch.no_grad():
        known = meter.embed(unedited)
    return (1.0 - (meter.embed(pictures) * known).sum(-1)).mean()


def identity_takes_part(meter: IdentityMeter | None, weight: float) -> bool:
    """Whether the identity loss can take part: only of a network with gradients, and with a weight."""
    return bool(weight) and meter is not None and meter.smooth
