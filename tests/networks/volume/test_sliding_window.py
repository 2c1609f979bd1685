"""A window that slides over a picture is a camera that has moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.domain.camera import Similarity, View
from studio.domain.motion import HeadMotion
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.rays import Cameras
from studio.networks.volume.sliding_window import (
    FOLLOW,
    Windows,
    before_a_moved_head,
    cropped,
    drawn_windows,
)
from tests.networks.volume.closed_forms import (
    DOUBLE,
    METRE,
    SIDE,
    camera,
    grid,
    pattern,
    seen,
    shift_between,
    turned,
)

SMALL = 48


def ball(points: Tensor) -> Tensor:
    """A body without hard edges, so that samples see it alike from everywhere."""
    return 60.0 * torch.sigmoid((0.12 - points.norm(dim=-1)) / 0.01)


def picture(cameras: Cameras, side: int) -> Tensor:
    """``[B, 3, side, side]`` two colours and alpha of a patterned ball."""
    found = seen(cameras.rays(grid(side=side)), ball, pattern, box=0.2, count=96)
    both = torch.cat([found.values, found.alpha[..., None]], -1)
    return both.mT.reshape(len(cameras.rotation), 3, side, side)


def sheet(cameras: Cameras, depth: float, side: int) -> Tensor:
    """``[side, side]`` of a patterned wall ``depth`` metres behind the head's plane."""
    rays = cameras.rays(grid(side=side))
    points = rays.in_camera(torch.full((*rays.plane.shape[:2], 1), depth, dtype=DOUBLE))
    return pattern(points)[0, :, 0, 0].reshape(side, side)


def window(x: int, y: int) -> Windows:
    """One window that begins (x, y) from the middle."""
    middle = (SIDE - SMALL) // 2
    return Windows((middle, middle), torch.tensor([[x, y]]), SMALL)


def tracked(shift: tuple[float, float] = (0.0, 0.0)) -> Cameras:
    """The camera of a turned head whose tracked centre has gone against a shift of the window."""
    origin = np.array([METRE, SIDE / 2 - shift[0], SIDE / 2 - shift[1]], np.float32)
    motion = replace(HeadMotion.neutral(1, origin), angles=np.array([[24.0, -8.0, 11.0]], np.float32))
    return cameras_of(motion, View(Similarity(1.0, 0.0, 0.0, 0.0), SIDE, SIDE), dtype=DOUBLE)


def test_a_shifted_window_equals_a_moved_camera():
    here = window(9, -5)
    x, y = (float(v) for v in here.corner[0])
    cut = here.cut(picture(tracked(), SIDE))
    # Once by the window's own camera, once by a tracker that found the head further up and to the left.
    assert (cut - picture(here.cameras(tracked()), SMALL)).abs().max() < 1e-9
    assert (cut - picture(tracked((x, y)), SMALL)).abs().max() < 1e-4
    assert (cut - picture(window(8, -5).cameras(tracked()), SMALL)).abs().max() > 0.05


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.4), (2.25, 1.5), (-3.4, 2.7)])
def test_a_camera_moved_by_parts_of_a_pixel_moves_the_picture_by_them(shift):
    first = picture(tracked(), SIDE)[0, 0]
    second = picture(tracked().moved(torch.tensor([shift], dtype=DOUBLE)), SIDE)[0, 0]
    x, y = shift_between(first, second)
    assert abs(x + shift[0]) < 0.05
    assert abs(y + shift[1]) < 0.05


def test_both_ways_agree_for_parallel_rays():
    here = window(12, 7)
    whole = tracked()
    depth = torch.full((1, SMALL * SMALL, 1), 0.2, dtype=DOUBLE)
    by = {name: here.cameras(whole, name).rays(grid(side=SMALL)).in_head(depth) for name in FOLLOW}
    assert torch.equal(by["crop"], by["head"])


@pytest.mark.parametrize("depth", [-0.12, 0.0, 0.1])
def test_a_moved_head_differs_from_a_crop_by_the_parallax(depth):
    """A wall shifts by m / (1 + n d) pixels before a moved head, and by m in a window."""
    nearness, m = 2.0, (5.0, -4.0)
    whole = camera(nearness, eye=(0.02, -0.03))
    shift = torch.tensor([m], dtype=DOUBLE)
    start = sheet(whole, depth, SIDE)
    by_crop = shift_between(start, sheet(cropped(whole, shift), depth, SIDE))
    by_head = shift_between(start, sheet(before_a_moved_head(whole, shift), depth, SIDE))
    for axis in (0, 1):
        assert abs(by_crop[axis] + m[axis]) < 0.05
        assert abs(by_head[axis] + m[axis] / (1.0 + nearness * depth)) < 0.05
        parallax = m[axis] * nearness * depth / (1.0 + nearness * depth)
        assert abs(by_head[axis] - by_crop[axis] - parallax) < 0.1


