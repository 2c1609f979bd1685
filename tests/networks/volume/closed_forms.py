"""Cameras and scenes whose pictures are known without rendering."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from studio.networks.volume.compositing import Composite, composite, lengths_of
from studio.networks.volume.rays import Cameras, Rays, pixel_centres

DOUBLE = torch.float64
SIDE = 96
"""Pixels of a picture's side."""
METRE = 320.0
"""Pixels per metre: the picture shows 30 cm."""


def turned(yaw: float, pitch: float, roll: float) -> Tensor:
    """``[3, 3]`` of three plain turns in float64: yaw about y after -pitch about x after -roll about z."""

    def turn(axis: int, degrees: float) -> Tensor:
        a, b = [i for i in range(3) if i != axis]
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        s = -s if axis == 1 else s
        matrix = torch.eye(3, dtype=DOUBLE)
        matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
        return matrix

    return turn(1, yaw) @ turn(0, -pitch) @ turn(2, -roll)


def camera(
    nearness: float = 0.0,
    rotation: Tensor | None = None,
    centre: tuple[float, float] = (SIDE / 2, SIDE / 2),
    eye: tuple[float, float] = (0.0, 0.0),
) -> Cameras:
    """One upright camera; ``centre`` is the pixel of the head's origin."""
    x, y = centre
    return Cameras(
        rotation=(torch.eye(3, dtype=DOUBLE) if rotation is None else rotation)[None],
        to_plane=torch.tensor([[[1.0, 0.0, -x], [0.0, -1.0, y]]], dtype=DOUBLE) / METRE,
        nearness=torch.tensor([nearness], dtype=DOUBLE),
        eye=torch.tensor([eye], dtype=DOUBLE),
    )


def grid(left: float = 0.0, top: float = 0.0, side: int = SIDE) -> Tensor:
    """``[side², 2]`` pixel centres of a window."""
    return pixel_centres(left, top, side, side, side, side, dtype=DOUBLE)


def seen(
    rays: Rays,
    density: Callable[[Tensor], Tensor],
    values: Callable[[Tensor], Tensor],
    box: float = 0.15,
    count: int = 256,
) -> Composite:
    """What rays see of functions of head space, sampled evenly inside ±box metres."""
    side = torch.full((3,), box, dtype=rays.plane.dtype)
    enter, leave = rays.span(-side, side)
    leave = torch.maximum(enter, leave)
    part = (torch.arange(count, dtype=rays.plane.dtype) + 0.5) / count
    depth = enter[..., None] + (leave - enter)[..., None] * part
    points = rays.in_head(depth)
    lengths = lengths_of(depth, enter, leave) * rays.length[..., None]
    return composite(density(points), lengths, values(points), depth)


def sphere_depths(rays: Rays, radius: float) -> tuple[Tensor, Tensor]:
    """Depths ``[B, N]`` at which rays enter and leave a sphere about the origin; nan where they miss."""
    a = 1.0 + rays.slope.square().sum(-1)
    b = (rays.plane * rays.slope).sum(-1)
    c = rays.plane.square().sum(-1) - radius * radius
    root = (b * b - a * c).sqrt()
    return (-b - root) / a, (-b + root) / a


def pattern(points: Tensor) -> Tensor:
    """Smooth colours ``[..., 2]`` of head space, nowhere the same."""
    x, y, z = (points * 55.0).unbind(-1)
    one = (x + 0.4 * y).sin() * (0.7 * y - 0.3 * z + 0.5).cos() + (0.37 * x * y).sin()
    two = (0.9 * y + 0.8 * z).sin() * (0.5 * x + 1.0).cos() + (0.21 * x * z + 0.6 * y).cos()
    return torch.stack([one, two], -1)


def shift_between(first: Tensor, second: Tensor) -> tuple[float, float]:
    """Sub-pixel (x, y) by which the content of ``[H, W]`` second lies right of and below that of first.

    It is the peak of their likeness over whole pixels, refined by a paraboloid.
    """
    reach = 9
    height, width = first.shape
    core = first[reach : height - reach, reach : width - reach]
    scores = torch.empty(2 * reach + 1, 2 * reach + 1, dtype=DOUBLE)
    for j in range(2 * reach + 1):
        for i in range(2 * reach + 1):
            other = second[j : j + core.shape[0], i : i + core.shape[1]]
            scores[j, i] = -(other - core).square().mean()
    best = int(scores.argmax())
    row, column = divmod(best, 2 * reach + 1)

    near = scores[row - 1 : row + 2, column - 1 : column + 2]
    slope = torch.stack([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]]) / 2.0
    across, down = near[1, 0] - 2.0 * near[1, 1] + near[1, 2], near[0, 1] - 2.0 * near[1, 1] + near[2, 1]
    both = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4.0
    bend = torch.stack([torch.stack([across, both]), torch.stack([both, down])])
    x, y = (-torch.linalg.solve(bend, slope)).tolist()
    return column - reach + x, row - reach + y
