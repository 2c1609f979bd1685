"""Where cameras see points: the way back from rays, mirrors and windows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import enlarged, mirrored, origin_at, seen_at
from tests.networks.volume.closed_forms import DOUBLE, SIDE, camera, grid, turned


def one(nearness: float) -> Cameras:
    made = camera(nearness, turned(25, -10, 15), centre=(40.3, 52.6), eye=(0.02, -0.03))
    c, s = 0.9553364891256060, 0.2955202066613396
    tilt = torch.tensor([[c, s], [-s, c]], dtype=DOUBLE)
    return replace(made, to_plane=tilt @ made.to_plane, orbit=turned(10, 5, 0)[None])


def points_of(cameras: Cameras, pixels: Tensor, depth: float) -> Tensor:
    rays = cameras.rays(pixels)
    return rays.in_head(torch.full((*rays.plane.shape[:2], 1), depth, dtype=DOUBLE))[:, :, 0]


@pytest.mark.parametrize("nearness", [0.0, 2.0])
@pytest.mark.parametrize("depth", [-0.1, 0.0, 0.2])
def test_a_rays_points_are_seen_at_its_pixel(nearness, depth):
    cameras = one(nearness)
    assert (seen_at(cameras, points_of(cameras, grid(), depth)) - grid()).abs().max() < 1e-9


def test_the_heads_origin_is_where_it_was_put():
    assert torch.allclose(origin_at(camera(centre=(40.3, 52.6))), torch.tensor([[40.3, 52.6]], dtype=DOUBLE))


@pytest.mark.parametrize("nearness", [0.0, 2.0])
def test_a_mirrored_camera_sees_the_mirrored_head(nearness):
    cameras = one(nearness)
    points = points_of(cameras, grid(), 0.07)
    there = seen_at(cameras, points)
    flipped = seen_at(mirrored(cameras, SIDE), points * torch.tensor([-1.0, 1.0, 1.0], dtype=DOUBLE))
    assert (flipped - torch.stack([SIDE - there[..., 0], there[..., 1]], -1)).abs().max() < 1e-9
    twice = mirrored(mirrored(cameras, SIDE), SIDE)
    assert torch.allclose(twice.to_plane, cameras.to_plane)
    assert torch.equal(twice.eye, cameras.eye)
    assert torch.linalg.det(mirrored(cameras, SIDE).rotation[0]) > 0.999


def test_an_enlarged_window_shows_its_part():
    cameras = one(1.3)
    points = points_of(cameras, grid(), -0.05)
    zoom, corner = torch.tensor([1.25], dtype=DOUBLE), torch.tensor([[7.0, 3.5]], dtype=DOUBLE)
    wanted = zoom * (seen_at(cameras, points) - corner[:, None])
    assert (seen_at(enlarged(cameras, zoom, corner), points) - wanted).abs().max() < 1e-9
