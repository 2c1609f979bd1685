"""The way back from what a camera sees to where the volume keeps it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from studio.domain.camera import rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.engines.tri2plane.canonical import FACE, NECK, PRIOR, SKIN, Canonical, smooth
from studio.engines.tri2plane.person import VolumePerson
from studio.head.zero_pose import OPEN_JAW
from studio.networks.volume.rays import Cameras, Rays
from tests.engines.tri2plane.small_volume import small_person
from tests.warping.average_person import motion_of

MAPS = 96


@pytest.fixture(scope="module")
def person() -> VolumePerson:
    return replace(small_person(MAPS), rest_angles=np.array([6.0, -4.0, 2.0], np.float32))


@pytest.fixture(scope="module")
def canonical(person: VolumePerson) -> Canonical:
    return Canonical(person)


def turned(*angles: float) -> np.ndarray:
    return rotation_from_angles(np.array(angles, np.float32))


def led_back(
    canonical: Canonical,
    seen: np.ndarray,
    rotation: np.ndarray,
    shift: tuple[float, float] = (0.0, 0.0),
    displacement: np.ndarray | None = None,
    orbit: np.ndarray | None = None,
) -> np.ndarray:
    """``[N, 3]`` canonical points of camera-space points ``[N, 3]``, each on a parallel ray of its own."""

    def tensor(values: np.ndarray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32)

    cameras = Cameras(
        rotation=tensor(rotation)[None],
        to_plane=torch.zeros(1, 2, 3),
        nearness=torch.zeros(1),
        eye=torch.zeros(1, 2),
        orbit=None if orbit is None else tensor(orbit)[None],
    )
    moved = torch.zeros(1, 3, MAPS, MAPS) if displacement is None else tensor(displacement)[None]
    rays, depth = Rays(cameras, tensor(seen[:, :2])[None]), tensor(-seen[:, 2])[None, :, None]
    with torch.no_grad():
        return canonical(rays, depth, torch.tensor([[[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]]]), moved)[
            0
        ].numpy()


def lively_faces(person: VolumePerson, count: int = 4) -> tuple[HeadMotion, np.ndarray]:
    """Random expressions, and the faces ``[T, V, 3]`` that have them."""
    random = np.random.default_rng(3)
    motion = motion_of([0.0] * count, random.uniform(0.0, 0.25, count).tolist())
    motion.expression[:] = random.normal(0, 0.7, motion.expression.shape)
    return motion, person.model.deform(person.neutral, motion)


def test_the_canonical_face_stays_where_it_is_at_rest(person: VolumePerson, canonical: Canonical):
    motion = motion_of([0.0], OPEN_JAW)
    moved = person.zero_pose().maps(motion).displacement[0]
    rest = rotation_from_angles(person.rest_angles)
    back = led_back(canonical, person.canonical @ rest.T, rest, displacement=moved)
    np.testing.assert_allclose(back, person.canonical, atol=1e-5)


def test_faces_with_expressions_are_led_back_to_the_canonical_one(person: VolumePerson, canonical: Canonical):
    motion, faces = lively_faces(person)
    maps = person.zero_pose().maps(motion)
    rest = rotation_from_angles(person.rest_angles)
    before_all, after_all = [], []
    for face, moved, drawn in zip(faces, maps.displacement, maps.motion_map, strict=True):
        back = led_back(canonical, face @ rest.T, rest, displacement=moved)
        # What faces the viewer and is well inside of where the face is felt; folds of lips and lids are not.
        pixels = person.grid.to_pixels(face)
        facing = drawn[5][tuple(pixels[:, 1::-1].astype(int).T)] > 0.5
        counts = facing & (face[:, 2] > FACE[0] + FACE[1]) & (face[:, 1] > person.chin + NECK[0])
        assert counts.sum() > 150
        before_all.append(np.linalg.norm(face - person.canonical, axis=1)[counts])
        after_all.append(np.linalg.norm(back - person.canonical, axis=1)[counts])
    before, after = np.concatenate(before_all), np.concatenate(after_all)
    moving = before > 0.001
    assert moving.sum() > 300
    assert np.median(after[moving]) < 0.0003
    assert np.percentile(after, 90) < 0.001
    assert after[moving].mean() < 0.25 * before[moving].mean()


def test_what_lies_behind_the_face_is_not_displaced(person: VolumePerson, canonical: Canonical):
    everywhere = np.full((3, MAPS, MAPS), 0.01, np.float32)
    rest = rotation_from_angles(person.rest_angles)
    for z, share in ((FACE[0] - 0.01, 0.0), (FACE[0] + 0.5 * FACE[1], 0.5), (FACE[0] + FACE[1], 1.0)):
        point = np.array([[0.02, 0.03, z]], np.float32)
        back = led_back(canonical, point @ rest.T, rest, displacement=everywhere)
        np.testing.assert_allclose(back - point, share * 0.01, atol=1e-6)


def test_shoulders_do_not_turn_with_the_head(person: VolumePerson, canonical: Canonical):
    random = np.random.default_rng(4)
    # So far down that a turned head's chin does not reach them.
    body = np.column_stack(
        [random.uniform(-0.1, 0.1, 30), np.full(30, person.chin - 0.13), random.uniform(-0.05, 0.05, 30)]
    ).astype(np.float32)
    rest = rotation_from_angles(person.rest_angles)
    shift = (0.012, -0.007)
    seen = body @ rest.T - np.array([*shift, 0.0], np.float32)
    for angles in ((0.0, 0.0, 0.0), (25.0, 0.0, 0.0), (-40.0, 10.0, 0.0), (10.0, -8.0, 6.0)):
        back = led_back(canonical, seen, turned(*angles), shift)
        np.testing.assert_allclose(back, body, atol=1e-5)


def test_above_the_chin_the_way_back_is_the_inverse_turn(person: VolumePerson, canonical: Canonical):
    random = np.random.default_rng(5)
    head = random.uniform((-0.1, person.chin + NECK[0], -0.1), (0.1, 0.15, 0.1), (40, 3)).astype(np.float32)
    for angles in ((30.0, 0.0, 0.0), (0.0, 20.0, 0.0), (-15.0, 5.0, 12.0)):
        rotation = turned(*angles)
        back = led_back(canonical, head @ rotation.T, rotation, (0.03, 0.02))
        np.testing.assert_allclose(back, head, atol=1e-6)


def test_the_neck_bends_from_one_to_the_other_without_a_step(person: VolumePerson, canonical: Canonical):
    y = np.linspace(person.chin + NECK[0] + 0.01, person.chin + NECK[0] - NECK[1] - 0.01, 161)
    line = np.column_stack([np.full_like(y, 0.03), y, np.full_like(y, 0.02)]).astype(np.float32)
    rotation = turned(20.0, 0.0, 0.0)
    back = led_back(canonical, line @ rotation.T, rotation, (0.01, 0.0))
    steps = np.linalg.norm(np.diff(back, axis=0), axis=1)
    assert steps.max() < 3 * np.median(steps)
    np.testing.assert_allclose(back[0], line[0], atol=1e-6)
    rest = rotation_from_angles(person.rest_angles)
    np.testing.assert_allclose(back[-1], (rotation @ line[-1] + np.array([0.01, 0.0, 0.0])) @ rest, atol=1e-5)


def test_a_camera_that_goes_around_takes_head_and_body_along(person: VolumePerson, canonical: Canonical):
    random = np.random.default_rng(6)
    seen = random.uniform((-0.1, -0.2, -0.1), (0.1, 0.15, 0.1), (60, 3)).astype(np.float32)
    head, around = turned(12.0, -5.0, 3.0), turned(-30.0, 15.0, 0.0)
    still = led_back(canonical, seen, head, (0.02, 0.01))
    moved = led_back(canonical, seen @ around.T, around @ head, (0.02, 0.01), orbit=around)
    np.testing.assert_allclose(moved, still, atol=1e-6)
    forgotten = led_back(canonical, seen @ around.T, around @ head, (0.02, 0.01))
    assert np.abs(forgotten - still).max() > 0.02


def test_the_proxy_says_full_behind_its_surface_and_empty_before_it(person: VolumePerson):
    # Slopes up to the right and down to the bottom: no axis can be taken for another.
    side = 32
    part = (np.arange(side) + 0.5) / side
    surface = (0.05 * part[None, :] - 0.08 * part[:, None]).astype(np.float32)
    canonical = Canonical(replace(person, proxy=surface))
    for right, down in ((0.2, 0.3), (0.7, 0.25), (0.4, 0.8)):
        x = person.low[0] + right * (person.high[0] - person.low[0])
        y = person.high[1] - down * (person.high[1] - person.low[1])
        z = 0.05 * right - 0.08 * down
        along = np.array([0.05, 0.003, 0.0, -0.003, -0.05])
        points = torch.tensor([[[x, y, z + dz] for dz in along]], dtype=torch.float32)
        found = canonical.prior(points)[0].numpy()
        expected = np.clip(-along / SKIN, *PRIOR)
        np.testing.assert_allclose(found, expected, atol=0.02)
        assert found[0] < 0 < found[-1]


def test_places_of_the_front_plane_are_found_in_the_maps(person: VolumePerson, canonical: Canonical):
    """Maps that hold their own places in metres: what a plane reads there must be where its texels are."""
    maps = torch.from_numpy(np.moveaxis(person.grid.centres(), -1, 0).copy())[None]
    side = 16
    read = functional.grid_sample(maps, canonical.grid(side), mode="bilinear", align_corners=False)[0]
    part = (np.arange(side) + 0.5) / side
    x = person.low[0] + part * (person.high[0] - person.low[0])
    y = person.high[1] - part * (person.high[1] - person.low[1])
    pixel = (person.grid.high - person.grid.low) / person.grid.size
    inner_x = (x > person.grid.low[0] + pixel[0]) & (x < person.grid.high[0] - pixel[0])
    inner_y = (y > person.grid.low[1] + pixel[1]) & (y < person.grid.high[1] - pixel[1])
    assert inner_x.sum() > 6
    assert inner_y.sum() > 6
    found = read.numpy()[:, inner_y][:, :, inner_x]
    np.testing.assert_allclose(found[0], np.tile(x[inner_x], (inner_y.sum(), 1)), atol=1e-5)
    np.testing.assert_allclose(found[1], np.tile(y[inner_y][:, None], (1, inner_x.sum())), atol=1e-5)


def test_the_box_is_minus_one_to_one(person: VolumePerson, canonical: Canonical):
    corners = torch.from_numpy(np.stack([person.low, person.high, 0.5 * (person.low + person.high)]))
    expected = torch.tensor([[-1.0] * 3, [1.0] * 3, [0.0] * 3])
    torch.testing.assert_close(canonical.unit(corners), expected, atol=1e-6, rtol=0)


def test_smooth_has_no_corner():
    x = torch.tensor([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 3.0], requires_grad=True)
    y = smooth(x)
    torch.testing.assert_close(y.detach(), torch.tensor([0.0, 0.0, 0.15625, 0.5, 0.84375, 1.0, 1.0]))
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.tensor([0.0, 0.0, 1.125, 1.5, 1.125, 0.0, 0.0]))
