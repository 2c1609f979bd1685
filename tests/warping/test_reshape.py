"""Another shape is drawn where the head model has it, rest stays, and finished pictures are reread alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.camera import Similarity, View, rotation_from_angles
from studio.domain.controls import ControlState
from studio.domain.edits import Edit, EditStack, ShapeShift
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.rendering import RenderRequest
from studio.editing.shape_finder import all_shapes
from studio.warping.mesh import RINGS, PersonMesh
from studio.warping.reshape import Reshaper, follows, reread
from studio.warping.settings import WarpSettings
from studio.warping.warper import Warper
from tests.warping.average_person import SIZE, STAGE, ask, motion_of, parts_from, pattern

JAW = (150, 379)
"""Vertices at both sides of the jaw, in sight from either side."""


def shape(name: str, identity: np.ndarray, strength: float = 0.0) -> Edit:
    """An edit that rests at a strength."""
    return Edit(name, name, "shape", ShapeShift(np.asarray(identity, np.float32), "builtin-1"), strength)


def some_identity(seed: int = 0, size: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, size, 40).astype(np.float32)


def asking(motion: HeadMotion, view: View = STAGE, **strengths: float) -> RenderRequest:
    """A request for a motion's first frame, with strengths of edits."""
    plain = ask(motion, view)
    names = (*plain.state.names, *(f"edit_{name}" for name in strengths))
    values = np.append(plain.state.values, list(strengths.values())).astype(np.float32)
    return replace(plain, state=ControlState(names, values))


def alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Whether both are there and the same to the last bit."""
    return one is not None and other is not None and np.array_equal(one, other)


def lively(yaw: float = 12.0) -> HeadMotion:
    """One frame in which everything moves."""
    motion = motion_of([yaw], 0.2)
    motion.angles[0, 1:] = -7.0, 9.0
    motion.expression[0] = np.linspace(1.0, -1.0, 50)
    motion.eyelids[0] = 0.7, 0.2
    motion.gaze[0] = 9.0, -4.0
    motion.camera[0] *= (1.2, 1.0, 1.05)
    return motion


def slowly(mesh: PersonMesh, identity: np.ndarray, motion: HeadMotion) -> np.ndarray:
    """``[478, 2]`` where a person with another identity has their face: the model, turned and projected."""
    face = mesh.model.vertices(mesh.identity + identity, mesh.offset, motion)[0]
    turn = rotation_from_angles(motion.angles[0])
    scale, cx, cy = motion.camera[0]
    seen = [turn @ point for point in face]
    return np.array([(cx + scale * x, cy - scale * y) for x, y, _ in seen])


def disc(texture: np.ndarray, radius: float = 70.0) -> np.ndarray:
    """A texture whose person is a disc with soft edges."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    texture = texture.copy()
    texture[..., 3] = np.clip((radius - np.hypot(x - 96, y - 96)) * 60.0 + 128.0, 0, 255)
    return texture


def test_at_strength_zero_nothing_is_different_and_nothing_is_done(
    mesh: PersonMesh, monkeypatch: pytest.MonkeyPatch
):
    parts = parts_from(mesh, motion_of([-15.0, 0.0, 15.0]), np.stack([pattern(i) for i in range(3)]))
    edits = EditStack((shape("one", some_identity(1)), shape("two", some_identity(2))))
    plain, edited = Warper(parts), Warper(parts, edits)
    monkeypatch.setattr(Reshaper, "shift", lambda *a: pytest.fail("no shape is asked for"))
    request = asking(lively(), one=0.0, two=0.0)
    posed = edited.posed(request.state)
    assert not posed.reshaped
    assert posed.positions is posed.own
    first, second = plain.render(ask(lively())), edited.render(request)
    assert np.array_equal(first.image, second.image)
    assert alike(first.alpha, second.alpha)
    # Also where the state does not speak of edits that rest at zero.
    assert np.array_equal(edited.render(ask(lively())).image, first.image)


