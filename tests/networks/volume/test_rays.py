"""Rays: where they pass, in head space and in pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.domain.camera import Similarity, View, project
from studio.domain.free_camera import FreeCamera
from studio.domain.motion import HeadMotion
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.rays import Cameras, pixel_centres
from tests.networks.volume.closed_forms import DOUBLE, METRE, SIDE, camera, grid, sphere_depths, turned

POSES = np.array([[0, 0, 0], [38, 0, 0], [0, -25, 0], [0, 0, 30], [-52, 21, -17], [80, -40, 60]], np.float32)
PLACED = Similarity(1.7, 0.6, -120.0, 35.0)


def motion() -> HeadMotion:
    tracked = HeadMotion.neutral(len(POSES), np.zeros(3))
    cameras = [[900.0 + 130.0 * i, 310.0 - 7.0 * i, 240.0 + 11.0 * i] for i in range(len(POSES))]
    return HeadMotion(
        *(tracked.expression, tracked.jaw, tracked.eyelids, tracked.gaze),
        *(POSES, np.array(cameras, np.float32)),
    )


def head_points(count: int = 40) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(3), dtype=DOUBLE) * 0.3 - 0.15


def in_picture(points: Tensor, frames: HeadMotion, placement: Similarity) -> Tensor:
    """``[B, V, 3]`` picture pixels, and metres towards the viewer, by the domain's own camera."""
    placed = project(points.numpy(), frames.angles, frames.camera)
    pixels = np.stack([placement.apply(frame[:, :2]) for frame in placed])
    height = placed[..., 2] / frames.camera[:, None, 0]
    return torch.from_numpy(np.concatenate([pixels, height[..., None]], -1)).to(DOUBLE)


def seen_at(points: Tensor, cameras: Cameras) -> Tensor:
    """``[B, V, 2]`` pixels at which a pinhole sees head-space points, by similar triangles."""
    inside = torch.einsum("bij,vj->bvi", cameras.rotation, points)
    distance = 1.0 / cameras.nearness[:, None, None]
    eye = cameras.eye[:, None]
    plane = eye + (inside[..., :2] - eye) * distance / (distance - inside[..., 2:])
    linear, shift = cameras.to_plane[:, :, :2], cameras.to_plane[:, None, :, 2]
    return torch.linalg.solve(linear, (plane - shift).mT).mT


@pytest.mark.parametrize("placement", [Similarity(1.0, 0.0, 0.0, 0.0), PLACED], ids=["source", "turned"])
def test_a_point_is_on_the_ray_of_the_pixel_it_is_projected_to(placement):
    points, frames = head_points(), motion()
    pixels = in_picture(points, frames, placement)
    rays = cameras_of(frames, View(placement, 64, 64), dtype=DOUBLE).rays(pixels[..., :2])
    found = rays.in_head(-pixels[..., 2:])[:, :, 0]
    # The domain's pixels are float32: a ten-thousandth of a millimetre.
    assert (found - points).abs().max() < 1e-6


def test_whatever_lies_on_a_parallel_ray_is_projected_to_its_pixel():
    frames = motion()
    pixels = pixel_centres(10.0, 20.0, 400.0, 300.0, 5, 4, dtype=DOUBLE)
    rays = cameras_of(frames, View(PLACED, 64, 64), dtype=DOUBLE).rays(pixels)
    for depth in (-0.4, 0.0, 0.07):
        points = rays.in_head(torch.full((*rays.plane.shape[:2], 1), depth, dtype=DOUBLE))[:, :, 0]
        for frame in range(len(frames)):
            again = in_picture(points[frame], frames.take(slice(frame, frame + 1)), PLACED)[0]
            assert (again[:, :2] - pixels).abs().max() < 1e-3
            assert (again[:, 2] + depth).abs().max() < 1e-6


