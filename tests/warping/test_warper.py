"""A warper draws the right pixels of the right pivots in the right place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.domain.camera import Similarity, View
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.warping.mesh import PersonMesh
from studio.warping.paint import Textures, soften_silhouettes
from studio.warping.parts import facing, pivot_positions
from studio.warping.regions import EYES, LIPS, REGIONS, PivotChooser, region_weights
from studio.warping.settings import WarpSettings
from studio.warping.warp_files import load_parts, save_parts
from studio.warping.warper import Warper
from tests.warping.average_person import CAMERA, SIZE, STAGE, ask, engine_from, motion_of, parts_from, pattern


def test_a_pivots_own_parameters_give_back_the_pivot(mesh: PersonMesh) -> None:
    motion = motion_of([-20.0, 0.0, 20.0])
    textures = np.stack([pattern(i) for i in range(3)])
    engine = engine_from(mesh, motion, textures)
    for pivot in range(3):
        frame = engine.render(ask(motion.take(slice(pivot, pivot + 1))))
        difference = np.abs(frame.image.astype(int) - textures[pivot, ..., :3])
        assert np.percentile(difference, 99) <= 2
        assert frame.alpha is not None
        assert frame.alpha.min() == 255


def test_a_head_between_two_pivots_moves_the_picture_with_it(mesh: PersonMesh) -> None:
    # One pivot, and the same face shifted 12 pixels: what was at the nose must be 12 pixels further.
    texture = pattern(4)
    engine = engine_from(mesh, motion_of([0.0]), texture[None])
    moved = motion_of([0.0])
    moved.camera[:, 1] += 12.0
    image = engine.render(ask(moved)).image
    nose = slice(90, 110), slice(86, 106)
    shifted = slice(90, 110), slice(98, 118)
    assert np.abs(image[shifted].astype(int) - texture[nose][..., :3]).mean() < 1.0
    assert np.abs(image[nose].astype(int) - texture[nose][..., :3]).mean() > 5.0


def test_an_open_mouth_comes_from_the_pivot_that_has_one(mesh: PersonMesh) -> None:
    # Closed pivots in red at many turns; one open pivot, in green, turned elsewhere.
    yaw = [-10.0, -5.0, 0.0, 5.0, 20.0]
    motion = motion_of(yaw, [0.0, 0.0, 0.0, 0.0, 0.3])
    textures = np.zeros((5, SIZE, SIZE, 4), np.uint8)
    textures[..., 3] = 255
    textures[:4, ..., 0] = 200
    textures[4, ..., 1] = 200
    engine = engine_from(mesh, motion, textures)
    wanted = motion_of([0.0], 0.3)
    image = engine.render(ask(wanted)).image
    points = mesh.positions(wanted)[0]
    mouth, forehead = points[[13, 14], :2].mean(0), points[151, :2]
    at_mouth = image[int(mouth[1]), int(mouth[0])]
    at_forehead = image[int(forehead[1]), int(forehead[0])]
    assert at_mouth[1] > 150 > 50 > at_mouth[0]
    assert at_forehead[0] > 150 > 50 > at_forehead[1]


def test_a_blink_of_a_tilted_head_comes_from_closed_eyes(mesh: PersonMesh) -> None:
    # Open eyes in red, tilted as asked for and turned a little; closed ones in green, on an upright head.
    motion = motion_of([-8.0, -4.0, 0.0, 4.0, 8.0, 0.0])
    motion.angles[:5, 2] = 15.0
    motion.eyelids[5] = 1.0
    textures = np.zeros((6, SIZE, SIZE, 4), np.uint8)
    textures[..., 3] = 255
    textures[:5, ..., 0] = 200
    textures[5, ..., 1] = 200
    wanted = motion_of([0.0])
    wanted.angles[0, 2] = 15.0
    wanted.eyelids[0] = 1.0
    image = engine_from(mesh, motion, textures).render(ask(wanted)).image
    for eye in ((159, 145), (386, 374)):
        x, y = mesh.positions(wanted)[0][list(eye), :2].mean(0)
        assert image[int(y), int(x), 1] > 150 > 50 > image[int(y), int(x), 0]


def test_background_stays_where_it_is_when_the_head_moves(mesh: PersonMesh) -> None:
    texture = pattern(1)
    yy, xx = np.mgrid[:SIZE, :SIZE]
    texture[..., 3] = np.where((xx - 96) ** 2 + (yy - 96) ** 2 < 60**2, 255, 0)
    plate = pattern(2)
    engine = engine_from(mesh, motion_of([0.0]), texture[None], plate=plate)
    moved = motion_of([15.0])
    moved.camera[:, 1] += 8.0
    frame = engine.render(ask(moved))
    assert frame.alpha is not None
    clear = frame.alpha == 0
    assert 0.3 < clear.mean() < 0.9
    assert np.abs(frame.image[clear].astype(int) - plate[..., :3][clear]).max() <= 1


def test_a_view_shows_the_same_picture_elsewhere_and_smaller(mesh: PersonMesh) -> None:
    motion = motion_of([0.0])
    engine = engine_from(mesh, motion, pattern(3)[None])
    whole = engine.render(ask(motion)).image.astype(np.float32)
    half = engine.render(ask(motion, View(Similarity(0.5, 0.0, 0.0, 0.0), 96, 96))).image
    averaged = whole.reshape(96, 2, 96, 2, 3).mean((1, 3))
    assert np.abs(half - averaged).mean() < 2.0
    corner = engine.render(ask(motion, View(Similarity(1.0, 0.0, -40.0, -30.0), 64, 64))).image
    assert np.abs(corner.astype(int) - whole[30:94, 40:104]).max() <= 2


def test_equal_requests_give_equal_frames_and_draft_differs_little(mesh: PersonMesh) -> None:
    motion = motion_of(np.linspace(-20, 20, 9))
    engine = engine_from(mesh, motion, np.stack([pattern(i) for i in range(9)]), settings=WarpSettings())
    request = ask(motion_of([3.0]))
    first, second = engine.render(request), engine.render(request)
    assert np.array_equal(first.image, second.image)
    draft = engine.render(replace(request, quality="draft"))
    difference = np.abs(draft.image.astype(int) - first.image).mean()
    assert 0.5 < difference < 40.0  # fewer pivots are blended: not the same picture, but the same face


def test_blend_weights_change_gradually(mesh: PersonMesh) -> None:
    pivots = motion_of(np.linspace(-25, 25, 12))
    chooser = PivotChooser(mesh, pivots, np.ones((12, len(REGIONS)), np.float32))

    def weights(yaw: float) -> np.ndarray:
        chosen, share = chooser.choose(motion_of([yaw]), mesh.face(motion_of([yaw])), (3, 3, 3, 3))
        total = np.zeros(12)
        np.add.at(total, chosen[1][chosen[1] >= 0], share[1][chosen[1] >= 0])
        assert total.sum() == pytest.approx(1.0, abs=1e-5)
        return total

    sweep = np.stack([weights(yaw) for yaw in np.arange(-24.0, 24.0, 0.05)])
    assert np.abs(np.diff(sweep, axis=0)).max() < 0.05


def test_an_untrusted_pivot_is_not_chosen(mesh: PersonMesh) -> None:
    pivots = motion_of([-8.0, 0.0, 8.0])
    trust = np.ones((3, len(REGIONS)), np.float32)
    trust[1] = 0.0
    wanted = motion_of([0.5])
    chosen, _ = PivotChooser(mesh, pivots, trust).choose(wanted, mesh.face(wanted), (1, 1, 1, 1))
    assert (chosen[:, 0] != 1).all()


def test_stairs_are_smoothed_where_depth_jumps_and_nowhere_else() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, 10:] = 90
    alpha = np.full((20, 20), 255, np.uint8)
    depth = np.zeros((20, 20), np.float32)
    assert np.array_equal(soften_silhouettes(image, alpha, depth, 1.0), image)
    depth[:, 10:] = 5.0
    out = soften_silhouettes(image, alpha, depth, 1.0)
    assert (out[1:-1, 9] == 30).all()
    assert (out[1:-1, 10] == 60).all()
    assert np.array_equal(np.delete(out, [9, 10], 1), np.delete(image, [9, 10], 1))
    assert np.array_equal(soften_silhouettes(image, np.zeros_like(alpha), depth, 1.0), image)


def test_regions_share_every_vertex(mesh: PersonMesh) -> None:
    weights = region_weights(mesh)
    assert np.allclose(weights.sum(1), 1.0, atol=1e-5)
    assert weights.min() >= -1e-6
    assert (weights[list(LIPS), 2] > 0.99).all()
    assert (weights[list(EYES), 3] > 0.99).all()
    assert (weights[len(mesh.offset) :, 0] == 1.0).all()
    assert weights[1, 1] > 0.5  # the tip of the nose is neither mouth nor eyes nor rim


def test_facing_tells_the_far_side_of_a_turned_head(mesh: PersonMesh) -> None:
    turned = motion_of([0.0, 55.0])
    seen = facing(mesh.positions(turned), mesh)
    left_cheek, right_cheek = 234, 454  # viewer's left and right ends of the face
    near_nose = 4
    assert seen[0, near_nose] == pytest.approx(1.0)
    # Turned to the viewer's right, the cheek on the viewer's right goes out of sight.
    assert seen[1, right_cheek] < 0.1 < 0.5 < seen[1, left_cheek]


def test_an_older_avatar_is_refused_in_words(mesh: PersonMesh, tmp_path: Path) -> None:
    save_parts(tmp_path, parts_from(mesh, motion_of([-10.0, 10.0]), np.stack([pattern(1), pattern(2)])))
    card = (tmp_path / "warp.json").read_text("utf-8")
    (tmp_path / "warp.json").write_text(card.replace('"schema_version": 3', '"schema_version": 1'), "utf-8")
    with pytest.raises(Problem, match="another version"):
        load_parts(tmp_path)


def test_hair_keeps_its_colour_when_shrunk_before_a_bright_wall() -> None:
    picture = np.full((1, 32, 32, 4), 255, np.uint8)
    picture[..., 3] = 0
    picture[:, :, :15] = (40, 30, 20, 255)
    small = Textures.pack(picture).shrunk(16, 16).packed[0].view(np.uint8).reshape(16, 16, 4)
    edge = small[8, 7].astype(int)
    assert edge[3] == pytest.approx(128, abs=2)
    assert np.abs(edge[:3] * 255 / edge[3] - (40, 30, 20)).max() < 3  # not lightened by the wall


def test_an_avatar_comes_back_from_disk_as_it_was(mesh: PersonMesh, tmp_path: Path) -> None:
    motion = motion_of([-10.0, 10.0])
    parts = parts_from(mesh, motion, np.stack([pattern(1), pattern(2)]), WarpSettings())
    engine = Warper(parts)
    save_parts(tmp_path, parts)
    loaded = load_parts(tmp_path)
    assert loaded.stage == STAGE
    assert loaded.sheet == engine.sheet
    assert np.allclose(
        pivot_positions(loaded.mesh, loaded.motion, loaded.shell)[:, :468],
        mesh.positions(motion)[:, :468],
        atol=1e-3,
    )
    again = Warper(loaded).render(ask(motion_of([2.0]))).image
    assert np.abs(again.astype(int) - engine.render(ask(motion_of([2.0]))).image).mean() < 2.5


@pytest.mark.parametrize("damage", ["warp.json", "warp.npz", "plate.png", "pivots/0001.jpg"])
def test_a_damaged_avatar_is_named(mesh: PersonMesh, tmp_path: Path, damage: str) -> None:
    parts = parts_from(mesh, motion_of([-10.0, 10.0]), np.stack([pattern(1), pattern(2)]))
    save_parts(tmp_path, parts)
    (tmp_path / damage).write_bytes(b"not it")
    with pytest.raises(Problem, match="damaged"):
        load_parts(tmp_path)


def test_rest_is_where_the_camera_says(mesh: PersonMesh) -> None:
    rest = mesh.positions(HeadMotion.neutral(1, CAMERA))[0]
    eyes = rest[[33, 263], :2].mean(0)
    assert abs(eyes[0] - CAMERA[1]) < 2.0  # a frontal head is centred on its camera
    assert rest[152, 1] > eyes[1] > rest[10, 1]  # chin below eyes below forehead
