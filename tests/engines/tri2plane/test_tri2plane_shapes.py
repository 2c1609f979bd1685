"""Shape edits of a Tri²-plane avatar: what the volume gives is reread on the mesh that the camera sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.camera import rotation_from_angles
from studio.domain.controls import ControlState
from studio.domain.edits import EditStack
from studio.domain.free_camera import FreeCamera, orbited
from studio.domain.rendering import RenderRequest
from studio.engines.tri2plane.artefact import Tri2Parts, save_tri2plane
from studio.engines.tri2plane.engine import Tri2PlaneEngine, through_lens
from studio.engines.tri2plane.spec import SPEC
from studio.warping.reshape import reread
from studio.warping.warper import Warper
from tests.engines.tri2plane.small_volume import lively, random_parts, request_of, write_base
from tests.warping.average_person import STAGE, average_person
from tests.warping.test_reshape import alike, shape, some_identity

IDENTITY = some_identity(1, 1.0)
EDITS = EditStack((shape("one", IDENTITY),))
AROUND = FreeCamera(orbit_yaw=14.0, orbit_pitch=-6.0, dolly=1.2, pan_x=0.02, lens=0.8)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture(scope="module")
def parts(base: Path) -> Tri2Parts:
    return random_parts(base)


def edited_request(strength: float, **rest: Any) -> RenderRequest:
    plain = request_of(lively(), **rest)
    values = np.append(plain.state.values, strength).astype(np.float32)
    return replace(plain, state=ControlState((*plain.state.names, "edit_one"), values))


@pytest.mark.parametrize("layer", ["picture", "depth", "normals"])
@pytest.mark.parametrize("free", [FreeCamera(), AROUND])
def test_strength_zero_is_the_picture_without_edits(parts: Tri2Parts, free: FreeCamera, layer):
    first = Tri2PlaneEngine(parts, "cpu").render(request_of(lively(), free=free, layer=layer))
    edited = Tri2PlaneEngine(parts, "cpu", EDITS)
    second = edited.render(edited_request(0.0, free=free, layer=layer))
    assert np.array_equal(first.image, second.image)
    assert alike(first.alpha, second.alpha)
    shown = edited.render(edited_request(1.0, free=free, layer=layer))
    assert np.abs(shown.image.astype(int) - first.image).max() > 10


@pytest.mark.parametrize("free", [FreeCamera(), AROUND])
def test_the_mesh_is_where_the_camera_sees_it(parts: Tri2Parts, free: FreeCamera):
    # By the free camera's own words: turn, look through the lens, then dolly and pan.
    mesh, motion = average_person(), lively()
    for identity in (0 * IDENTITY, IDENTITY):
        face = mesh.model.vertices(mesh.identity + identity, mesh.offset, motion)[0].astype(np.float64)
        turned = face @ (free.rotation @ rotation_from_angles(motion.angles[0])).T
        scale, cx, cy = free.placed(motion.camera[0])
        expected = np.array([cx, cy]) + scale * free.on_plane(turned) * (1.0, -1.0)
        warper = Warper(parts.base, EDITS)
        seen = orbited(motion, free)
        values = edited_request(float(identity.any())).state.values.copy()
        values[:3] = seen.angles[0]
        posed = warper.posed(ControlState(edited_request(0.0).state.names, values))
        lens = through_lens(posed.positions, seen, free, mesh.shell[1])
        places = free.similarity(motion.camera[0]).apply(lens)[:478, :2]
        assert np.abs(places - expected).max() < 0.01
        assert np.array_equal(lens[mesh.shell[1] :], posed.positions[mesh.shell[1] :])


def test_the_finished_picture_is_reread_before_the_plate(parts: Tri2Parts):
    engine, warper = Tri2PlaneEngine(parts, "cpu", EDITS), Warper(parts.base, EDITS)
    request = edited_request(1.0)
    plain, shown = engine.render(edited_request(0.0)), engine.render(request)
    posed = warper.posed(request.state)
    expected, cover = reread(
        *(plain.image, plain.alpha, warper.background(STAGE), warper.mesh.triangles),
        *(posed.own, posed.positions),
    )
    assert np.array_equal(shown.image, expected)
    assert alike(shown.alpha, cover)
    assert not np.array_equal(shown.image, plain.image)


def test_depth_is_moved_and_keeps_its_values(parts: Tri2Parts):
    engine = Tri2PlaneEngine(parts, "cpu", EDITS)
    flat, moved = (engine.render(edited_request(s, layer="depth")).image.astype(int) for s in (0.0, 1.0))
    assert np.abs(flat - moved).max() > 10
    assert abs(int(moved.max()) - int(flat.max())) < 12
    assert (moved[..., 0] == moved[..., 2]).all()
    assert (moved == 0).any()  # where there is nothing it stays black


def test_the_sheet_ends_with_the_edits_and_the_loader_hands_them_on(
    base: Path, parts: Tri2Parts, tmp_path: Path
):
    save_tri2plane(tmp_path, parts, base)
    avatar = Avatar("Somebody", "tri2plane", "0", tmp_path, STAGE)
    edited = SPEC.load(replace(avatar, edits=EDITS))
    assert edited.sheet.names == (*SPEC.load(avatar).sheet.names, "edit_one")
    assert edited.sheet.names[-2:] == ("lens", "edit_one")
