"""What pairs of frames tell NOFA, and that a pair in a mirror tells of the person in the mirror."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch

from pipelines.nofa_batches import NofaBatches, NofaPairs, moments_of
from pipelines.pair_batches import NONE, Change, ShownPairs
from studio.domain.motion import HeadMotion
from studio.engines.nofa.face_boxes import LIPS, POINTS, face_boxes, face_points
from studio.engines.nofa.settings import nofa_settings
from studio.head import builtin_head
from studio.head.expression_numbers import mirrored_expression
from studio.head.ffhq_crop import crop_frames
from studio.head.mirrored import mirrored_identity
from studio.head.topology import topology

SHAPE = nofa_settings("tiny", 64)
MIRROR = replace(NONE, flip=True)


def motion() -> HeadMotion:
    """Two frames of one face, turned and talking; cameras of pictures of 64 pixels."""
    still = HeadMotion.neutral(2, np.array([160.0, 32.0, 30.0], np.float32))
    expression = np.zeros((2, 50), np.float32)
    expression[1, :8] = builtin_head().expression_deviation[:8] * np.array([1.5, -1, 1, 0.5, -1, 1, -0.5, 1])
    return replace(
        still,
        angles=np.array([[12.0, 5.0, -4.0], [-20.0, 3.0, 8.0]], np.float32),
        jaw=np.array([[0.0, 0.0, 0.0], [0.25, 0.02, -0.01]], np.float32),
        expression=expression,
        eyelids=np.array([[0.0, 0.1], [0.6, 0.2]], np.float32),
        gaze=np.array([[5.0, 0.0], [-8.0, 4.0]], np.float32),
    )


def coefficients() -> np.ndarray:
    return (0.8 * np.random.default_rng(4).standard_normal(40)).astype(np.float32)


def told(change: Change = NONE) -> NofaPairs:
    """The pair of both frames."""
    model = builtin_head()
    moments = moments_of(motion(), coefficients(), np.zeros_like(model.template), model, SHAPE)
    batches = NofaBatches(None, {"one": moments}, model, SHAPE)  # type: ignore[arg-type]
    pair = SimpleNamespace(clip=SimpleNamespace(name="one"), source=0, driving=1)
    chance = torch.Generator().manual_seed(1)
    source, driving = torch.rand(1, 4, 64, 64, generator=chance), torch.rand(1, 3, 64, 64, generator=chance)
    if change.flip:
        source, driving = source.flip(-1), driving.flip(-1)
    return batches._batch(ShownPairs(source, driving, [pair], [change]))  # type: ignore[list-item]


def test_a_mirrored_pair_tells_what_the_mirrored_person_would():
    """The same as that person's own frames would, to what their head model's bases leave over."""
    model, plain, seen = builtin_head(), told(), told(MIRROR)
    assert np.allclose(seen.identity[0], mirrored_identity(coefficients(), model), atol=1e-5)
    assert np.allclose(seen.expression[0], mirrored_expression(plain.expression[0].numpy(), model), atol=1e-5)
    neutral = model.neutral(coefficients(), np.zeros_like(model.template))
    other = model.neutral(seen.identity[0].numpy(), np.zeros_like(model.template))
    flipped = neutral[topology().mirror] * np.array([-1.0, 1.0, 1.0], np.float32)
    assert np.abs(other - flipped).max() < 1e-3  # metres
    # Flipping maps as pictures alone would leave their sideways parts wrong.
    for ours, theirs in ((plain.moved, seen.moved), (plain.source.away, seen.source.away)):
        assert ours is not None
        assert theirs is not None
        back = theirs.flip(-1) * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
        assert torch.equal(back, ours)
        assert float(ours[:, 0].abs().max()) > 0.001
    assert seen.source.surface is not None
    assert plain.source.surface is not None
    assert torch.equal(seen.source.surface.flip(-1), plain.source.surface)
    for name in ("mouths", "faces"):
        ours, theirs = getattr(plain, name)[0], getattr(seen, name)[0]
        assert torch.allclose(theirs, torch.stack([64 - ours[2], ours[1], 64 - ours[0], ours[3]]), atol=1e-3)


def test_a_way_there_and_back_ends_where_it_began():
    """From the canonical face to an expression and back to the canonical one, where the face is."""
    model = builtin_head()
    moments = moments_of(motion(), coefficients(), np.zeros_like(model.template), model, SHAPE)
    one = motion().take(np.array([1]))
    away, back = moments.maps.from_canonical(one), moments.maps.to_canonical(one)
    # Vertices of the cheek and forehead, away from edges that hide each other.
    for vertex in (50, 280, 151, 9, 205, 425):
        start = moments.maps.face[vertex]
        there = start + _looked_up(away[0], start)
        again = there + _looked_up(back[0], there)
        assert np.abs(again - start).max() < 0.002
        assert np.abs(there - model.deform(moments.neutral, one)[0][vertex]).max() < 0.002


def _looked_up(maps: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Metres at a point, of a map over the front of the planes' cube, by hand."""
    x = (point[0] + 0.185) / 0.37 * 64 - 0.5
    y = (0.155 - point[1]) / 0.37 * 64 - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    a, b = x - left, y - top
    window = maps[:, top : top + 2, left : left + 2]
    mixed = (window[:, 0] * (1 - b) + window[:, 1] * b) @ np.array([1 - a, a])
    return np.asarray(mixed * 0.37)


def test_mouths_and_faces_are_squares_where_they_are_tracked():
    model, pairs = builtin_head(), told()
    from studio.domain.camera import project

    moves = motion().take(np.array([1]))
    vertices = model.vertices(coefficients(), np.zeros_like(model.template), moves)
    marks = project(model.pick_landmarks(vertices), moves.angles, moves.camera)[..., :2]
    lips = marks[0, list(LIPS)]
    left, top, right, bottom = pairs.mouths[0].tolist()
    assert right - left == bottom - top
    assert left < lips[:, 0].min()
    assert right > lips[:, 0].max()
    assert top < lips[:, 1].min()
    assert bottom > lips[:, 1].max()
    centre, axis = crop_frames(marks)
    box = pairs.faces[0].numpy()
    assert np.allclose((box[:2] + box[2:]) / 2, centre[0], atol=0.05)
    # The aligned square is turned with the face and measured along it: the upright one is no smaller than
    # what FFHQ's rule gives without the turn.
    across = np.linalg.norm(axis[0]) * 2
    assert abs((box[2] - box[0]) / across - 1.0) < 0.25


def test_an_upright_face_has_exactly_ffhqs_square():
    model = builtin_head()
    marks = model.pick_landmarks(model.template)[:, :2] * np.array([300.0, -300.0]) + 64.0
    even = 0.5 * (marks + (marks * np.array([-1.0, 1.0]) + np.array([128.0, 0.0]))[topology().mirror])
    centre, axis = crop_frames(even[None].astype(np.float32))
    rows = [int(np.flatnonzero(model.landmark_ids == point)[0]) for point in POINTS]
    seen = torch.from_numpy(even[rows].astype(np.float32))[None]
    half = float(np.linalg.norm(axis[0]))
    expected = np.concatenate([centre[0] - half, centre[0] + half])
    assert np.allclose(face_boxes(seen)[0].numpy(), expected, atol=0.05)
    assert face_points(model, model.template).shape == (len(POINTS), 3)
