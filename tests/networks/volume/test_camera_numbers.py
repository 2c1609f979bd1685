"""Cameras as 25 numbers and back, against rays and against EG3D's own frontal camera."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.domain.camera import Similarity, project
from studio.domain.motion import HeadMotion
from studio.networks.volume.camera_numbers import (
    RADIUS,
    UNIT,
    camera_numbers,
    cameras_of_numbers,
)
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.rays import Cameras, Rays
from tests.networks.volume.closed_forms import DOUBLE, SIDE, grid

POSES = np.array([[0, 0, 0], [38, 0, 0], [0, -25, 0], [0, 0, 30], [-52, 21, -17]], np.float32)
PLACES = (
    Similarity(1.0, 0.0, 0.0, 0.0),
    Similarity(0.3, 0.0, -20.0, 12.0),
    Similarity(0.2, 0.5, 40.0, -12.0),
)


def motion() -> HeadMotion:
    still = HeadMotion.neutral(len(POSES), np.zeros(3))
    cameras = [[250.0 + 13.0 * i, 45.0 - 7.0 * i, 40.0 + 3.0 * i] for i in range(len(POSES))]
    return replace(still, angles=POSES, camera=np.array(cameras, np.float32))


def tracked(place: Similarity, nearness: float) -> Cameras:
    turn = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    return cameras_of(motion(), place.to_array().astype(float), turn, nearness, dtype=DOUBLE)


def along(rays: Rays, depth: float) -> Tensor:
    return rays.in_head(torch.full((*rays.plane.shape[:2], 1), depth, dtype=rays.plane.dtype))[:, :, 0]


@pytest.mark.parametrize("place", PLACES, ids=["whole", "smaller", "turned"])
@pytest.mark.parametrize("nearness", [0.0, 1.0, 2.4])
def test_the_numbers_have_the_same_rays(place, nearness):
    cameras = tracked(place, nearness)
    back = cameras_of_numbers(camera_numbers(cameras, SIDE), SIDE)
    assert torch.allclose(back.nearness, cameras.nearness, atol=1e-12)
    for depth in (-0.1, 0.0, 0.15):
        # Turns are only known in single precision; a pixel is 3 mm or more.
        assert (along(back.rays(grid()), depth) - along(cameras.rays(grid()), depth)).abs().max() < 2e-5


@pytest.mark.parametrize("nearness", [0.0, 1.7])
def test_numbers_survive_the_way_there_and_back_in_single_precision(nearness):
    numbers = camera_numbers(tracked(PLACES[2], nearness), SIDE).float()
    again = camera_numbers(cameras_of_numbers(numbers, SIDE), SIDE)
    assert ((again - numbers).abs() / numbers.abs().clamp_min(1.0)).max() < 1e-5
    rays, true = (
        c.rays(grid().to(c.rotation))
        for c in (cameras_of_numbers(numbers, SIDE), tracked(PLACES[2], nearness))
    )
    pixel = 1.0 / (250.0 * 0.2)
    assert (along(rays, 0.1).double() - along(true, 0.1)).abs().max() < 0.02 * pixel


def test_they_are_a_pinhole_in_eg3ds_convention():
    """A point of the world through the inverse of the extrinsic matrix and the intrinsics, as EG3D does."""
    cameras = tracked(PLACES[1], 1.9)
    numbers = camera_numbers(cameras, SIDE)
    to_camera = torch.linalg.inv(numbers[:, :16].view(-1, 4, 4))
    rotation = to_camera[:, :3, :3]
    assert (rotation @ rotation.mT - torch.eye(3)).abs().max() < 1e-6
    assert (torch.linalg.det(rotation) - 1.0).abs().max() < 1e-6
    rays = cameras.rays(grid())
    world = along(rays, 0.12) / UNIT
    seen = world @ rotation.mT + to_camera[:, None, :3, 3]
    assert (seen[..., 2] > 0).all()
    placed = (seen / seen[..., 2:]) @ numbers[:, 16:].view(-1, 3, 3).mT
    assert (placed[..., :2] * SIDE - grid()).abs().max() < 1e-6


def test_parallel_rays_are_a_telephoto():
    """The pinhole that the numbers literally are sees the head where the tracker does."""
    frames = motion()
    numbers = camera_numbers(cameras_of(frames, PLACES[0].to_array().astype(float), dtype=DOUBLE), SIDE)
    points = torch.rand(30, 3, generator=torch.Generator().manual_seed(0), dtype=DOUBLE) * 0.3 - 0.15
    to_camera = torch.linalg.inv(numbers[:, :16].view(-1, 4, 4))
    seen = (points / UNIT) @ to_camera[:, :3, :3].mT + to_camera[:, None, :3, 3]
    placed = (seen / seen[..., 2:]) @ numbers[:, 16:].view(-1, 3, 3).mT
    wanted = project(points.numpy(), frames.angles, frames.camera)[..., :2]
    assert np.abs(placed[..., :2].numpy() * SIDE - wanted).max() < 0.1


def test_eg3ds_frontal_camera_is_read():
    """Radius 2.7, 18.837° wide, looking at the head from the front."""
    extrinsic = np.diag([1.0, -1.0, -1.0, 1.0])
    extrinsic[2, 3] = RADIUS
    focal = 1.0 / (2.0 * math.tan(math.radians(18.837) / 2.0))
    intrinsic = np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
    numbers = torch.from_numpy(np.concatenate([extrinsic.ravel(), intrinsic.ravel()])[None])
    camera = cameras_of_numbers(numbers, 512)
    assert torch.allclose(camera.rotation, torch.eye(3, dtype=DOUBLE))
    assert abs(float(camera.nearness) - 1.0 / (RADIUS * UNIT)) < 1e-12
    rays = camera.rays(torch.tensor([[256.0, 256.0], [512.0, 0.0]], dtype=DOUBLE))
    edge = RADIUS * UNIT * math.tan(math.radians(18.837) / 2.0)
    wanted = torch.tensor([[[0.0, 0.0], [edge, edge]]], dtype=DOUBLE)
    assert (rays.plane - wanted).abs().max() < 1e-6
    assert (camera_numbers(camera, 512) - numbers).abs().max() < 1e-12


def test_what_a_network_is_told_is_about_one_in_size():
    numbers = camera_numbers(tracked(PLACES[0], 0.0), SIDE, parallel_from=RADIUS)
    assert numbers.abs().max() < 8.0


def test_other_pixels_are_refused():
    cameras = tracked(PLACES[0], 1.0)
    stretched = replace(cameras, to_plane=cameras.to_plane * torch.tensor([1.0, 1.2, 1.0]).to(DOUBLE))
    with pytest.raises(ValueError, match="square pixels"):
        camera_numbers(stretched, SIDE)
    numbers = camera_numbers(cameras, SIDE)
    with pytest.raises(ValueError, match="25"):
        cameras_of_numbers(numbers[:, :24], SIDE)
    behind = numbers.clone()
    behind[:, 3:12:4] *= -1.0
    with pytest.raises(ValueError, match="before"):
        cameras_of_numbers(behind, SIDE)
    leaning = numbers.clone()
    leaning[:, 20] *= 1.1
    with pytest.raises(ValueError, match="square pixels"):
        cameras_of_numbers(leaning, SIDE)
