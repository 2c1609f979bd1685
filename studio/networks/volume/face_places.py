"""Where in a picture faces are read: around eyes and mouth."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from studio.head.builtin import builtin_head
from studio.networks.volume.rays import Cameras, pixel_centres
from studio.networks.volume.seeing import seen_at

VERTICES = (13, 14, 61, 291, 78, 308, 33, 133, 159, 145, 468, 263, 362, 386, 374, 473)
"""MediaPipe's indices: lips' inner edges and corners, then each eye's corners, lids and iris."""
FOCUS = 0.12
"""Half sides of the picture about such a point within which errors count more."""


def places_that_count(cameras: Cameras, side: int, more: float) -> Tensor:
    """A weight for each place that is larger around eyes and mouth: ``[B, 1, side, side]``, 1 on average.

    The mean head's neutral points stand for everybody's: they are a few pixels off, and the weight is wide.

    Args:
        cameras: B, in pixels of a picture ``side`` wide.
        side: pixels.
        more: how many times a place right at such a point counts more than one far from all.
    """
    points = neutral_places().to(cameras.rotation)
    seen = seen_at(cameras, points.expand(len(cameras.rotation), -1, -1))
    pixels = pixel_centres(0.0, 0.0, side, side, side, side, seen.device)
    # The nearest point alone: lips that touch would otherwise count double.
    away = torch.cdist(pixels.expand(len(seen), -1, -1), seen).amin(2) / (0.5 * side)
    weight = 1.0 + more * torch.exp(-0.5 * (away / FOCUS).square())
    return (weight / weight.mean(1, keepdim=True)).view(-1, 1, side, side)


@cache
def neutral_places() -> Tensor:
    """Where :data:`VERTICES` are on the mean head, at rest: ``[1, P, 3]`` metres of head space."""
    head = builtin_head()
    place = {int(vertex): row for row, vertex in enumerate(head.landmark_ids)}
    marks = head.pick_landmarks(head.template)
    return torch.from_numpy(marks[[place[vertex] for vertex in VERTICES]]).float()[None]
