"""Occupancy cuts nothing off and leaves out what is empty."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from studio.networks.volume.occupancy import Occupancy, occupancy_of
from tests.networks.volume.closed_forms import DOUBLE, camera, grid, sphere_depths, turned

RADIUS = 0.07
LOW = torch.tensor([-0.15, -0.16, -0.14], dtype=DOUBLE)
HIGH = torch.tensor([0.15, 0.14, 0.17], dtype=DOUBLE)
CELL = 0.31 / 32


def sphere(points: Tensor) -> Tensor:
    return 50.0 * (points.norm(dim=-1) < RADIUS).to(points.dtype)


def of_sphere() -> Occupancy:
    return occupancy_of(sphere, LOW, HIGH, cells=32)


@pytest.mark.parametrize("nearness", [0.0, 2.0])
@pytest.mark.parametrize("pose", [(0, 0, 0), (37, -22, 13)])
def test_spans_hold_a_sphere_and_little_more(nearness, pose):
    rays = camera(nearness, turned(*pose), eye=(0.02, 0.03)).rays(grid(side=96))
    enter, leave = of_sphere().spans(rays)
    front, back = sphere_depths(rays, RADIUS)
    hit = ~front.isnan()
    assert hit.sum() > 500
    assert (enter <= front)[hit].all()
    assert (leave >= back)[hit].all()
    whole_in, whole_out = rays.span(LOW, HIGH)
    whole = (whole_out - whole_in).clamp_min(0.0)
    assert (leave - enter)[hit].mean() < 0.65 * whole[hit].mean()
    far = hit.logical_not() & (sphere_depths(rays, RADIUS + 4.0 * CELL)[0].isnan())
    assert far.sum() > 100
    assert torch.equal(enter[far], leave[far])


def test_nothing_above_the_threshold_is_cut_off():
    """Blobs anywhere, also at the box's faces: all of them that rays meet is inside of the spans."""
    chance = torch.Generator().manual_seed(4)
    middles = LOW + (HIGH - LOW) * torch.rand(5, 3, generator=chance, dtype=DOUBLE)
    middles[0, 2], middles[1, 0] = HIGH[2], LOW[0]

    def blobs(points: Tensor) -> Tensor:
        apart = (points[..., None, :] - middles).square().sum(-1)
        return (8.0 * torch.exp(-apart / 0.02**2)).amax(-1)

    grid_found = occupancy_of(blobs, LOW, HIGH, threshold=0.5, cells=24, at_once=5000)
    rays = camera(1.0, turned(25, 15, -30)).rays(grid(side=96)[::7])
    enter, leave = grid_found.spans(rays)
    start, end = rays.span(LOW, HIGH)
    part = torch.linspace(0.0, 1.0, 150, dtype=DOUBLE)
    depth = start[..., None] + (end - start).clamp_min(0.0)[..., None] * part
    full = (blobs(rays.in_head(depth)) > 0.5) & (end > start)[..., None]
    assert full.sum() > 300
    between = (depth >= enter[..., None] - 1e-12) & (depth <= leave[..., None] + 1e-12)
    assert not (full & ~between).any()
    assert between.double().mean() < 0.6


def test_cells_lie_where_the_density_is():
    low, high = torch.tensor([0.0, 0.0, 0.0]), torch.tensor([1.0, 2.0, 3.0])
    found = occupancy_of(
        lambda p: (p - torch.tensor([0.95, 0.5, 1.5])).abs().amax(-1) < 0.04, low, high, 0.5, 10, 4
    )
    z, y, x = found.cells.nonzero().T
    assert (x.unique().tolist(), y.unique().tolist(), z.unique().tolist()) == (
        [8, 9],
        [1, 2, 3],
        [3, 4, 5, 6],
    )
    points = torch.tensor([[0.95, 0.5, 1.5], [0.05, 0.5, 1.5], [0.95, 0.5, 2.5], [1.05, 0.5, 1.5]])
    assert found.holds(points).tolist() == [True, False, False, False]


def test_joined_holds_what_either_holds():
    one = of_sphere()
    other = occupancy_of(lambda p: sphere(p - 0.06), LOW, HIGH, cells=32)
    both = one.joined(other)
    assert torch.equal(both.cells, one.cells | other.cells)
    assert both.cells.sum() > max(one.cells.sum(), other.cells.sum())
    with pytest.raises(ValueError, match="one box"):
        one.joined(occupancy_of(sphere, LOW, HIGH, cells=16))