def test_an_edit_is_a_control_and_shows_at_rest(mesh: PersonMesh):
    parts = parts_from(mesh, motion_of([0.0]), pattern(1)[None])
    edited = Warper(parts, EditStack((shape("one", some_identity(1), 0.6),)))
    assert edited.sheet.names == (*parts.sheet.names, "edit_one")
    at_rest = edited.posed(ask(lively()).state)
    asked = edited.posed(asking(lively(), one=0.6).state)
    assert at_rest.reshaped
    assert np.array_equal(at_rest.positions, asked.positions)
    assert edited.reshapes(ask(lively()).state)
    assert not edited.reshapes(asking(lively(), one=0.0).state)


@pytest.mark.parametrize("strength", [-1.0, 0.5, 1.7])
@pytest.mark.parametrize("yaw", [-30.0, 0.0, 22.0])
def test_the_face_is_where_the_model_has_it(mesh: PersonMesh, yaw: float, strength: float):
    identity = some_identity(3)
    parts = parts_from(mesh, motion_of([0.0]), pattern(1)[None])
    warper = Warper(parts, EditStack((shape("one", identity),)))
    motion = lively(yaw)
    posed = warper.posed(asking(motion, one=strength).state)
    assert np.abs(posed.positions[:478, :2] - slowly(mesh, strength * identity, motion)).max() < 2e-3
    assert np.abs(posed.own[:478, :2] - slowly(mesh, 0 * identity, motion)).max() < 2e-3
    assert np.abs(posed.positions - posed.own).max() > 1.0


@pytest.mark.parametrize("yaw", [-15.0, 0.0, 15.0])
def test_a_wider_jaw_is_drawn_wider_by_just_that_much(mesh: PersonMesh, yaw: float):
    # Two dots on the jaw of one frontal pivot, red on the one side and green on the other.
    identity = all_shapes()["wide_jaw"]
    places = mesh.positions(motion_of([0.0]))[0, list(JAW), :2]
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    texture = np.zeros((SIZE, SIZE, 4), np.float32)
    for channel, place in enumerate(places):
        texture[..., channel] = 250 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 2 / 1.5**2)
    texture[..., 3] = 255
    parts = parts_from(mesh, motion_of([0.0]), texture.astype(np.uint8)[None])
    warper, motion = Warper(parts, EditStack((shape("jaw", identity),))), motion_of([yaw])

    def seen(strength: float) -> np.ndarray:
        image = warper.render(asking(motion, jaw=strength)).image.astype(float)
        weights = (np.where(image[..., c] > 25, image[..., c], 0.0) for c in (0, 1))
        return np.array([((w * x).sum() / w.sum(), (w * y).sum() / w.sum()) for w in weights])

    def modelled(strength: float) -> np.ndarray:
        return slowly(mesh, strength * identity, motion)[list(JAW)]

    for strength in (-1.0, 1.0):
        wider = (seen(strength) - seen(0.0))[:, 0] @ (-1.0, 1.0)
        expected = (modelled(strength) - modelled(0.0))[:, 0] @ (-1.0, 1.0)
        assert expected * strength > 3.0
        assert wider == pytest.approx(expected, abs=0.7)


def test_shapes_add_up_and_a_linear_sum_is_all_there_is(mesh: PersonMesh):
    one, two = some_identity(1), some_identity(2)
    parts = parts_from(mesh, motion_of([-10.0, 10.0]), np.stack([pattern(1), pattern(2)]))
    apart = Warper(parts, EditStack((shape("one", one), shape("two", two))))
    together = Warper(parts, EditStack((shape("sum", 0.8 * one - 1.1 * two),)))
    first = apart.posed(asking(lively(), one=0.8, two=-1.1).state)
    second = together.posed(asking(lively(), sum=1.0).state)
    assert np.abs(first.positions - first.own).max() > 2.0
    np.testing.assert_allclose(first.positions, second.positions, atol=2e-3)


def test_nothing_but_the_shape_changes(mesh: PersonMesh):
    parts = parts_from(
        mesh, motion_of(np.linspace(-20, 20, 7)), np.stack([pattern(i) for i in range(7)]), WarpSettings()
    )
    warper = Warper(parts, EditStack((shape("one", some_identity(1)),)))
    plain, edited = (warper.posed(asking(lively(), one=s).state) for s in (0.0, 1.0))
    assert np.array_equal(plain.chosen, edited.chosen)
    assert np.array_equal(plain.share, edited.share)
    assert np.array_equal(plain.own, edited.own)
    assert warper.mesh is parts.mesh  # crops are aligned by it
    filmed = warper.draw(edited.as_filmed, STAGE)[0]
    assert np.array_equal(filmed, Warper(parts).render(ask(lively())).image)


