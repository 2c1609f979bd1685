"""A frame is what the volume shows, where the window is, before the empty background; and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from studio.domain.camera import Similarity, View, project, rotation_from_angles
from studio.domain.free_camera import FreeCamera, orbited
from studio.engines.tri2plane.artefact import Tri2Parts
from studio.engines.tri2plane.body import BodyMotion
from studio.engines.tri2plane.engine import Tri2PlaneEngine, widened
from studio.engines.tri2plane.lay_volume import FADE
from studio.engines.tri2plane.moments import MomentMaker
from studio.head.neutral_crop import aligned_crop
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.rays import pixel_centres
from studio.warping.warper import Warper
from tests.engines.tri2plane.small_volume import (
    GREY,
    lively,
    random_network,
    random_parts,
    request_of,
    write_base,
)
from tests.warping.average_person import STAGE, average_person, motion_of

MARGIN = 0.25
SIDE = 48  # 32 rays, grown by a quarter on each side
EDGE = int(np.ceil(FADE * SIDE)) + 1
INNER = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture(scope="module")
def parts(base: Path) -> Tri2Parts:
    return random_parts(base, margin=MARGIN)


def engine_of(parts: Tri2Parts) -> Tri2PlaneEngine:
    return Tri2PlaneEngine(parts, "cpu")


def window_view(motion, side: int = SIDE) -> View:
    window = widened(aligned_crop(average_person().neutral_face, motion), MARGIN)
    return View(window.scaled(side), side, side)


def test_the_window_is_what_the_network_draws_before_the_plate(parts: Tri2Parts):
    motion = lively()
    view = window_view(motion)
    frame = engine_of(parts).render(request_of(motion, view))
    moment = MomentMaker(parts.person, parts.mean, parts.deviation, parts.code).moment(motion)
    with torch.no_grad():
        network = parts.network
        seen = network.look(
            network.planes(moment),
            moment,
            cameras_of(motion, view),
            pixel_centres(0, 0, SIDE, SIDE, SIDE, SIDE),
        )
        square = (SIDE, SIDE)
        values = seen.values.mT.unflatten(2, square)
        grey = torch.full((1, 3, *square), GREY / 255.0)
        picture, cover = network.picture(values, seen.alpha.unflatten(1, square)[:, None], grey)
    expected = 255.0 * picture[0].permute(1, 2, 0).numpy()
    covered = 255.0 * cover[0, 0].numpy()
    assert 0.2 < (covered > 128).mean() < 0.8
    assert expected[INNER].std() > 20
    assert frame.alpha is not None
    assert np.abs(frame.image - expected.clip(0, 255))[INNER].max() < 1.5
    assert np.abs(frame.alpha - covered)[INNER].max() < 1.0


def test_beside_the_head_the_plate_shows_and_nothing_covers_it(parts: Tri2Parts):
    motion = motion_of([3.0])
    frame = engine_of(parts).render(request_of(motion, window_view(motion)))
    warped = Warper(parts.base).render(request_of(motion, window_view(motion)))
    corner = (slice(EDGE, EDGE + 5), slice(EDGE, EDGE + 5))  # the pivots cover it, the volume does not
    assert warped.alpha is not None
    assert warped.alpha[corner].min() == 255
    assert np.abs(warped.image[corner].astype(int) - GREY).max() > 20
    assert frame.alpha is not None
    assert frame.alpha[corner].max() <= 3
    assert np.abs(frame.image[corner].astype(int) - GREY).max() <= 2
    # At the window's sides it fades into what warping draws, and so does the coverage.
    assert np.abs(frame.image[[0, -1]].astype(int) - warped.image[[0, -1]]).max() <= 3
    assert np.abs(frame.alpha[[0, -1]].astype(int) - warped.alpha[[0, -1]]).max() <= 24
    assert np.abs(frame.alpha[24, [0, -1]].astype(int) - warped.alpha[24, [0, -1]]).max() <= 24


def test_beyond_the_window_warping_draws(parts: Tri2Parts):
    motion = lively()
    small = Similarity(0.5, 0.0, 48.0, 48.0)
    request = request_of(motion, View(small, 192, 192))
    frame, warped = engine_of(parts).render(request), Warper(parts.base).render(request)
    window = widened(aligned_crop(average_person().neutral_face, motion), MARGIN)
    to_window = small.inverse().then(window)
    y, x = np.mgrid[:192, :192] + 0.5
    place = to_window.apply(np.stack([x, y], -1).astype(np.float32))
    outside = ((place < 0) | (place > 1)).any(-1)
    assert 0.1 < outside.mean() < 0.9
    assert np.array_equal(frame.image[outside], warped.image[outside])
    assert frame.alpha is not None
    assert warped.alpha is not None
    assert np.array_equal(frame.alpha[outside], warped.alpha[outside])
    assert not np.array_equal(frame.image, warped.image)


@pytest.mark.parametrize("quality", ["full", "draft"])
def test_equal_requests_give_equal_frames_whatever_was_drawn_before(parts: Tri2Parts, quality):
    engine = engine_of(parts)
    asked = request_of(lively(), quality=quality)
    first = engine.render(asked)
    other = request_of(motion_of([-9.0], 0.2), quality=quality)
    assert not np.array_equal(engine.render(other).image, first.image)
    again = engine.render(asked)
    assert np.array_equal(again.image, first.image)
    assert first.alpha is not None
    assert again.alpha is not None
    assert np.array_equal(again.alpha, first.alpha)
    assert np.array_equal(engine_of(parts).render(asked).image, first.image)


def test_only_another_face_needs_other_planes(parts: Tri2Parts, monkeypatch: pytest.MonkeyPatch):
    engine, asked = engine_of(parts), []
    network = parts.network
    plain = network.planes

    def counted(*a, **k):
        asked.append(1)
        return plain(*a, **k)

    monkeypatch.setattr(network, "planes", counted)
    motion = lively()
    for free in (FreeCamera(), FreeCamera(orbit_yaw=14.0), FreeCamera(dolly=1.4, pan_x=0.02, lens=0.5)):
        moved = engine.render(request_of(motion, free=free))
        fresh = engine_of(replace(parts, network=random_network())).render(request_of(motion, free=free))
        assert np.array_equal(moved.image, fresh.image)
    turned = replace(motion, angles=motion.angles + 3.0, camera=motion.camera + np.float32(2.0))
    engine.render(request_of(turned))
    assert len(asked) == 1
    for changes in ({"jaw": motion.jaw + np.float32(0.05)}, {"gaze": motion.gaze + np.float32(2.0)}):
        engine.render(request_of(replace(motion, **changes)))
    assert len(asked) == 3


def test_a_parallel_dolly_is_a_zoom_of_the_picture(parts: Tri2Parts):
    engine, motion = engine_of(parts), lively()
    free = FreeCamera(dolly=1.6, pan_x=0.03, pan_y=-0.02)
    shown = engine.render(request_of(motion, free=free))
    zoom = free.similarity(motion.camera[0]).then(STAGE.placement)
    zoomed = engine.render(request_of(motion, View(zoom, STAGE.width, STAGE.height)))
    off = np.abs(shown.image.astype(int) - zoomed.image)
    assert off.max() <= 1  # the same places, reached by sums in another order
    assert (off > 0).mean() < 1e-4
    assert not np.array_equal(shown.image, engine.render(request_of(motion)).image)
    # The head's origin goes against the pan: left and up here.
    origin = zoom.apply(motion.camera[0, 1:])
    scale = 1.6 * motion.camera[0, 0]
    assert np.allclose(origin, motion.camera[0, 1:] + scale * np.array([-0.03, -0.02]), atol=1e-3)


@pytest.mark.parametrize("free", [FreeCamera(orbit_yaw=20.0), FreeCamera(orbit_pitch=15.0)])
def test_going_around_is_turning_head_and_body_the_other_way(parts: Tri2Parts, free: FreeCamera):
    # Whole turns, head and body alike: rotation_from_angles of what is said, about the origin of both. A body
    # that moves by itself when the head turns is another matter.
    parts = replace(parts, person=replace(parts.person, body=BodyMotion.none()))
    motion = motion_of([0.0])
    turn = np.array([-free.orbit_yaw, -free.orbit_pitch, 0.0], np.float32)
    engine = engine_of(parts)
    around = engine.render(request_of(motion, free=free))
    held = replace(parts.person, rest_angles=turn)
    network = random_network()
    network.canonical.rest.copy_(torch.from_numpy(rotation_from_angles(turn)))
    turned = replace(motion, angles=turn[None])
    other = engine_of(replace(parts, person=held, network=network)).render(request_of(turned))
    off = np.abs(around.image.astype(int) - other.image)
    assert off.max() <= 2
    still = engine.render(request_of(turned))
    assert np.abs(around.image.astype(int) - still.image).max() > 10  # the body does make a difference
    assert np.allclose(orbited(motion, free).angles, turn, atol=1e-4)


def test_perspective_keeps_the_heads_plane_and_enlarges_what_is_nearer(parts: Tri2Parts):
    engine, motion = engine_of(parts), motion_of([0.0])
    flat = engine.render(request_of(motion, layer="depth")).image[..., 0]
    near = engine.render(request_of(motion, free=FreeCamera(lens=1.0), layer="depth")).image[..., 0]
    assert flat.max() > 60
    assert not np.array_equal(flat, near)
    # The nose, before the head's plane, looms; ears behind it shrink: the head's outline gets smaller.
    assert (near > 20).sum() < (flat > 20).sum()


def test_what_is_nearer_is_lighter(parts: Tri2Parts):
    motion = motion_of([0.0])
    view = View(Similarity(2.0, 0.0, 0.0, 0.0), 384, 384)
    frame = engine_of(parts).render(request_of(motion, view, layer="depth"))
    face = average_person().neutral_face
    places = view.placement.apply(project(face[None], motion.angles, motion.camera)[0, :, :2])
    tip = int(face[:, 2].argmax())
    grey = frame.image[..., 0].astype(int)
    x, y = places[tip].astype(int)
    beside = places[face[:, 0].argmax()].astype(int)
    rim = grey[beside[1], beside[0] - 12]
    assert grey[y, x] > rim + 20
    assert rim > 0
    assert frame.alpha is not None
    assert frame.alpha[y, x] > 200
    assert grey[4, 4] == 0  # nothing there
    assert (frame.image[..., 0] == frame.image[..., 2]).all()


def test_normals_face_the_viewer_and_turn_away_at_the_sides(parts: Tri2Parts):
    motion = motion_of([0.0])
    frame = engine_of(parts).render(request_of(motion, window_view(motion), layer="normals"))
    image = frame.image.astype(int)
    assert frame.alpha is not None
    solid = frame.alpha > 200
    assert image[solid][:, 2].mean() > 180  # towards the viewer
    middle = np.argwhere(solid)[:, 1].mean()
    columns = np.broadcast_to(np.arange(SIDE), solid.shape)
    right, left = solid & (columns > middle + 6), solid & (columns < middle - 6)
    assert image[right][:, 0].mean() > image[left][:, 0].mean() + 20


def test_close_up_the_window_is_enlarged_and_warping_is_not_asked(
    parts: Tri2Parts, monkeypatch: pytest.MonkeyPatch
):
    engine, motion = engine_of(parts), motion_of([0.0])
    window = widened(aligned_crop(average_person().neutral_face, motion), MARGIN)
    # The window's middle half, four times as large.
    close = View(window.scaled(4 * SIDE).then(Similarity(1.0, 0.0, -float(SIDE), -float(SIDE))), 96, 96)
    monkeypatch.setattr(Warper, "draw", lambda *a: pytest.fail("nothing around the window shows"))
    image = engine.render(request_of(motion, close)).image.astype(float)
    monkeypatch.undo()
    whole = engine.render(request_of(motion, View(window.scaled(SIDE), SIDE, SIDE))).image.astype(float)
    small = image.reshape(24, 4, 24, 4, 3).mean((1, 3))
    assert np.abs(small - whole[12:36, 12:36]).mean() < 4.0
    assert np.abs(np.diff(image, axis=1)).max() < np.abs(np.diff(whole, axis=1)).max()


def test_draft_is_nearly_full(parts: Tri2Parts):
    motion = lively()
    engine = engine_of(parts)
    view = window_view(motion)
    full = engine.render(request_of(motion, view)).image.astype(float)
    draft = engine.render(request_of(motion, view, quality="draft")).image.astype(float)
    assert np.sqrt(np.square(full - draft)[INNER].mean()) < 16.0
    assert full[INNER].std() > 25.0


def test_where_the_background_moves_coverage_is_not_known(tmp_path: Path):
    parts = random_parts(write_base(tmp_path / "moving", still=False))
    frame = engine_of(parts).render(request_of(lively()))
    assert frame.alpha is None
