"""What of a tracked motion reaches the network, and how it looks in a mirror."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.head import builtin_head
from studio.head.expression_numbers import EXPRESSION, expression_numbers, mirrored_expression, with_numbers
from studio.head.topology import topology
from studio.networks.volume.seeing import seen_at
from studio.one_picture.driving import frames_of
from tests.engines.export3d.little_export3d import motion


def test_numbers_are_what_the_face_does_and_not_how_it_is_held():
    model, moves = builtin_head(), motion(4)
    numbers = expression_numbers(moves, model)
    assert numbers.shape == (4, EXPRESSION)
    elsewhere = replace(moves, angles=moves.angles + 20.0, camera=moves.camera * 1.5)
    assert np.array_equal(expression_numbers(elsewhere, model), numbers)
    for name in ("expression", "jaw", "eyelids", "gaze"):
        other = replace(moves, **{name: getattr(moves, name) + 0.1})
        assert not np.array_equal(expression_numbers(other, model), numbers)


def test_numbers_become_the_same_motion_again():
    model, moves, other = builtin_head(), motion(4), HeadMotion.neutral(4, np.array([3.0, 1.0, 2.0]))
    back = with_numbers(other, expression_numbers(moves, model), model)
    for name in ("expression", "jaw", "eyelids", "gaze"):
        assert np.allclose(getattr(back, name), getattr(moves, name), atol=1e-5)
    for name in ("angles", "camera"):
        assert np.array_equal(getattr(back, name), getattr(other, name))
    with pytest.raises(ValueError, match="57"):
        with_numbers(other, np.zeros((3, EXPRESSION), np.float32), model)


def test_cameras_see_the_head_where_it_was_tracked():
    model, moves = builtin_head(), motion(3)
    points = model.template[::40]
    there = project(points, moves.angles, moves.camera)[..., :2]
    cameras = frames_of(moves, model, scale=2.0).cameras
    seen = seen_at(cameras, torch.from_numpy(points).expand(3, -1, -1))
    assert np.abs(seen.numpy() - 2.0 * there).max() < 1e-3
    last = cameras.take([2])
    assert torch.equal(last.rotation[0], cameras.rotation[2])


def test_a_mirrored_expression_moves_the_mirrored_face():
    model = builtin_head()
    moves = motion(3)
    moves = replace(
        moves,
        jaw=np.array([[0.2, 0.05, -0.03]] * 3, np.float32),
        eyelids=np.array([[0.8, 0.1]] * 3, np.float32),
        gaze=np.array([[12.0, 5.0]] * 3, np.float32),
    )
    numbers = mirrored_expression(expression_numbers(moves, model), model)
    assert np.allclose(mirrored_expression(numbers, model), expression_numbers(moves, model), atol=1e-3)
    back = replace(
        moves,
        expression=numbers[:, :50] * model.expression_deviation,
        jaw=numbers[:, 50:53] * model.motion_deviation[:3],
        eyelids=numbers[:, 53:55] * 0.5,
        gaze=numbers[:, 55:] * 15.0,
    )
    own, other = (model.deform(model.template, m) for m in (moves, back))
    flipped = own[:, topology().mirror] * np.array([-1.0, 1.0, 1.0])
    moved = np.abs(own - model.template).max()
    assert moved > 0.01
    assert np.abs(other - flipped).max() < 0.05 * moved
