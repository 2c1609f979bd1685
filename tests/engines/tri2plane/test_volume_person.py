"""What a volume knows of a person: on disk and back, and where the body is."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.engines.tri2plane import body as body_of_person
from studio.engines.tri2plane.body import BodyMotion, body_maps, learn_body
from studio.engines.tri2plane.person import VolumePerson, load_person, save_person
from studio.head.zero_pose import FrontalGrid, ZeroPose, canonical_face
from studio.warping.mesh import ShellMotion
from tests.warping.average_person import CAMERA, average_person, motion_of


def some_person(size: int = 32) -> VolumePerson:
    mesh = average_person()
    canonical = canonical_face(mesh.model, mesh.neutral_face)
    random = np.random.default_rng(0)
    # Not the grid that today's version would lay: an avatar keeps the one that it learnt on.
    grid = FrontalGrid(np.array([-0.12, -0.2], np.float32), np.array([0.13, 0.15], np.float32), size)
    return VolumePerson(
        neutral=mesh.neutral_face,
        canonical=canonical,
        colours=random.random(canonical.shape).astype(np.float32),
        grid=grid,
        proxy=random.random((16, 16)).astype(np.float32),
        low=np.array([-0.2, -0.25, -0.2], np.float32),
        high=np.array([0.2, 0.25, 0.12], np.float32),
        rest_camera=CAMERA,
        rest_angles=np.array([4.0, -3.0, 2.0], np.float32),
        chin=-0.07,
        head_model=mesh.model.id,
        body=BodyMotion(
            random.normal(0.0, 0.02, (7, 2, 3)).astype(np.float32), np.full(7, -2.0), np.full(7, 2.0)
        ),
    )


def test_a_person_comes_back_from_disk_and_draws_the_same_maps(tmp_path: Path) -> None:
    person = some_person()
    save_person(tmp_path / "person.npz", person)
    again = load_person(tmp_path / "person.npz")
    for field in fields(VolumePerson):
        before, after = getattr(person, field.name), getattr(again, field.name)
        if field.name == "body":
            for one in fields(BodyMotion):
                assert np.array_equal(getattr(before, one.name), getattr(after, one.name))
            continue
        if field.name == "grid":
            assert after.size == before.size
            before, after = np.stack([before.low, before.high]), np.stack([after.low, after.high])
        assert type(after) is type(before)
        assert np.array_equal(before, after)
    motion = motion_of([0.0, 5.0], [0.0, 0.15])
    maps = again.zero_pose().maps(motion)
    fresh = ZeroPose(person.model, person.neutral, person.colours, 32, person.canonical, person.grid)
    assert np.array_equal(maps.motion_map, fresh.maps(motion).motion_map)
    assert np.array_equal(maps.displacement, fresh.maps(motion).displacement)


@pytest.mark.parametrize("damage", ["half", "nothing", "other", "gone"])
def test_a_damaged_person_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "person.npz"
    save_person(path, some_person())
    if damage == "gone":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes({"half": data[: len(data) // 2], "nothing": b"", "other": b"not it"}[damage])
    with pytest.raises(Problem, match=r"damaged .* build the avatar again"):
        load_person(path)


def test_a_person_of_another_version_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "person.npz"
    save_person(path, replace(some_person(), head_model="someone-else"))
    with pytest.raises(Problem, match="another version"):
        load_person(path)
    with np.load(path) as archive:
        kept = {name: archive[name] for name in archive.files}
    np.savez(path, **{**kept, "schema_version": 99, "head_model": some_person().head_model})
    with pytest.raises(Problem, match="another version"):
        load_person(path)
    earlier = {name: value for name, value in kept.items() if not name.startswith("body_")}
    np.savez(path, **{**earlier, "schema_version": 1})
    with pytest.raises(Problem, match="another version"):
        load_person(path)
    del kept["proxy"]
    np.savez(path, **kept)
    with pytest.raises(Problem, match="proxy"):
        load_person(path)


def in_camera_space(pixels: np.ndarray, motion: HeadMotion) -> np.ndarray:
    """``[T, K, 3]`` pixels to metres relative to the head's origin, y up."""
    places = pixels - np.pad(motion.camera[:, 1:], ((0, 0), (0, 1)))[:, None]
    return places / motion.camera[:, None, :1] * (1.0, -1.0, 1.0)


