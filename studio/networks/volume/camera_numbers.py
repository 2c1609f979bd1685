"""Cameras as EG3D's 25 numbers and back: camera-to-world 4×4 row by row, then normalised intrinsics 3×3.

World space is the head's, in units of :data:`UNIT` metres; camera axes are OpenCV's (x right, y down, z
forward); intrinsics are divided by the picture's side, so that 0.5 is its middle (Chan et al. 2022).

The tracker's camera has the head's place and size as a scaled orthographic one has them. In 25 numbers

* the head's turn is in the rotation: the head rests, the camera goes around it;
* the head's place in the picture is in the principal point, and its size in the focal length;
* parallel rays, which no pinhole has, are a telephoto from :data:`TELEPHOTO` units away: what is 0.2 m off
  the head's plane and 0.2 m off the axis is so displaced by a tenth of a millimetre. On the way back an eye
  that far away means parallel rays again, exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from studio.networks.volume.rays import Cameras

UNIT = 0.37
"""Metres in a unit of EG3D's world: it takes Deep3DFaceRecon's decimetres times 0.27."""
RADIUS = 2.7
"""Units from the head at which EG3D's cameras stand."""
TELEPHOTO = 1000.0
"""Units from the head at which an eye with parallel rays stands."""
NUMBERS = 25
"""In a camera."""
_SQUARE = 1e-3
"""Share by which pixels may be taller than wide, or leaning, before they are refused."""


def camera_numbers(cameras: Cameras, side: float, parallel_from: float = TELEPHOTO) -> Tensor:
    """The 25 numbers ``[B, 25]`` of cameras with square pixels.

    Args:
        cameras: B.
        side: of the picture, pixels.
        parallel_from: units from which parallel rays come. :data:`RADIUS` gives numbers of the size that
            EG3D's have, for networks that are told a camera; they agree with the rays in the head's plane.

    Raises:
        ValueError: pixels are not square.
    """
    linear = cameras.to_plane[:, :, :2]
    pixel = linear[:, 0].norm(dim=-1)  # metres
    cosine, sine = (linear[:, 0] / pixel[:, None]).unbind(-1)
    wanted = torch.stack([cosine, sine, sine, -cosine], -1).view(-1, 2, 2) * pixel[:, None, None]
    if bool(((linear - wanted).abs().amax((1, 2)) > _SQUARE * pixel).any()):
        raise ValueError("only cameras with square pixels have 25 numbers")
    # A turned picture is a turned camera: afterwards its rows are level.
    level = torch.stack([cosine, sine, -sine, cosine], -1).view(-1, 2, 2)
    turn = torch.eye(3).to(linear).repeat(len(linear), 1, 1)
    turn[:, :2, :2] = level
    shift = (level @ cameras.to_plane[:, :, 2:])[..., 0]
    eye = (level @ cameras.eye[..., None])[..., 0]
    far = torch.where(
        cameras.nearness > 0,
        1.0 / cameras.nearness.clamp_min(1e-12),
        torch.full_like(pixel, parallel_from * UNIT),
    )
    to_world = (turn @ cameras.rotation).mT
    place = (to_world @ torch.cat([eye, far[:, None]], -1)[..., None])[..., 0] / UNIT
    extrinsic = torch.eye(4).to(linear).repeat(len(linear), 1, 1)
    extrinsic[:, :3, :3] = to_world * torch.tensor([1.0, -1.0, -1.0]).to(linear)
    extrinsic[:, :3, 3] = place
    intrinsic = torch.eye(3).to(linear).repeat(len(linear), 1, 1)
    intrinsic[:, 0, 0] = intrinsic[:, 1, 1] = far / (pixel * side)
    intrinsic[:, 0, 2] = (eye[:, 0] - shift[:, 0]) / (pixel * side)
    intrinsic[:, 1, 2] = (shift[:, 1] - eye[:, 1]) / (pixel * side)
    return torch.cat([extrinsic.flatten(1), intrinsic.flatten(1)], 1)


def cameras_of_numbers(numbers: Tensor, side: float) -> Cameras:
    """Cameras of 25 numbers ``[B, 25]`` for pictures of a side in pixels.

    They hold no orbit: whatever turns is thought to be the head.

    Raises:
        ValueError: there are not 25 numbers, or they do not belong to a pinhole with square pixels that
            stands before the head.
    """
    if numbers.ndim != 2 or numbers.shape[1] != NUMBERS:
        raise ValueError(f"cameras are [B, {NUMBERS}], got {list(numbers.shape)}")
    extrinsic, intrinsic = numbers[:, :16].reshape(-1, 4, 4), numbers[:, 16:].reshape(-1, 3, 3)
    focal = intrinsic[:, 0, 0]
    skew = torch.stack([intrinsic[:, 1, 1] - focal, intrinsic[:, 0, 1], intrinsic[:, 1, 0]], -1)
    if bool((skew.abs().amax(-1) > _SQUARE * focal.abs()).any()):
        raise ValueError("only cameras with square pixels have rays here")
    axes = torch.tensor([1.0, -1.0, -1.0]).to(numbers)
    rotation = axes[:, None] * extrinsic[:, :3, :3].mT
    place = (rotation @ extrinsic[:, :3, 3:])[..., 0] * UNIT
    far = place[:, 2]
    if bool((far <= 0).any()):
        raise ValueError("an eye must stand before the head's plane")
    pixel = far / (focal * side)
    eye = place[:, :2]
    shift_x = eye[:, 0] - intrinsic[:, 0, 2] * side * pixel
    shift_y = eye[:, 1] + intrinsic[:, 1, 2] * side * pixel
    nothing = torch.zeros_like(pixel)
    rows = [torch.stack([pixel, nothing, shift_x], -1), torch.stack([nothing, -pixel, shift_y], -1)]
    parallel = far >= 0.999 * TELEPHOTO * UNIT
    return Cameras(
        rotation=rotation,
        to_plane=torch.stack(rows, 1),
        nearness=torch.where(parallel, nothing, 1.0 / far),
        eye=eye,
    )