def test_poses_are_the_plain_turns_one_after_the_other():
    found = cameras_of(motion(), View(PLACED, 64, 64), dtype=DOUBLE).rotation
    expected = torch.stack([turned(*(float(angle) for angle in pose)) for pose in POSES])
    assert (found - expected).abs().max() < 1e-6


def test_views_for_each_frame_and_placements_as_numbers_are_the_same():
    frames = motion()
    several = [
        View(Similarity(1.0 + 0.1 * i, 0.1 * i, 3.0 * i, -2.0 * i), 64, 64) for i in range(len(frames))
    ]
    together = cameras_of(frames, several)
    numbers = cameras_of(frames, np.stack([view.placement.to_array() for view in several]))
    assert torch.equal(together.to_plane, numbers.to_plane)
    for i, view in enumerate(several):
        alone = cameras_of(frames.take(slice(i, i + 1)), view)
        assert torch.equal(alone.to_plane[0], together.to_plane[i])
        assert torch.equal(alone.rotation[0], together.rotation[i])
    with pytest.raises(ValueError, match="2 views for 6 frames"):
        cameras_of(frames, several[:2])


def test_a_free_camera_sees_what_it_says():
    free = FreeCamera(orbit_yaw=25.0, orbit_pitch=-10.0, dolly=1.3, pan_x=0.02, pan_y=-0.05, lens=0.8)
    frames = motion()
    placed = HeadMotion(
        *(frames.expression, frames.jaw, frames.eyelids, frames.gaze, frames.angles),
        free.placed(frames.camera),
    )
    view = View(PLACED, 64, 64)
    cameras = cameras_of(placed, view, free.rotation, free.nearness, dtype=DOUBLE)
    points = head_points()
    pixels = seen_at(points, cameras)
    for frame in range(len(frames)):
        inside = points.numpy() @ (free.rotation @ cameras_of(frames, view).rotation[frame].numpy()).T
        scale, cx, cy = free.placed(frames.camera)[frame]
        u, v = free.on_plane(inside).T
        expected = PLACED.apply(np.stack([cx + scale * u, cy - scale * v], -1))
        assert np.abs(pixels[frame].numpy() - expected).max() < 1e-2
    depth = -torch.einsum("bij,vj->bvi", cameras.rotation, points)[..., 2:]
    assert (cameras.rays(pixels).in_head(depth)[:, :, 0] - points).abs().max() < 1e-6


@pytest.mark.parametrize("nearness", [0.0, 0.4, 2.5])
def test_the_heads_plane_keeps_its_place_however_near_the_eye(nearness):
    here = camera(nearness, turned(20, 10, 5), eye=(0.03, -0.02))
    rays = here.rays(grid())
    points = rays.in_camera(torch.zeros(*rays.plane.shape[:2], 1, dtype=DOUBLE))[0, :, 0]
    expected = (grid() - SIDE / 2) / METRE * torch.tensor([1.0, -1.0])
    assert (points[:, :2] - expected).abs().max() < 1e-15
    assert points[:, 2].abs().max() == 0.0


def test_a_pinhole_sees_points_on_the_lines_through_its_eye():
    here = camera(1.6, turned(-33, 14, 21), eye=(0.04, -0.03))
    points = head_points()
    pixels = seen_at(points, here)
    rays = here.rays(pixels)
    depth = -torch.einsum("bij,vj->bvi", here.rotation, points)[..., 2:]
    assert (rays.in_head(depth)[:, :, 0] - points).abs().max() < 1e-12
    parallel = camera(0.0, turned(-33, 14, 21)).rays(pixels)
    assert (parallel.in_head(depth)[:, :, 0] - points).abs().max() > 1e-3
    all_at_the_eye = rays.in_camera(torch.full_like(depth, -1.0 / 1.6))[0, :, 0]
    assert (all_at_the_eye - torch.tensor([0.04, -0.03, 1.0 / 1.6], dtype=DOUBLE)).abs().max() < 1e-12