def some_motion(seed: int) -> HeadMotion:
    random = np.random.default_rng(seed)
    motion = motion_of(random.uniform(-30, 30, 5))
    motion.camera[:] = CAMERA * random.uniform(0.8, 1.3, (5, 3))
    return motion


def test_the_body_is_where_the_mesh_puts_shoulders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outermost ring of the shell hangs on the body alone: leading its pixels back must give the shell at
    rest, also where the clip taught the shell an affine motion of its own."""
    monkeypatch.setattr(body_of_person, "STIFF", 1e-4)  # this clip is sure of everything
    mesh = replace(average_person(), rest_angles=np.array([7.0, -4.0, 3.0], np.float32))
    motion = some_motion(3)
    first, last = mesh.shell
    held = project(mesh.shell_at_rest, mesh.rest_angles, np.array([1.0, 0.0, 0.0], np.float32))
    held[:, 1] *= -1
    plane = np.concatenate([held[:, :2], np.ones((len(held), 1))], 1)
    taught = np.random.default_rng(5).normal(0.0, 0.004, (7, 2, 3))
    taught[:, :, :2] *= 5.0
    coefficients = (np.einsum("fij,sj->fsi", taught, plane) * (1.0, -1.0)).astype(np.float32)
    far = np.full(7, 9.0, np.float32)
    alone = np.flatnonzero(mesh.shell_lets_go == 1.0)
    assert len(alone) > 20
    for shell in (None, ShellMotion(coefficients, -far, far)):
        moving = replace(mesh, shell_motion=shell)
        maps = body_maps(motion, mesh.rest_camera, mesh.rest_angles, learn_body(moving))
        seen = in_camera_space(moving.positions(motion)[:, first:last][:, alone], motion)
        back = seen[..., :2] @ np.swapaxes(maps[:, :, :2], 1, 2) + maps[:, None, :, 2]
        np.testing.assert_allclose(back, np.tile(held[alone, :2], (5, 1, 1)), atol=3e-4)
    without = body_maps(motion, mesh.rest_camera, mesh.rest_angles, BodyMotion.none())
    wrong = seen[..., :2] @ np.swapaxes(without[:, :, :2], 1, 2) + without[:, None, :, 2]
    assert np.abs(wrong - held[alone, :2]).max() > 0.01


def test_beyond_what_was_seen_the_body_moves_no_farther() -> None:
    coefficients = np.zeros((7, 2, 3), np.float32)
    coefficients[1, 0, 2] = 0.01  # a centimetre to the right for each 20 degrees of turn
    one = np.ones(7, np.float32)
    body = BodyMotion(coefficients, -one, one)
    maps = body_maps(motion_of([20.0, 60.0, -60.0]), CAMERA, np.zeros(3), body)
    np.testing.assert_allclose(maps[:, 0, 2], (-0.01, -0.01, 0.01), atol=1e-6)


def test_a_body_is_never_turned_over() -> None:
    wild = BodyMotion(np.full((7, 2, 3), -3.0, np.float32), np.full(7, -2.0), np.full(7, 2.0))
    maps = body_maps(some_motion(6), CAMERA, np.zeros(3), wild)
    assert np.isfinite(maps).all()
    size = np.linalg.svd(maps[:, :, :2])[1]
    assert (np.linalg.det(maps[:, :, :2]) > 0).all()
    assert size.max() <= 2.0 + 1e-5


def test_a_head_at_rest_is_where_its_body_is() -> None:
    still = HeadMotion.neutral(2, CAMERA)
    still.camera[1] += (0, 75, -150)  # 0.1 m to the right, 0.2 m up: the body went half as far
    maps = body_maps(still, CAMERA, np.zeros(3), BodyMotion.none())
    np.testing.assert_allclose(maps[:, :, :2], np.tile(np.eye(2), (2, 1, 1)))
    np.testing.assert_allclose(maps[:, :, 2], [(0.0, 0.0), (0.05, 0.1)], atol=1e-6)
