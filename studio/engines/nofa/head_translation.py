"""Where a head is in the frame, in absolute terms (paper, section 4.1, modelling head translation).

A tracker that aligns faces before it looks at them knows their translation only within the aligned picture:
driven by it, every head stays in the middle. The paper therefore moves the camera by how far the face's
landmarks are from where they were in the source.

The project's own cameras need none of it: they are of whole frames, and carry place and size. This module is
for cameras from elsewhere, and for driving that counts from the source's place.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import origin_at
from studio.networks.volume.sliding_window import before_a_moved_head


def face_centre(landmarks: Tensor) -> Tensor:
    """``[B, 2]`` the mean of landmarks ``[B, L, 2 or more]``, pixels."""
    if landmarks.ndim != 3 or landmarks.shape[2] < 2:
        raise ValueError(f"landmarks are [B, L, 2 or 3], got {list(landmarks.shape)}")
    return landmarks[..., :2].mean(1)


def centred(cameras: Cameras, place: Tensor) -> Cameras:
    """Cameras that see the head's origin at a place ``[B, 2]``, whatever else they saw: what is left of them
    once faces are aligned."""
    return before_a_moved_head(cameras, origin_at(cameras) - place)


def translated(cameras: Cameras, driving: Tensor, source: Tensor) -> Cameras:
    """Cameras before which the head has moved as far as its face has in the picture.

    Args:
        cameras: B, of centred heads.
        driving: ``[B, 2]`` centre of the face in driving frames, pixels of the cameras' pictures.
        source: ``[B, 2]`` or ``[2]`` the same of the source.

    Returns:
        Cameras whose eye has gone against the head by that many pixels of the head's plane.
    """
    return before_a_moved_head(cameras, torch.broadcast_to(source, driving.shape) - driving)


def scaled(cameras: Cameras, place: Tensor, size: Tensor) -> Cameras:
    """Cameras that see everything ``size`` ``[B]`` times as large, about places ``[B, 2]``: for faces whose
    size in the frame an aligned tracker does not know either."""
    linear = cameras.to_plane[:, :, :2] / size[:, None, None]
    kept = (cameras.to_plane[:, :, :2] @ place[..., None]) + cameras.to_plane[:, :, 2:]
    shift = kept - linear @ place[..., None]
    return replace(cameras, to_plane=torch.cat([linear, shift], -1))
