"""Rays of a camera through the head's space.

A camera sees the head's plane, which passes through the head's origin and faces the viewer, through an affine
map from picture pixels to metres: the scaled orthographic camera of :mod:`studio.domain.camera` together with
any view placement. One more number, its nearness, makes it a pinhole: the eye is ``1 / nearness`` metres in
front of that plane, and whatever lies in the plane keeps its place in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True)
class Cameras:
    """B cameras."""

    rotation: Tensor
    """``[B, 3, 3]`` head space to camera space (x to the viewer's right, y up, z towards the viewer)."""
    to_plane: Tensor
    """``[B, 2, 3]`` continuous picture coordinates to metres in the head's plane (x right, y up)."""
    nearness: Tensor
    """``[B]`` one over the eye's distance from the head's plane, 1/metres; 0 for parallel rays."""
    eye: Tensor
    """``[B, 2]`` metres of the head's plane: the point that the eye is in front of."""
    orbit: Tensor | None = None
    """``[B, 3, 3]`` the part of the rotation that comes after the head's own, and turns with everything what
    the head does not take along; None for none."""

    def rays(self, pixels: Tensor) -> Rays:
        """Rays through ``[N, 2]`` or ``[B, N, 2]`` continuous picture coordinates."""
        plane = pixels @ self.to_plane[:, :, :2].mT + self.to_plane[:, None, :, 2]
        return Rays(self, plane)

    def take(self, rows: Tensor | npt.NDArray[np.integer] | list[int]) -> Cameras:
        """Some of them, in any order."""
        chosen = torch.as_tensor(rows, device=self.rotation.device)
        return Cameras(
            self.rotation[chosen],
            self.to_plane[chosen],
            self.nearness[chosen],
            self.eye[chosen],
            None if self.orbit is None else self.orbit[chosen],
        )

    def moved(self, shift: Tensor) -> Cameras:
        """Cameras whose picture is the window of this one that begins at ``[B, 2]`` pixels: the picture's
        point p is here what p + shift is there. The eye stays where it is."""
        offset = self.to_plane[:, :, :2] @ shift[:, :, None]
        to_plane = torch.cat([self.to_plane[:, :, :2], self.to_plane[:, :, 2:] + offset], -1)
        return replace(self, to_plane=to_plane)


@dataclass(frozen=True)
class Rays:
    """N rays of each of B cameras. ``depth`` below is metres behind the head's plane, seen from the eye."""

    cameras: Cameras
    plane: Tensor
    """``[B, N, 2]`` where they pierce the head's plane, metres."""

    @property
    def slope(self) -> Tensor:
        """``[B, N, 2]`` metres sideways for each metre of depth."""
        return (self.plane - self.cameras.eye[:, None]) * self.cameras.nearness[:, None, None]

    @property
    def length(self) -> Tensor:
        """``[B, N]`` metres along the ray for each metre of depth."""
        return (1.0 + self.slope.square().sum(-1)).sqrt()

    def in_camera(self, depth: Tensor) -> Tensor:
        """Camera-space points ``[B, N, S, 3]`` at depths ``[B, N, S]``."""
        sideways = self.plane[:, :, None] + self.slope[:, :, None] * depth[..., None]
        return torch.cat([sideways, -depth[..., None]], -1)

    def in_head(self, depth: Tensor) -> Tensor:
        """Head-space points ``[B, N, S, 3]`` at depths ``[B, N, S]``."""
        return self.in_camera(depth) @ self.cameras.rotation[:, None]

    def directions(self) -> Tensor:
        """``[B, N, 3]`` unit directions in head space, away from the viewer."""
        down = -torch.ones_like(self.plane[..., :1])
        return torch.cat([self.slope, down], -1) @ self.cameras.rotation / self.length[..., None]

    def span(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Depths ``[B, N]`` at which rays enter and leave an axis-aligned box of head space.

        Args:
            low, high: ``[3]`` the box's corners, metres.

        Returns:
            ``(enter, leave)``, nothing behind the eye; where a ray misses the box, leave is not beyond enter.
        """
        start = self.in_head(torch.zeros_like(self.plane[..., :1]))[:, :, 0]
        along = self.directions() * self.length[..., None]
        along = torch.where(along.abs() < 1e-9, torch.full_like(along, 1e-9), along)
        first, second = (low - start) / along, (high - start) / along
        enter, leave = torch.minimum(first, second).amax(-1), torch.maximum(first, second).amin(-1)
        return torch.maximum(enter, -1.0 / self.cameras.nearness[:, None]), leave


def pixel_centres(
    left: float,
    top: float,
    width: float,
    height: float,
    columns: int,
    rows: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Centres of a grid laid over a window: ``[rows * columns, 2]`` continuous coordinates, row by row."""
    x = left + (torch.arange(columns, device=device, dtype=dtype) + 0.5) * (width / columns)
    y = top + (torch.arange(rows, device=device, dtype=dtype) + 0.5) * (height / rows)
    return torch.stack([x.repeat(rows), y.repeat_interleave(columns)], -1)
