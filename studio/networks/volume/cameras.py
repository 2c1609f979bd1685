"""Cameras of tracked frames: what the tracker and a view say, as rays need it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from studio.domain.camera import View, rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.networks.volume.rays import Cameras


def cameras_of(
    motion: HeadMotion,
    view: View | Sequence[View] | npt.NDArray[np.floating],
    rotation: npt.NDArray[np.floating] | None = None,
    nearness: float = 0.0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Cameras:
    """One camera for each frame of a motion, seen through a view.

    A free camera (:mod:`studio.domain.free_camera`) gives ``rotation`` and ``nearness``, and has placed the
    motion's camera before it comes here. The eye is in front of the head's origin.

    Args:
        motion: B frames.
        view: what is shown: one view for all frames, one for each, or placements (source pixels to picture
            pixels) as ``[4]`` or ``[B, 4]`` in the order of ``Similarity.to_array``.
        rotation: ``[3, 3]`` that turns everything around the head's origin after the head's own pose.
        nearness: one over the eye's distance from the head's origin, 1/metres; 0 for parallel rays.

    Raises:
        ValueError: there are neither one nor B views.
    """
    turn = np.eye(3) if rotation is None else np.asarray(rotation, np.float64)
    pose = turn @ rotation_from_angles(motion.angles).astype(np.float64)
    to_plane = _to_plane(_placements(view, len(motion)), motion.camera.astype(np.float64))

    def tensor(values: npt.NDArray[np.floating]) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=dtype, device=device)

    return Cameras(
        rotation=tensor(pose),
        to_plane=tensor(to_plane),
        nearness=tensor(np.full(len(motion), nearness)),
        eye=tensor(np.zeros((len(motion), 2))),
        orbit=None if rotation is None else tensor(np.broadcast_to(turn, pose.shape)),
    )


def _placements(
    view: View | Sequence[View] | npt.NDArray[np.floating], count: int
) -> npt.NDArray[np.float64]:
    """``[count, 4]``."""
    if isinstance(view, View):
        view = [view]
    if not isinstance(view, np.ndarray):
        view = np.stack([one.placement.to_array() for one in view])
    given = np.atleast_2d(np.asarray(view, np.float64))
    if given.shape not in ((1, 4), (count, 4)):
        raise ValueError(f"{len(given)} views for {count} frames")
    return np.broadcast_to(given, (count, 4))


def _to_plane(placement: npt.NDArray[np.float64], camera: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Picture pixels to the head's plane, ``[B, 2, 3]``: back through the placement, then the camera."""
    scale, angle, x, y = placement.T
    focal, cx, cy = camera.T
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    source_x = np.stack([c, s, -(c * x + s * y) - cx], -1)
    source_y = np.stack([-s, c, s * x - c * y - cy], -1)
    return np.stack([source_x, -source_y], -2) / focal[:, None, None]