def test_a_moved_head_is_the_papers():
    """K⁻¹ Z [m, 0]: a pinhole of focal length f sees a head moved by it where the window has it."""
    focal, distance, centre = 700.0, 0.6, 40.0
    m = torch.tensor([11.0, -6.0], dtype=DOUBLE)
    plain = Cameras(
        rotation=torch.eye(3, dtype=DOUBLE)[None],
        to_plane=torch.tensor([[[1.0, 0.0, -centre], [0.0, -1.0, centre]]], dtype=DOUBLE) * distance / focal,
        nearness=torch.tensor([1.0 / distance], dtype=DOUBLE),
        eye=torch.zeros(1, 2, dtype=DOUBLE),
    )
    points = torch.rand(30, 3, generator=torch.Generator().manual_seed(6), dtype=DOUBLE) * 0.3 - 0.15
    # Picture axes point down, so the paper's camera has y turned over; the head goes against the window.
    moved = points * torch.tensor([1.0, -1.0, 1.0], dtype=DOUBLE)
    moved[:, :2] -= distance / focal * m
    pixels = centre + focal * moved[:, :2] / (distance - moved[:, 2:])
    rays = before_a_moved_head(plain, m[None]).rays(pixels)
    found = rays.in_head(-points[None, :, 2:])[0, :, 0]
    assert (found - points).abs().max() < 1e-12
    exact = cropped(plain, m[None]).rays(pixels).in_head(-points[None, :, 2:])[0, :, 0]
    assert (exact - points).abs().max() > 1e-3


def test_windows_walk_their_share_and_stay_in_the_picture():
    drawn = drawn_windows(4000, (736, 620), 512, 112 / 512, torch.Generator().manual_seed(0))
    assert drawn.middle == (112, 54)
    assert drawn.offset.amin(0).tolist() == [-112, -54]
    assert drawn.offset.amax(0).tolist() == [112, 54]
    assert drawn.corner.amin(0).tolist() == [0, 0]
    assert drawn.corner.amax(0).tolist() == [224, 108]
    assert drawn.offset.double().mean(0).abs().max() < 4.0
    narrow = drawn_windows(500, (736, 736), 512, 0.05)
    assert narrow.offset.abs().max() == 26
    again = drawn_windows(4000, (736, 620), 512, 112 / 512, torch.Generator().manual_seed(0))
    assert torch.equal(again.offset, drawn.offset)


def test_no_share_is_the_middle_window():
    still = drawn_windows(3, (11, 8), 6, 0.0)
    assert still.corner.tolist() == [[2, 1]] * 3
    rows, columns = still.slices(0)
    assert (rows, columns) == (slice(1, 7), slice(2, 8))


def test_each_picture_is_cut_at_its_own_place():
    pictures = torch.arange(2 * 3 * 10 * 12).reshape(2, 3, 10, 12)
    here = Windows((4, 3), torch.tensor([[-4, 2], [3, -3]]), 4)
    cut = here.cut(pictures)
    assert torch.equal(cut[0], pictures[0, :, 5:9, 0:4])
    assert torch.equal(cut[1], pictures[1, :, 0:4, 7:11])
    with pytest.raises(ValueError, match="2 windows for 1 pictures"):
        here.cut(pictures[:1])


def test_a_window_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="no window of 64 pixels in a picture of 80×60"):
        drawn_windows(1, (80, 60), 64)
    with pytest.raises(ValueError, match="cannot walk"):
        drawn_windows(1, (80, 60), 32, -0.1)


@pytest.mark.parametrize("follow", list(FOLLOW))
def test_a_window_of_a_camera_that_goes_around_goes_around_too(follow):
    orbit = turned(20, -10, 0)[None]
    around = replace(camera(1.0), orbit=orbit)
    kept = window(5, 3).cameras(around, follow).orbit
    assert kept is not None
    assert torch.equal(kept, orbit)
