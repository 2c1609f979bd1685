"""The square, drawn live: what the network draws, at the detail that its picture has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from studio.engines.semantic import live_picture
from studio.engines.semantic.base_model import SemanticParts
from studio.engines.semantic.decoder import carried
from studio.engines.semantic.keypoints import head_keypoints, semantic_code
from studio.engines.semantic.live_picture import ROOM, LivePicture, roomy, with_detail
from tests.engines.semantic.little_network import a_drive
from tests.engines.semantic.one_person import PAPER, PROJECT, WINDOW, a_person, network, opened, still
from tests.warping.average_person import motion_of

CPU = torch.device("cpu")


def talking(yaw: float = 9.0):
    motion = motion_of([yaw], 0.1)
    motion.expression[0, :4] = (1.0, -2.0, 0.5, 3.0)
    motion.camera[0] += (40.0, 5.0, -3.0)
    return motion


@pytest.mark.parametrize("shape", [PAPER, PROJECT], ids=["paper", "project"])
def test_it_is_what_the_network_draws_of_the_reduced_picture(shape) -> None:
    parts = opened(shape=shape)
    drawn = LivePicture(parts, CPU).draw(talking())
    person, mesh, side = parts.person, parts.person.base.mesh, shape.side

    def points(motion):
        at = WINDOW.scaled(side)
        camera = np.concatenate([motion.camera[:, :1] * at.scale, at.apply(motion.camera[:, 1:])], 1)
        motion = replace(motion, camera=camera.astype(np.float32))
        made = head_keypoints(mesh.model, mesh.identity, mesh.offset, motion, side, shape.face_flow)
        return torch.from_numpy(made)

    small = cv2.resize(person.picture, (side, side), interpolation=cv2.INTER_AREA)
    source = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    source = source[:, : shape.source_channels]
    with torch.no_grad():
        code = torch.from_numpy(semantic_code(talking(), mesh.model))
        truth = parts.network(source, points(person.base.motion), points(talking()), code).picture
    assert drawn.shape == (side, side, 3)
    assert np.abs(drawn - truth[0].permute(1, 2, 0).numpy()).max() < 1e-4


def test_a_network_that_paints_nothing_gives_back_a_picture_finer_than_its_own() -> None:
    person = a_person(detail=144)
    live = LivePicture(SemanticParts(person, still()), CPU)
    drawn = live.draw(person.base.motion)
    assert drawn.shape == (144, 144, 3)
    assert np.abs(127.5 * (drawn + 1.0) - person.picture[..., :3]).max() < 0.02
    coarse = LivePicture(SemanticParts(a_person(), still()), CPU).draw(person.base.motion)
    assert coarse.shape == (64, 64, 3)


def test_detail_moves_along_and_is_hidden_where_there_is_paint() -> None:
    person = a_person(detail=144)
    parts = SemanticParts(person, still())
    moved = LivePicture(parts, CPU).draw(talking(0.0))
    own = LivePicture(parts, CPU).draw(person.base.motion)
    assert np.abs(moved - own).mean() > 0.01
    # As fine as the picture itself: no blur from the network's 64 pixels.
    sharp = [cv2.Laplacian(p[36:108, 36:108].mean(-1), cv2.CV_32F).std() for p in (moved, own)]
    assert sharp[0] > 0.6 * sharp[1]


def test_detail_is_hidden_as_far_as_there_is_paint() -> None:
    fine = torch.rand(1, 3, 32, 32)
    coarse = torch.nn.functional.avg_pool2d(fine, 2)
    nothing = torch.zeros(1, 2, 16, 16)
    network_out: Any = network(PROJECT)(*a_drive(PROJECT, 1).all)
    for share, least, most in ((1.0, 0.0, 1e-6), (0.0, 0.1, 1.0), (0.5, 0.05, 0.5)):
        picture = torch.full((1, 3, 16, 16), 0.25) * share + (1.0 - share) * coarse
        out = replace(
            network_out,
            picture=picture,
            picture_flow=nothing,
            warped=coarse,
            share=torch.full((1, 1, 16, 16), share),
        )
        made = with_detail(out, fine)
        smooth = torch.nn.functional.interpolate(picture, (32, 32), mode="bicubic", align_corners=False)
        assert least <= float((made - smooth).abs().max()) <= most
        if share == 0.0:
            assert torch.allclose(made, fine, atol=1e-6)


def test_only_painters_have_detail_and_slow_networks_are_known() -> None:
    assert LivePicture(opened(detail=144, shape=PAPER), CPU).draw(talking()).shape == (64, 64, 3)
    with torch.no_grad(), pytest.raises(ValueError, match="paints over"):
        with_detail(network(PAPER)(*a_drive(PAPER, 1).all), torch.zeros(1, 3, 144, 144))
    assert LivePicture(opened(), CPU).quick
    assert not LivePicture(opened(shape=PAPER), CPU).quick


def test_outlines_leave_room_around_the_person() -> None:
    fine = torch.zeros(1, 4, 200, 200)
    fine[:, 3] = -1.0
    fine[:, 3, 60:140, 60:140] = 1.0
    moved = roomy(fine, 0.0)
    assert torch.equal(moved[:, :3], fine[:, :3])
    row = moved[0, 3, 100]
    assert [int(row.argmax()), int((row > 0).sum())] == [57, 86]  # 3 pixels on each side: 0.015 of 200
    soft = roomy(fine, 0.006)[0, 3, 100]
    assert 0.1 < float(soft[56] + 1.0) < 1.9
    assert float(soft[64]) > 0.99
    assert float(soft[48]) < -0.99
    plain = torch.zeros(1, 3, 8, 8)
    assert roomy(plain, 0.1) is plain


def test_nothing_of_the_person_stays_where_it_was(monkeypatch) -> None:
    # Hair that the outline has cut through: a dark line just outside of it.
    person = a_person(detail=144)
    picture = person.picture.copy()
    inside = (picture[..., 3] > 128).astype(np.uint8)
    line = (cv2.dilate(inside, np.ones((9, 9))) - inside).astype(bool)
    picture[line, :3] = 0
    # A flow of one direction for everything, so that the line has left its place everywhere.
    flow = torch.zeros(1, 2, 144, 144)
    flow[:, 0] = -0.2
    dark = []
    for room in (ROOM, 0.0):
        monkeypatch.setattr(live_picture, "ROOM", room)
        live = LivePicture(SemanticParts(replace(person, picture=picture), still()), CPU)
        assert live._fine is not None
        drawn = 127.5 * (carried(live._fine, flow, live._fine_behind)[0].mean(0).numpy() + 1.0)
        left = line & (np.arange(144) < 40)
        assert left.sum() > 30
        dark.append(float((drawn[left] < 60.0).mean()))
    assert dark[0] < 0.1 < 0.5 < dark[1]


@pytest.mark.parametrize("yaw", [0.0, 9.0, 40.0])
def test_on_a_processor_detail_is_that_of_the_readable_twin(yaw) -> None:
    parts = opened(144)
    live = LivePicture(parts, CPU)
    assert live._detail is not None
    moved = talking(yaw)
    fast = live.draw(moved)
    live._detail = None
    slow = live.draw(moved)
    assert fast.shape == slow.shape == (144, 144, 3)
    assert fast.dtype == np.float32
    # A place is right to a sixty-fourth of a pixel, colours to a level of 255 or so.
    assert np.abs(fast - slow).max() < 0.05
    assert np.abs(fast - slow).mean() < 0.002
    coarse = cv2.resize(live.draw(moved, finely=False), (144, 144), interpolation=cv2.INTER_CUBIC)
    assert np.abs(slow - coarse).mean() > 0.003  # without it the fast one would fail above