def test_the_shell_follows_the_rim_less_and_less_and_the_border_stays(mesh: PersonMesh):
    assert follows(1.0) == 1.0
    assert follows(RINGS[-1].scale) == 0.0
    shares = [follows(ring.scale) for ring in RINGS]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.95
    # Everything grows sideways: wherever one goes along the rim, no ring catches up with the next.
    widened = np.zeros(40, np.float32)
    widened[:2] = 1.5, 1.0
    parts = parts_from(mesh, motion_of([0.0]), pattern(1)[None])
    warper = Warper(parts, EditStack((shape("wide", widened),)))
    posed = warper.posed(asking(motion_of([0.0]), wide=1.0).state)
    moved = (posed.positions - posed.own)[:, :2]
    first, end = mesh.shell
    rings = [moved[mesh.rim], *moved[first:end].reshape(len(RINGS), -1, 2)]
    assert np.abs(rings[0]).max() > 3.0
    for share, ring in zip(shares, rings[1:]):
        np.testing.assert_allclose(ring, share * rings[0], atol=0.02)
    assert not moved[end:].any()


@pytest.mark.parametrize("strength", [-1.0, 1.0])
def test_no_named_shape_folds_the_mesh(mesh: PersonMesh, strength: float):
    parts = parts_from(mesh, motion_of([0.0]), pattern(1)[None])
    shapes = all_shapes()
    warper = Warper(parts, EditStack(tuple(shape(name, identity) for name, identity in shapes.items())))
    for yaw in (-30.0, -15.0, 0.0, 15.0, 30.0):
        for jaw in (0.0, 0.25):
            motion = motion_of([yaw], jaw)
            for name in shapes:
                posed = warper.posed(
                    asking(motion, STAGE, **dict.fromkeys(shapes, 0.0) | {name: strength}).state
                )
                own, other = (np.cross(*_edges(p[mesh.triangles])) for p in (posed.own, posed.positions))
                # Those that are not seen from the edge: what nearly turns away may go over the horizon.
                seen = np.abs(own[:, 2]) > 0.3 * np.linalg.norm(own, axis=1)
                assert seen.sum() > 800
                assert (other[seen, 2] / own[seen, 2]).min() > 0.0, (name, yaw, jaw)


def _edges(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]


def test_large_eyes_still_close(mesh: PersonMesh):
    parts = parts_from(mesh, motion_of([0.0]), pattern(1)[None])
    warper = Warper(parts, EditStack((shape("eyes", all_shapes()["large_eyes"]),)))
    lids = [(159, 145), (386, 374)]

    def gaps(closed: float) -> np.ndarray:
        motion = motion_of([0.0])
        motion.eyelids[:] = closed
        points = warper.posed(asking(motion, eyes=1.0).state).positions
        return np.array([points[lower, 1] - points[upper, 1] for upper, lower in lids])

    assert (gaps(1.0) < 0.08 * gaps(0.0)).all()
    assert (gaps(0.0) > 6.0).all()


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (ShapeShift(np.ones(5, np.float32), "flame-2020"), "“flame-2020” and this avatar has “builtin-1”"),
        (ShapeShift(np.ones(41, np.float32), "builtin-1"), "41 identity coefficients .* has 40"),
    ],
)
def test_a_shape_of_another_head_is_refused_in_one_sentence(mesh: PersonMesh, effect: ShapeShift, words: str):
    parts = parts_from(mesh, motion_of([0.0]), pattern(1)[None])
    with pytest.raises(Problem, match=words) as said:
        Warper(parts, EditStack((Edit("one", "Long nose", "shape", effect),)))
    assert "Long nose" in str(said.value)


# Pictures that are finished already


