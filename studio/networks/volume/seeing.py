"""Where cameras see points: the way back from rays."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from studio.networks.volume.rays import Cameras


def seen_at(cameras: Cameras, points: Tensor) -> Tensor:
    """Continuous picture coordinates ``[B, M, 2]`` at which points ``[B, M, 3]`` of head space are seen.

    Points beside or behind a near eye have no such place; they must not be asked for.
    """
    there = points @ cameras.rotation.mT
    depth = -there[..., 2:]
    near = cameras.nearness[:, None, None]
    plane = (there[..., :2] + cameras.eye[:, None] * near * depth) / (1.0 + near * depth)
    return on_picture(cameras, plane)


def on_picture(cameras: Cameras, plane: Tensor) -> Tensor:
    """Picture coordinates ``[B, M, 2]`` of places ``[B, M, 2]`` of the head's plane, metres."""
    back = inverse_2x2(cameras.to_plane[:, :, :2])
    return (plane - cameras.to_plane[:, None, :, 2]) @ back.mT


def origin_at(cameras: Cameras) -> Tensor:
    """Picture coordinates ``[B, 2]`` of the head's origin."""
    nowhere = torch.zeros_like(cameras.to_plane[:, None, :, 2])
    return on_picture(cameras, nowhere)[:, 0]


def mirrored(cameras: Cameras, side: float) -> Cameras:
    """Cameras of the same pictures, ``side`` pixels wide, seen in a mirror."""
    flip = torch.tensor([-1.0, 1.0, 1.0]).to(cameras.rotation)
    x, y, shift = cameras.to_plane.unbind(-1)
    to_plane = torch.stack([-x, y, shift + side * x], -1) * flip[:2, None]
    both = flip[:, None] * flip
    return replace(
        cameras,
        rotation=cameras.rotation * both,
        to_plane=to_plane,
        eye=cameras.eye * flip[:2],
        orbit=None if cameras.orbit is None else cameras.orbit * both,
    )


def enlarged(cameras: Cameras, zoom: Tensor, corner: Tensor) -> Cameras:
    """Cameras of windows that were enlarged: a picture's point p is then at ``zoom · (p − corner)``.

    Args:
        cameras: of the whole pictures.
        zoom: ``[B]``.
        corner: ``[B, 2]`` pixels of the whole pictures.
    """
    moved = cameras.moved(corner)
    linear = moved.to_plane[:, :, :2] / zoom[:, None, None]
    return replace(moved, to_plane=torch.cat([linear, moved.to_plane[:, :, 2:]], -1))


def inverse_2x2(matrix: Tensor) -> Tensor:
    """Of ``[..., 2, 2]``, on every device alike."""
    a, b, c, d = matrix.flatten(-2).unbind(-1)
    inverse = torch.stack([d, -b, -c, a], -1).view_as(matrix)
    return inverse / (a * d - b * c)[..., None, None]
