"""Normals of a sphere, a slanted wall and an edge."""

from __future__ import annotations

import math

import pytest
import torch

from studio.networks.volume.normals import normals_of_depth, seen_depth
from tests.networks.volume.closed_forms import DOUBLE, SIDE, camera, grid, sphere_depths, turned

RADIUS = 0.12


@pytest.mark.parametrize("nearness", [0.0, 2.0])
def test_a_sphere_faces_away_from_its_middle(nearness):
    rays = camera(nearness, turned(30, 20, 10), eye=(0.03, 0.02)).rays(grid())
    enter, _ = sphere_depths(rays, RADIUS)
    there = ~enter.isnan()
    depth = enter.nan_to_num(0.4)
    found = normals_of_depth(rays, depth, there.double(), SIDE, SIDE).reshape(1, -1, 3)
    expected = rays.in_camera(depth[..., None])[:, :, 0] / RADIUS
    angle = torch.rad2deg((found * expected).sum(-1).clamp(-1.0, 1.0).arccos())
    facing = -(expected * torch.cat([rays.slope, -torch.ones_like(rays.slope[..., :1])], -1)).sum(-1)
    middle = there & (facing > 0.5)
    assert middle.sum() > 2000
    assert angle[middle].max() < 2.0
    assert angle[there].mean() < 2.0
    assert (found[there].norm(dim=-1) - 1.0).abs().max() < 1e-9
    assert found[~there].abs().max() == 0.0


def test_a_slanted_wall_has_one_normal():
    """u·n = c: a wall through (0, 0, 0) that faces up, to the right and to the viewer."""
    normal = torch.tensor([0.3, 0.4, math.sqrt(0.75)], dtype=DOUBLE)
    rays = camera(1.5).rays(grid())
    away = torch.cat([rays.slope, -torch.ones_like(rays.slope[..., :1])], -1)
    depth = -(rays.plane @ normal[:2]) / (away @ normal)
    found = normals_of_depth(rays, depth, torch.ones_like(depth), SIDE, SIDE)
    assert (found - normal).abs().max() < 1e-9


def test_an_edge_is_not_joined_to_what_is_behind_it():
    rays = camera().rays(grid())
    depth = torch.where(rays.plane[..., 0] < 0.0, 0.0, 0.1).to(DOUBLE)
    found = normals_of_depth(rays, depth, torch.ones_like(depth), SIDE, SIDE)
    assert (found - torch.tensor([0.0, 0.0, 1.0], dtype=DOUBLE)).abs().max() < 1e-12


def test_depth_of_what_is_seen_forgets_what_passes_through():
    alpha = torch.tensor([1.0, 0.25, 0.0], dtype=DOUBLE)
    mean = alpha * 0.3 + (1.0 - alpha) * 0.9
    found = seen_depth(mean, alpha, torch.full((3,), 0.9, dtype=DOUBLE))
    assert (found - torch.tensor([0.3, 0.3, 0.9], dtype=DOUBLE)).abs().max() < 1e-9
