"""What warping finds out about a clip: background, covers, and how hair moves."""

from __future__ import annotations

import numpy as np

from studio.head.rasterise import rasterise
from studio.warping.mesh import PersonMesh
from studio.warping.paint import Pivots, Textures, paint
from studio.warping.parts import facing
from studio.warping.plate import fill_smoothly, recover_plate
from studio.warping.regions import region_weights
from studio.warping.shell import learn_shell
from studio.warping.trust import vertex_trust
from tests.warping.average_person import CAMERA, SIZE, STAGE, motion_of, pattern


def test_the_background_behind_a_moving_person_is_found_exactly() -> None:
    background = pattern(5)[..., :3]
    frames = np.zeros((9, SIZE, SIZE, 4), np.uint8)
    for n in range(9):
        frames[n, ..., :3] = background
        left = 20 + 12 * n
        frames[n, 60:150, left : left + 50, :3] = 7
        frames[n, 60:150, left : left + 50, 3] = 255
    plate = recover_plate(frames)
    assert plate.still
    assert np.abs(plate.image[..., :3].astype(int) - background).max() <= 1


def test_a_moving_background_is_not_taken_for_a_still_one() -> None:
    frames = np.stack([pattern(n) for n in range(9)])
    frames[..., 3] = 0
    plate = recover_plate(frames)
    assert not plate.still
    assert plate.image[..., 3].max() == 0


def test_what_was_never_seen_is_filled_from_around_it() -> None:
    picture = np.full((64, 64, 3), 80, np.uint8)
    known = np.ones((64, 64), bool)
    known[20:40, 20:40] = False
    picture[20:40, 20:40] = 255
    assert np.abs(fill_smoothly(picture, known).astype(int) - 80).max() <= 1


def _painted(mesh: PersonMesh, texture: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The texture, whose mesh is ``source [V, 2]``, drawn where ``target [V, 3]`` says."""
    one = Pivots(
        chosen=np.zeros((1, 1), np.int32),
        share=np.ones((1, 1), np.float32),
        meshes=source[None],
        visible=np.ones((1, mesh.vertices), np.float32),
    )
    seen = rasterise(target, mesh.triangles, SIZE, SIZE)
    whole = np.ones((mesh.vertices, 1), np.float32)
    return np.dstack(paint(seen, mesh.triangles, whole, Textures.pack(texture[None]), one, None, None))


def test_a_covered_cheek_is_not_trusted_and_the_rest_is(mesh: PersonMesh) -> None:
    yaw = np.linspace(-12, 12, 11)
    motion = motion_of(yaw)
    positions = mesh.positions(motion)
    base = pattern(9)
    rest = mesh.positions(motion_of([0.0]))[0]
    textures = np.stack([_painted(mesh, base, rest[:, :2].copy(), p) for p in positions])
    cheek = positions[4, 50, :2]  # MediaPipe's point in the middle of a cheek
    x, y = int(cheek[0]), int(cheek[1])
    textures[4, y - 14 : y + 14, x - 14 : x + 14, :3] = [255, 0, 255]
    trust = vertex_trust(
        mesh, positions[..., :2], facing(positions, mesh), region_weights(mesh), textures, STAGE
    )
    assert trust[4, 50] < 0.2
    assert trust[4, 280] > 0.9  # the other cheek
    others = np.delete(trust, 4, axis=0)
    assert others.mean() > 0.97


def test_hair_that_lags_behind_the_head_is_measured(mesh: PersonMesh) -> None:
    # Shell vertices of this person really move 12 mm to the right for 20 degrees of turn, more than a skull.
    yaw = np.linspace(-20, 20, 15)
    motion = motion_of(yaw)
    first, last = mesh.shell
    rest = mesh.positions(motion_of([0.0]))[0]
    real = mesh.positions(motion)
    extra = 0.012 * yaw / 20.0 * CAMERA[0]
    real[:, first:last, 0] += extra[:, None]
    textures = np.stack([_painted(mesh, pattern(11), rest[:, :2].copy(), p) for p in real])
    learnt, measured = learn_shell(mesh, motion, textures, STAGE)
    ring = slice(0, (last - first) // 3)  # the two inner rings lie wholly inside this small stage
    assert np.median(measured[-1, ring, 0]) > 0.006
    assert np.median(measured[0, ring, 0]) < -0.006
    slope = np.median(learnt.coefficients[1, ring, 0])
    assert 0.006 < slope < 0.018
    assert abs(np.median(learnt.coefficients[1, ring, 1])) < 0.003


def test_one_picture_gives_what_shows_of_its_background() -> None:
    picture = np.zeros((1, 60, 80, 4), np.uint8)
    picture[..., :3] = np.arange(80, dtype=np.uint8)[:, None] * (1, 2, 3)
    picture[0, 15:60, 30:50, :3] = 250
    picture[0, 15:60, 30:50, 3] = 255
    plate = recover_plate(picture)
    assert plate.still
    shown = plate.image[..., :3].astype(int)
    assert np.array_equal(shown[:, :20], picture[0, :, :20, :3])
    # Behind the person it goes on from one side to the other, and nothing of the person is left.
    assert np.abs(shown[40, 30:50] - picture[0, 0, 30:50, :3]).max() < 20
