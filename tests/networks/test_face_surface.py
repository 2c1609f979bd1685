"""Which points of a face are seen, and what its other half can stand in for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.domain.motion import HeadMotion
from studio.engines.semantic.keypoints import head_keypoints
from studio.head import builtin_head
from studio.head.topology import topology
from studio.networks.face_flow import face_flow
from studio.networks.face_surface import LEAST, FaceSurface, borrowed, cosines, say

SIDE = 48
MODEL, MESH = builtin_head(), topology()
SURFACE = FaceSurface(
    torch.from_numpy(MESH.triangles.astype("int64")), torch.from_numpy(MESH.mirror.astype("int64"))
)
NOSE, LEFT_CHEEK, RIGHT_CHEEK = 4, 50, 280


def face(yaw: float) -> Tensor:
    """The mean face's points in a square picture, turned."""
    motion = HeadMotion.neutral(1, np.array([500.0, 100.0, 100.0]))
    motion = replace(motion, angles=np.array([[yaw, 0.0, 0.0]], np.float32))
    points = head_keypoints(MODEL, np.zeros(40), np.zeros((478, 3)), motion, 200, face=True)
    return torch.from_numpy(points[:, 16:])


def test_a_plane_that_turns_away_shows_the_cosine() -> None:
    square = torch.tensor(
        [[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, -1.0, 0.0], [0.0, -1.0, 0.0], [5.0, 5.0, 5.0]]]
    )
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])  # counter-clockwise with y up
    for degrees in (0.0, 60.0, 120.0):
        angle = np.deg2rad(degrees)
        turned = square.clone()
        turned[..., 0], turned[..., 2] = square[..., 0] * np.cos(angle), square[..., 0] * np.sin(angle)
        found = cosines(turned, triangles)
        assert torch.allclose(found[0, :4], torch.tensor(np.cos(angle)).float(), atol=1e-6)
        assert found[0, 4] == 1.0  # belongs to nothing


def test_a_face_faces_the_viewer_and_turns_one_cheek_away() -> None:
    straight, turned = cosines(face(0.0), SURFACE.triangles), cosines(face(75.0), SURFACE.triangles)
    assert straight[0, [NOSE, LEFT_CHEEK, RIGHT_CHEEK]].min() > 0.4
    # To the viewer's right: the right cheek goes out of sight.
    assert turned[0, LEFT_CHEEK] > 0.4
    assert turned[0, RIGHT_CHEEK] < 0.0
    weights = say(turned)
    assert weights[0, RIGHT_CHEEK] == pytest.approx(LEAST)
    assert weights[0, LEFT_CHEEK] == 1.0


def test_the_other_half_stands_in_for_what_only_the_driving_frame_shows() -> None:
    turned, straight = (cosines(face(yaw), SURFACE.triangles) for yaw in (60.0, 0.0))
    better = borrowed(turned, straight, SURFACE.partner)
    assert better[0, RIGHT_CHEEK] > 0.8
    assert better[0, LEFT_CHEEK] == 0.0
    # What the driving frame hides too needs no one, nor does what the source shows.
    assert not borrowed(turned, turned, SURFACE.partner).any()
    assert not borrowed(straight, turned, SURFACE.partner)[0, [NOSE, LEFT_CHEEK, RIGHT_CHEEK]].any()


def test_the_mirrored_flow_leads_to_the_other_half() -> None:
    source, driving = face(60.0), face(0.0)
    made = face_flow(source, driving, SIDE, SURFACE)
    assert made.mirrored is not None
    assert made.share is not None
    x, y = ((driving[0, RIGHT_CHEEK, :2] + 1.0) * (0.5 * SIDE)).long().tolist()
    place = torch.tensor([(2 * x + 1) / SIDE - 1, (2 * y + 1) / SIDE - 1])
    found = place + made.mirrored[0, :, y, x]
    assert (found - source[0, LEFT_CHEEK, :2]).norm() < 0.05
    assert (place + made.flow[0, :, y, x] - source[0, RIGHT_CHEEK, :2]).norm() < 0.05
    assert made.share[0, 0, y, x] > 0.8
    x, y = ((driving[0, LEFT_CHEEK, :2] + 1.0) * (0.5 * SIDE)).long().tolist()
    assert made.share[0, 0, y, x] < 0.05
    assert not made.share[0, 0, :4].any()  # nothing beyond the face


def test_points_that_are_turned_away_have_no_say() -> None:
    source, driving = face(0.0), face(75.0)
    hidden = cosines(driving, SURFACE.triangles)[0] < -0.1
    other = source.clone()
    other[0, hidden, :2] += 0.02 * torch.randn(
        int(hidden.sum()), 2, generator=torch.Generator().manual_seed(0)
    )
    seen = driving[0, LEFT_CHEEK, :2]
    x, y = ((seen + 1.0) * (0.5 * SIDE)).long().tolist()
    with_surface = [face_flow(s, driving, SIDE, SURFACE).flow[0] for s in (source, other)]
    without = [face_flow(s, driving, SIDE).flow[0] for s in (source, other)]
    # The affine map still hears of them; between points only the seen ones speak.
    rim = (int(hidden.sum()), x, y)
    assert rim[0] > 50
    ahead = (with_surface[0] - with_surface[1]).abs().amax()
    behind = (without[0] - without[1]).abs().amax()
    assert ahead < 0.5 * behind


def test_a_face_that_does_not_move_stays() -> None:
    points = face(40.0)
    made = face_flow(points, points, SIDE, SURFACE)
    assert made.share is not None
    assert not made.flow.any()
    assert not made.share.any()
