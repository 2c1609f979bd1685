"""What the head model says of an expression, as maps over the front of the volume."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.engines.nofa.deformation import on_front
from studio.engines.nofa.motion_maps import MotionMaps, canonical_motion
from studio.head import builtin_head
from studio.head.rasterise import rasterise
from studio.head.zero_pose import FrontalGrid
from studio.networks.volume.camera_numbers import UNIT
from tests.engines.nofa.little_nofa import PROJECT

FINE = 1024
MODEL = builtin_head()


@pytest.mark.parametrize("shut", [0.5, 1.0])
def test_eyes_that_close_close_wholly(shut: float) -> None:
    """Every place of the lids comes from where the mesh says that it is on the canonical face."""
    maps = MotionMaps(MODEL, MODEL.template, PROJECT)
    closing = replace(canonical_motion(PROJECT), eyelids=np.full((1, 2), shut, np.float32))
    face = MODEL.deform(MODEL.template, closing)[0]
    half = 0.5 * UNIT
    middle = np.array([0.0, -PROJECT.lowered], np.float32)
    grid = FrontalGrid(middle - half, middle + half, FINE)
    seen = rasterise(grid.to_pixels(face), MODEL.triangles, FINE, FINE)
    way = seen.interpolate(maps.face - face, MODEL.triangles)  # metres
    lids = (seen.triangle >= 0) & (np.linalg.norm(way, axis=-1) > 0.002)
    assert lids.sum() > 500
    places = (grid.centres()[lids] - middle) / UNIT
    points = np.concatenate([places, np.zeros((len(places), 1))], 1).astype(np.float32)
    moved = on_front(torch.from_numpy(maps.to_canonical(closing)), torch.from_numpy(points)[None])[0].numpy()
    wrong = np.linalg.norm(moved * UNIT - way[lids], axis=1)
    assert wrong.mean() < 0.15 * np.linalg.norm(way[lids], axis=1).mean()


def test_the_canonical_expression_moves_nothing() -> None:
    maps = MotionMaps(MODEL, MODEL.template, PROJECT)
    still = canonical_motion(PROJECT)
    assert np.abs(maps.to_canonical(still)).max() < 1e-6
    assert np.abs(maps.from_canonical(still)).max() < 1e-6
