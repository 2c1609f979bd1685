"""Light: normals of a mesh whose shape is known, and the factor in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.camera import rotation_from_angles
from studio.domain.edits import Relight
from studio.warping.mesh import PersonMesh
from studio.warping.relight import DIMMEST, SMOOTHINGS, Light, Normals, brightness, gains
from tests.warping.average_person import motion_of


def test_normals_of_a_ball_point_away_from_its_middle(mesh: PersonMesh) -> None:
    face = mesh.neutral_face
    points = mesh.positions(motion_of([0.0]))[0].copy()
    flat = face[:, :2] - face[:, :2].mean(0)
    radius = 1.25 * np.linalg.norm(flat, axis=1).max()
    deep = np.sqrt(radius**2 - (flat**2).sum(1))
    scale = 700.0
    points[: len(face)] = np.column_stack([flat[:, 0], -flat[:, 1], deep]) * scale
    normals = Normals(mesh).at(points, motion_of([0.0]))[: len(face)]
    wanted = np.column_stack([flat, deep]) / radius
    inside = np.linalg.norm(flat, axis=1) < 0.6 * np.linalg.norm(flat, axis=1).max()
    inside[468:] = False  # irises hang on few triangles
    degrees = np.rad2deg(np.arccos(np.clip((normals * wanted).sum(1), -1.0, 1.0)))
    assert degrees[inside].mean() < 3.0
    assert degrees[inside].max() < 15.0


def test_normals_turn_with_the_head_and_stay_with_the_shoulders(mesh: PersonMesh) -> None:
    normals = Normals(mesh)
    still, turned = (normals.at(mesh.positions(motion_of([yaw]))[0], motion_of([yaw])) for yaw in (0.0, 30.0))
    np.testing.assert_allclose(np.linalg.norm(still[np.unique(mesh.triangles)], axis=1), 1.0, atol=1e-5)
    forehead = [151, 9, 8]
    angle = np.rad2deg(np.arctan2(turned[forehead, 0], turned[forehead, 2])).mean()
    assert angle == pytest.approx(30.0, abs=6.0)
    first, end = mesh.shell
    lowest = first + np.flatnonzero(mesh.shell_lets_go[-len(mesh.rim) :] == 1.0) + 5 * len(mesh.rim)
    assert lowest.max() < end
    np.testing.assert_allclose(turned[lowest], still[lowest], atol=0.3)  # turned along, it were 0.5
    # The outline of the hair looks sideways, left to the left and right to the right.
    ring = slice(first + 3 * len(mesh.rim), first + 4 * len(mesh.rim))
    rest = mesh.shell_at_rest[3 * len(mesh.rim) : 4 * len(mesh.rim)]
    side = np.abs(rest[:, 0]) > 0.08
    assert (np.sign(still[ring][side, 0]) == np.sign(rest[side, 0])).all()
    assert np.abs(still[ring][side, 0]).min() > 0.5


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (25.0, -12.0)])
def test_normals_are_what_the_slow_way_gives(mesh: PersonMesh, yaw: float, pitch: float) -> None:
    mesh = replace(mesh, rest_angles=np.array([4.0, -6.0, 2.0], np.float32))
    motion = motion_of([yaw])
    motion.angles[0, 1] = pitch
    points = mesh.positions(motion)[0]
    first, end = mesh.shell
    normals = np.zeros((end, 3))
    upright = points[:first].astype(np.float64) * (1.0, -1.0, 1.0)
    for a, b, c in mesh.model.triangles:
        normals[[a, b, c]] += np.cross(upright[b] - upright[a], upright[c] - upright[a])
    normals[:first] /= np.maximum(np.linalg.norm(normals[:first], axis=1, keepdims=True), 1e-20)
    turned, held = (rotation_from_angles(angles) for angles in (motion.angles[0], mesh.rest_angles))
    for k, own in enumerate(Normals(mesh)._shell_normals()):
        lets_go = mesh.shell_lets_go[k]
        normals[first + k] = (1.0 - lets_go) * (turned @ own) + lets_go * (held @ own)
    beside = {v: {v} for v in range(end)}
    for corners in mesh.triangles:
        if corners.max() < end:
            for v in corners:
                beside[v] |= set(corners.tolist())
    for _ in range(SMOOTHINGS):
        normals = np.stack([normals[list(beside[v])].mean(0) for v in range(end)])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    got = Normals(mesh).at(points, motion)
    np.testing.assert_allclose(got[:end], normals, atol=2e-4)
    assert (got[end:] == (0.0, 0.0, 1.0)).all()


def test_gains_between_corners_are_powers_of_factors(mesh: PersonMesh) -> None:
    factors = np.random.default_rng(1).uniform(0.3, 2.0, (mesh.vertices, 3)).astype(np.float32)
    for colourless in (False, True):
        found = gains(factors, mesh.triangles, colourless)
        for u, v in ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.2, 0.5)):
            got = found @ np.array([1.0, u, v], np.float32)
            corners = (factors ** (1 / 2.4))[mesh.triangles]
            wanted = u * corners[:, 0] + v * corners[:, 1] + (1.0 - u - v) * corners[:, 2]
            np.testing.assert_allclose(got, wanted[:, :1] if colourless else wanted, rtol=1e-5)


def test_a_mirrored_face_has_mirrored_normals(mesh: PersonMesh) -> None:
    normals = Normals(mesh).at(mesh.positions(motion_of([0.0]))[0], motion_of([0.0]))
    for one, other in ((50, 280), (58, 288), (105, 334), (205, 425)):
        np.testing.assert_allclose(normals[one], normals[other] * (-1.0, 1.0, 1.0), atol=0.1)


def test_brightness_is_the_formula() -> None:
    random = np.random.default_rng(3)
    normals = random.normal(size=(40, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    one, two = Relight((0.3, 0.1, 0.2), 0.1, (1.0, 0.5, 0.2)), Relight((-0.2, 0.3, 0.0), -0.05)
    got = brightness(normals, [Light(one, 0.7), Light(two, 1.0)])
    wanted = 1.0 + 0.7 * np.array(one.tint) * (normals @ np.array(one.direction) + one.ambient)[:, None]
    wanted = wanted * (1.0 + (normals @ np.array(two.direction) + two.ambient))[:, None]
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_a_light_and_its_opposite_cancel_about_the_ambient() -> None:
    normals = np.eye(3, dtype=np.float32)
    there = brightness(normals, [Light(Relight((0.4, -0.2, 0.1), 0.1), 0.8)])
    back = brightness(normals, [Light(Relight((-0.4, 0.2, -0.1), 0.1), 0.8)])
    np.testing.assert_allclose(there + back, 2.0 + 2.0 * 0.8 * 0.1, rtol=1e-5)


def test_no_darkness_is_black_and_it_deepens_all_the_way() -> None:
    normals = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (1, 1))
    factors = [
        float(brightness(normals, [Light(Relight((0.0, 0.0, -1.0)), strength)])[0, 0])
        for strength in np.linspace(0.0, 3.0, 31)
    ]
    assert (np.diff(factors) < 0.0).all()
    assert factors[-1] > 0.0
    assert factors[5] == pytest.approx(0.5, abs=1e-5)
    assert factors[10] == pytest.approx(DIMMEST / np.e, abs=1e-4)
