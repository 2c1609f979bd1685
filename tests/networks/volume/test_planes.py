"""Tri-planes against a slow twin that looks at one texel after the other."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.networks.volume.planes import AXES, sample_planes
from tests.networks.volume.closed_forms import DOUBLE


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE) * 2.0 - 1.0


def slow_texel(plane: Tensor, row: int, column: int) -> Tensor:
    height, width = plane.shape[1:]
    return plane[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]


def slow_plane(plane: Tensor, right: float, down: float) -> Tensor:
    """What a ``[C, H, W]`` plane has at (right, down), -1..1 from edge to edge."""
    height, width = plane.shape[1:]
    x, y = (right + 1.0) / 2.0 * width - 0.5, (down + 1.0) / 2.0 * height - 0.5
    left, top = math.floor(x), math.floor(y)
    a, b = x - left, y - top
    return (
        (1 - a) * (1 - b) * slow_texel(plane, top, left)
        + a * (1 - b) * slow_texel(plane, top, left + 1)
        + (1 - a) * b * slow_texel(plane, top + 1, left)
        + a * b * slow_texel(plane, top + 1, left + 1)
    )


def slow_sample(planes: Tensor, points: Tensor) -> Tensor:
    batches = []
    for volume, places in zip(planes, points):
        rows = []
        for x, y, z in places.tolist():
            front, top, side = volume
            rows.append(slow_plane(front, x, -y) + slow_plane(top, x, z) + slow_plane(side, z, -y))
        batches.append(torch.stack(rows))
    return torch.stack(batches)


def test_it_equals_its_slow_twin():
    planes = noise(2, 3, 4, 5, 7)
    inside, outside = noise(2, 60, 3, seed=1), 1.6 * noise(2, 30, 3, seed=2)
    points = torch.cat([inside, outside], 1)
    assert (sample_planes(planes, points) - slow_sample(planes, points)).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("plane", "row", "column", "place"),
    [
        (0, 0, 7, (1, 1, 0)),  # front, upper right: x > 0, y > 0
        (0, 7, 0, (-1, -1, 0)),
        (1, 0, 7, (1, 0, -1)),  # top, first row: the back of the head
        (1, 7, 0, (-1, 0, 1)),
        (2, 0, 7, (0, 1, 1)),  # side, upper right: above, towards the viewer
        (2, 7, 0, (0, -1, -1)),
    ],
)
def test_a_texel_is_found_on_its_side_of_the_volume(plane, row, column, place):
    planes = torch.zeros(1, 3, 1, 8, 8, dtype=DOUBLE)
    planes[0, plane, 0, row, column] = 1.0
    steps = torch.tensor([-0.875, 0.0, 0.875], dtype=DOUBLE)
    points = torch.cartesian_prod(steps, steps, steps)
    found = sample_planes(planes, points[None])[0, :, 0]
    used = set(AXES[plane])
    expected = [all(round(float(point[i]) / 0.875) == place[i] for i in used) for point in points]
    assert found.tolist() == [float(value) for value in expected]
    assert sum(expected) == 3


def test_planes_of_any_resolution_show_one_place():
    """A plane whose texels hold what a straight ramp has at their centres is the ramp itself between them."""
    points = 0.7 * noise(1, 50, 3)
    results = []
    for size in (8, 16, 64):
        centres = (torch.arange(size, dtype=DOUBLE) + 0.5) / size * 2.0 - 1.0
        right, up = centres[None, :], -centres[:, None]
        front = 1.0 * right + 10.0 * up
        top = 100.0 * right - 1000.0 * up  # its rows grow with z
        side = 3.0 * right + 30.0 * up
        results.append(sample_planes(torch.stack([front, top, side])[None, :, None], points))
    x, y, z = points.unbind(-1)
    exact = (x + 10.0 * y + 100.0 * x + 1000.0 * z + 3.0 * z + 30.0 * y)[..., None]
    for found in results:
        assert (found - exact).abs().max() < 1e-10


def test_gradients_flow_to_planes_and_points():
    planes = noise(1, 3, 2, 4, 4).requires_grad_()
    points = (0.8 * noise(1, 6, 3, seed=5)).requires_grad_()
    assert torch.autograd.gradcheck(sample_planes, (planes, points))