def test_length_and_direction_are_those_of_the_points():
    rays = camera(2.0, turned(50, -20, 10), eye=(0.1, 0.0)).rays(grid())
    near, far = (torch.full((*rays.plane.shape[:2], 1), d, dtype=DOUBLE) for d in (-0.1, 0.15))
    way = (rays.in_head(far) - rays.in_head(near))[:, :, 0]
    assert (way.norm(dim=-1) - 0.25 * rays.length).abs().max() < 1e-12
    assert (way / way.norm(dim=-1, keepdim=True) - rays.directions()).abs().max() < 1e-12
    assert rays.length.max() > 1.01


@pytest.mark.parametrize("nearness", [0.0, 1.5])
def test_a_span_is_the_part_of_a_ray_inside_the_box(nearness):
    low, high = torch.tensor([-0.05, -0.11, -0.08]), torch.tensor([0.09, 0.04, 0.03])
    rays = camera(nearness, turned(35, 25, -15), eye=(0.02, 0.01)).rays(grid())
    enter, leave = rays.span(low, high)
    depth = torch.linspace(-0.3, 0.3, 1501, dtype=DOUBLE)
    points = rays.in_head(depth.expand(*rays.plane.shape[:2], -1))
    inside = ((points >= low) & (points <= high)).all(-1)
    between = (depth >= enter[..., None]) & (depth <= leave[..., None])
    assert torch.equal(inside, between)
    assert inside.any(-1).float().mean() > 0.1
    assert not inside.any(-1).all()


def test_a_span_of_an_upright_box_has_no_trouble_with_rays_along_its_sides():
    side = torch.full((3,), 0.1, dtype=DOUBLE)
    rays = camera().rays(grid())
    enter, leave = rays.span(-side, side)
    inside = (rays.plane.abs() < 0.1).all(-1)
    assert ((enter + 0.1).abs() < 1e-12)[inside].all()
    assert ((leave - 0.1).abs() < 1e-12)[inside].all()
    assert (leave <= enter)[~inside].all()


def test_a_span_has_nothing_behind_the_eye():
    side = torch.full((3,), 0.5, dtype=DOUBLE)
    enter, leave = camera(4.0).rays(grid()).span(-side, side)
    assert torch.equal(enter, torch.full_like(enter, -0.25))
    assert (leave > 0.1).all()
    behind = torch.tensor([0.0, 0.0, 1.0], dtype=DOUBLE)
    enter, leave = camera(4.0).rays(grid()).span(behind - 0.1, behind + 0.1)
    assert (leave <= enter).all()


@pytest.mark.parametrize("nearness", [0.0, 2.0])
def test_a_moved_camera_sees_the_window(nearness):
    here = camera(nearness, turned(10, 20, 30), eye=(0.05, 0.02))
    shift = torch.tensor([[7.25, -3.5]], dtype=DOUBLE)
    depth = torch.full((1, SIDE * SIDE, 1), 0.12, dtype=DOUBLE)
    window = here.moved(shift).rays(grid()).in_head(depth)
    whole = here.rays(grid(7.25, -3.5)).in_head(depth)
    assert (window - whole).abs().max() < 1e-15


def test_a_sphere_is_entered_and_left_on_its_surface():
    rays = camera(1.2, turned(5, 6, 7), eye=(0.03, 0.0)).rays(grid())
    for depth in sphere_depths(rays, 0.1):
        hit = ~depth.isnan()
        away = rays.in_head(depth[..., None])[:, :, 0].norm(dim=-1)
        assert hit.float().mean() > 0.2
        assert (away[hit] - 0.1).abs().max() < 1e-12


def test_pixel_centres_lie_in_the_middle_of_their_cells():
    centres = pixel_centres(10.0, 20.0, 6.0, 2.0, 3, 2)
    expected = [[11.0, 20.5], [13.0, 20.5], [15.0, 20.5], [11.0, 21.5], [13.0, 21.5], [15.0, 21.5]]
    assert centres.tolist() == expected
