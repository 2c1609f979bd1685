"""Cameras of a pair of frames, as its pictures were changed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipelines.pair_batches import Change
from studio.corpus.pairs import Pair
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import enlarged, mirrored


def pair_cameras(cameras: Cameras, pair: Pair, change: Change, side: int) -> Cameras:
    """Those of source and driving frame, one after the other, of pictures enlarged and mirrored by a change.

    Args:
        cameras: of the clip's frames, in pixels of the pictures.
        pair: which frames.
        change: what was done to both pictures.
        side: of the pictures, pixels.
    """
    return changed_cameras(cameras.take([pair.source, pair.driving]), change, side)


def changed_cameras(cameras: Cameras, change: Change, side: int) -> Cameras:
    """Cameras, in pixels of pictures ``side`` wide, of those pictures as a change shows them."""
    if change.zoom != 1.0:
        half, count = 0.5 * side, len(cameras.rotation)
        corner = half * (1.0 + torch.tensor([change.at], dtype=torch.float32)) - half / change.zoom
        cameras = enlarged(cameras, torch.full((count,), change.zoom), corner.expand(count, 2))
    return mirrored(cameras, side) if change.flip else cameras


def together(cameras: Sequence[Cameras], device: torch.device | str) -> Cameras:
    """Cameras without an orbit, one after another."""
    return Cameras(
        *(
            torch.cat([getattr(one, name) for one in cameras]).to(device)
            for name in ("rotation", "to_plane", "nearness", "eye")
        )
    )
