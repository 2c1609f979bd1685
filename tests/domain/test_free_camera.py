"""The free camera against what it says it does: orbits, zooms, shifts and pinholes in closed form."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from studio.domain.camera import angles_from_rotation, project, rotation_from_angles
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, ControlState, motion_from_values
from studio.domain.free_camera import CAMERA_NAMES, CLOSEST, GROUP, FreeCamera, camera_controls

REST = np.array([1500.0, 300.0, 320.0], np.float32)
POINTS = np.random.default_rng(3).uniform(-0.12, 0.12, (40, 3)).astype(np.float32)
HEAD = tuple(Control(n, n, "angle", "Head", -90, 90, 1.0 if n == "zoom" else 0.0) for n in HEAD_NAMES)
SHEET = ControlSheet((*HEAD, *camera_controls()))


def tracked(**values: float) -> np.ndarray:
    """The tracked camera of a state."""
    return motion_from_values(SHEET.state(values).values[None], REST).camera[0]


def test_a_state_says_where_the_camera_is_and_one_without_a_camera_that_it_stands_still() -> None:
    asked = {
        "orbit_yaw": 12.0,
        "orbit_pitch": -3.0,
        "dolly": 1.5,
        "pan_x": 0.05,
        "pan_y": -0.02,
        "lens": 0.25,
    }
    assert asdict(FreeCamera.from_state(SHEET.state({"yaw": 5.0, **asked}))) == pytest.approx(asked)
    assert FreeCamera.from_state(SHEET.neutral()).is_neutral
    assert FreeCamera.from_state(ControlState(("yaw",), np.ones(1, np.float32))) == FreeCamera.neutral()
    assert not FreeCamera(lens=0.1).is_neutral


def test_the_controls_are_the_cameras_and_neutral_is_within_them() -> None:
    controls = camera_controls()
    assert tuple(c.name for c in controls) == CAMERA_NAMES
    for control in controls:
        assert control.low <= control.default < control.high
        assert control.group == GROUP
        assert control.default == getattr(FreeCamera(), control.name)
        assert control.hint.endswith(".")
    assert not set(CAMERA_NAMES) & set(HEAD_NAMES)


def test_head_parameters_do_not_see_the_cameras_columns() -> None:
    moved = motion_from_values(SHEET.state({"yaw": 8.0, "orbit_yaw": 50.0, "dolly": 2.0}).values[None], REST)
    still = motion_from_values(SHEET.state({"yaw": 8.0}).values[None], REST)
    assert np.array_equal(moved.angles, still.angles)
    assert np.array_equal(moved.camera, still.camera)


@pytest.mark.parametrize(("yaw", "pitch"), [(30.0, 0.0), (0.0, 25.0), (-50.0, -35.0), (60.0, 40.0)])
def test_from_where_the_nose_points_the_head_is_seen_straight_on(yaw: float, pitch: float) -> None:
    free = FreeCamera(orbit_yaw=yaw, orbit_pitch=pitch)
    seen = free.rotation @ rotation_from_angles(np.array([yaw, pitch, 0.0]))
    assert np.allclose(seen, np.eye(3), atol=1e-6)
    up = free.rotation @ np.array([0.0, 1.0, 0.0])
    assert up[0] == pytest.approx(0.0, abs=1e-6), "the camera stays upright"


def test_going_right_shows_the_nose_turning_left_and_going_up_shows_it_drop() -> None:
    for free, angles in (
        (FreeCamera(orbit_yaw=20.0), (-20.0, 0.0, 0.0)),
        (FreeCamera(orbit_pitch=20.0), (0.0, -20.0, 0.0)),
    ):
        assert np.allclose(angles_from_rotation(free.rotation), angles, atol=1e-4)
    nose = FreeCamera(orbit_yaw=20.0, orbit_pitch=10.0).rotation @ np.array([0.0, 0.0, 0.1])
    assert nose[0] < 0
    assert nose[1] < 0


def test_with_parallel_rays_the_dolly_is_the_zoom_and_the_pan_a_head_that_moves_away() -> None:
    assert np.allclose(FreeCamera(dolly=1.7).placed(tracked()), tracked(zoom=1.7))
    away = tracked(move_x=-0.04, move_y=0.03)
    assert np.allclose(FreeCamera(pan_x=0.04, pan_y=-0.03).placed(tracked()), away)
    assert np.array_equal(FreeCamera().placed(REST), REST)
    both = np.stack([REST, tracked(zoom=1.3)])
    free = FreeCamera(dolly=0.8, pan_x=0.1)
    assert np.allclose(free.placed(both), [free.placed(camera) for camera in both])


def test_the_similarity_is_the_moved_cameras_picture() -> None:
    free = FreeCamera(dolly=1.6, pan_x=0.03, pan_y=0.08)
    angles = np.array([15.0, -8.0, 5.0])
    before, after = (project(POINTS, angles, camera) for camera in (REST, free.placed(REST)))
    assert np.allclose(free.similarity(REST).apply(before), after, atol=1e-2)
    again = FreeCamera().similarity(REST)
    assert np.array_equal(again.to_array(), np.array([1.0, 0.0, 0.0, 0.0], np.float32))


def test_every_ray_begins_at_the_eye_and_is_seen_where_it_pierces_the_heads_plane() -> None:
    free = FreeCamera(lens=0.75, dolly=1.4, pan_x=0.1)
    plane = POINTS[:, :2]
    assert np.allclose(free.line_at(plane, 1.0 / free.nearness), [0.0, 0.0, 1.0 / free.nearness], atol=1e-6)
    assert np.array_equal(free.line_at(plane, 0.0)[:, :2], plane)
    heights = np.linspace(-0.3, 0.3, len(plane))
    assert np.allclose(free.on_plane(free.line_at(plane, heights)), plane, atol=1e-6)
    first, middle, last = (free.line_at(plane, z) for z in (-0.2, 0.0, 0.2))
    assert np.allclose((first + last) / 2, middle, atol=1e-6), "rays are straight"


def test_parallel_rays_leave_every_point_where_it_is_and_a_little_lens_nearly_so() -> None:
    assert np.array_equal(FreeCamera(dolly=2.0).on_plane(POINTS), POINTS[:, :2])
    assert np.allclose(FreeCamera(lens=1e-5).on_plane(POINTS), POINTS[:, :2], atol=1e-6)


@pytest.mark.parametrize("dolly", [0.5, 1.0, 1.8])
def test_it_is_a_pinhole_camera_that_really_comes_nearer(dolly: float) -> None:
    """Against a pinhole at a distance D whose focal length makes the head's plane as large as tracked."""
    free = FreeCamera(lens=0.6, dolly=dolly)
    far = 1.0 / (CLOSEST * 0.6)
    focal, distance = REST[0] * far, far / dolly
    pinhole = focal * POINTS[:, :2] / (distance - POINTS[:, 2:])
    assert np.allclose(free.placed(REST)[0] * free.on_plane(POINTS), pinhole, rtol=1e-4)


def test_the_heads_plane_keeps_its_place_and_the_nose_grows_with_the_lens() -> None:
    flat, nose = np.array([0.07, -0.04, 0.0]), np.array([0.07, -0.04, 0.1])
    seen = [FreeCamera(lens=lens) for lens in (0.0, 0.5, 1.0)]
    assert all(np.allclose(free.on_plane(flat), flat[:2]) for free in seen)
    grown = [float(free.on_plane(nose)[0] / nose[0]) for free in seen]
    assert np.allclose(grown, [1.0, 1.0 / 0.9, 1.0 / 0.8])


def test_what_is_behind_the_eye_is_an_error_and_no_picture() -> None:
    with pytest.raises(ValueError, match="behind the eye"):
        FreeCamera(lens=1.0).on_plane(np.array([[0.0, 0.0, 0.6]]))