def pictures(seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of a disc before a background, its coverage, and the background."""
    figure, plate = disc(pattern(seed)), pattern(seed + 1)[..., :3]
    cover = figure[..., 3]
    part = cover[..., None] / 255.0
    image = part * figure[..., :3] + (1.0 - part) * plate
    return (image + 0.5).astype(np.uint8), cover, plate


def test_the_same_mesh_gives_the_same_picture(mesh: PersonMesh):
    noise = np.random.default_rng(3).integers(0, 256, (SIZE, SIZE, 5)).astype(np.uint8)
    points = mesh.positions(lively())[0]
    for cover in (noise[..., 3].copy(), None):
        out, covered = reread(noise[..., :3], cover, noise[..., 2:], mesh.triangles, points, points.copy())
        assert np.array_equal(out, noise[..., :3])
        assert covered is None if cover is None else alike(covered, cover)


def test_a_mesh_moved_aside_takes_the_person_along_and_leaves_the_background(mesh: PersonMesh):
    image, cover, plate = pictures()
    own = mesh.positions(motion_of([0.0]))[0]
    other = own + np.array([7.0, -4.0, 0.0], np.float32)
    out, covered = reread(image, cover, plate, mesh.triangles, own, other)
    assert covered is not None
    expected = np.roll(cover, (-4, 7), (0, 1))
    assert np.abs(covered.astype(int) - expected).max() <= 1
    part = expected[..., None] / 255.0
    figure = np.roll(disc(pattern(5))[..., :3], (-4, 7), (0, 1))
    assert np.abs(out - (part * figure + (1.0 - part) * plate)).max() <= 2.5
    assert np.array_equal(out[covered == 0], plate[covered == 0])
    # Without a background everything moves along.
    whole, none = reread(image, None, plate, mesh.triangles, own, other)
    assert none is None
    inner = (slice(4, -4), slice(7, -7))
    assert np.abs(whole.astype(int) - np.roll(image, (-4, 7), (0, 1)))[inner].max() <= 1


def test_beyond_the_mesh_and_at_the_pictures_edge_nothing_breaks(mesh: PersonMesh):
    image, cover, plate = pictures()
    small = Similarity(0.2, 0.0, 90.0, -20.0).apply(mesh.positions(motion_of([0.0]))[0])
    far = small + np.array([300.0, 9.0, 0.0], np.float32)
    out, covered = reread(image, cover, plate, mesh.triangles, small, far)
    assert np.array_equal(out, image)  # the mesh wanted lies outside
    assert covered is not None
    back, _ = reread(image, cover, plate, mesh.triangles, far, small)
    assert back.shape == image.shape
    assert np.array_equal(back[150:], image[150:])


@pytest.mark.parametrize("yaw", [0.0, 14.0])
def test_rereading_a_finished_picture_shows_what_warping_onto_the_mesh_shows(mesh: PersonMesh, yaw: float):
    plate = pattern(2)
    parts = parts_from(mesh, motion_of([0.0]), disc(pattern(1))[None], plate=plate)
    warper = Warper(parts, EditStack((shape("fat", all_shapes()["chubby"]),)))
    posed = warper.posed(asking(motion_of([yaw]), fat=1.0).state)
    image, cover = warper.draw(posed, STAGE)
    filmed, filmed_cover = warper.draw(posed.as_filmed, STAGE)
    again, again_cover = reread(
        filmed, filmed_cover, warper.background(STAGE), mesh.triangles, posed.own, posed.positions
    )
    assert cover is not None
    assert again_cover is not None
    off = np.abs(again.astype(float) - image).mean(-1)
    changed = np.abs(filmed.astype(float) - image).mean(-1)
    slope = np.abs(np.gradient(image.astype(float).mean(-1))).sum(0)
    face = slice(40, 150), slice(40, 150)
    assert changed[face].mean() > 2.0
    assert off[face].mean() < 0.2 * changed[face].mean()
    # Where the picture is steep, a level tells a distance.
    steep = slope[face] > 6.0
    assert np.percentile((off[face] / np.maximum(slope[face], 1.0))[steep], 95) < 0.5
    assert np.abs(again_cover.astype(int) - cover).mean() < 1.0
    outside = (cover == 0) & (again_cover == 0)
    assert outside.mean() > 0.3
    assert np.abs(again.astype(int) - image)[outside].max() <= 1
