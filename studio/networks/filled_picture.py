"""A picture without the person in it: what surrounds them, continued smoothly. Torch's twin of
head.pull_push."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

RIM = 2
"""Pixels around an outline that are not believed to be free of the person."""


def without_person(picture: Tensor, outline: Tensor) -> Tensor:
    """What may be behind a person.

    Args:
        picture: ``[B, C, S, S]``, S a power of two.
        outline: ``[B, 1, S, S]`` 0..1: how much of the person is in each pixel.

    Returns:
        ``[B, C, S, S]``: the picture where nobody is; elsewhere from coarser and coarser averages of that.
        All zero where the person is everywhere.
    """
    with torch.no_grad():
        wide = functional.max_pool2d(outline, 2 * RIM + 1, 1, RIM)
        weight = 1.0 - wide.clamp(0.0, 1.0)
        total = picture * weight
        levels = [(total, weight)]
        while min(weight.shape[2:]) > 1:
            total, weight = functional.avg_pool2d(total, 2), functional.avg_pool2d(weight, 2)
            levels.append((total, weight))
        result = total / weight.clamp_min(1e-6)
        for total, weight in reversed(levels[:-1]):
            size = (weight.shape[2], weight.shape[3])
            result = functional.interpolate(result, size, mode="bilinear", align_corners=False)
            result = total + (1.0 - weight) * result
        return result


def without_surroundings(picture: Tensor, outline: Tensor) -> Tensor:
    """A person's colours continued beyond their outline, arguments as above: what comes into sight behind an
    outline's edge is hair or cloth, and not the wall."""
    return torch.lerp(without_person(picture, 1.0 - outline), picture, outline)
