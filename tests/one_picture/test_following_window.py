"""Near heads are the network's; what goes farther takes the square along, and nothing is lost in between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.camera import Similarity, project
from studio.domain.motion import HeadMotion
from studio.one_picture.following_window import GROWTH, SHIFT, follow

WINDOW = Similarity(1.0 / 200.0, 0.0, -0.3, -0.2)
REST = HeadMotion.neutral(1, np.array([800.0, 150.0, 140.0]))
POINTS = np.random.default_rng(0).normal(0, 0.05, (6, 3)).astype(np.float32)


def moved(x: float = 0.0, y: float = 0.0, growth: float = 1.0) -> HeadMotion:
    camera = REST.camera + np.array([[800.0 * (growth - 1.0), x, y]], np.float32)
    return replace(REST, camera=camera.astype(np.float32), angles=np.array([[20.0, 5.0, -8.0]], np.float32))


@pytest.mark.parametrize("growth", [0.5, 0.9, 1.0, 1.05, 2.0])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (10.0, -20.0), (90.0, 5.0), (-160.0, 130.0)])
def test_the_square_and_the_head_in_it_are_together_where_the_head_is_wanted(growth, shift) -> None:
    wanted = moved(shift[0], shift[1], growth)
    found = follow(wanted, REST, WINDOW)
    inside = project(POINTS, found.motion.angles[0], found.motion.camera[0])
    shown = found.moved.apply(inside[:, :2])
    assert np.allclose(shown, project(POINTS, wanted.angles[0], wanted.camera[0])[:, :2], atol=2e-3)
    # The head stays near in the square.
    away = (found.motion.camera[0, 1:] - REST.camera[0, 1:]) * WINDOW.scale
    assert np.abs(away).max() <= SHIFT + 1e-6
    assert 1.0 / GROWTH - 1e-6 <= found.motion.camera[0, 0] / 800.0 <= GROWTH + 1e-6
    assert np.array_equal(found.motion.angles, wanted.angles)


def test_near_heads_do_not_move_the_square() -> None:
    reach = SHIFT / WINDOW.scale
    for near in (moved(), moved(reach * 0.99, -reach * 0.99, 1.0), moved(3.0, 3.0, GROWTH * 0.999)):
        found = follow(near, REST, WINDOW)
        assert found.stays
        assert found.motion is near
    assert not follow(moved(reach * 1.01), REST, WINDOW).stays


def test_it_begins_to_follow_without_a_jump() -> None:
    reach = SHIFT / WINDOW.scale
    before, after = (follow(moved(reach * k, 0.0, 1.0), REST, WINDOW) for k in (0.999, 1.001))
    assert np.abs(before.motion.camera - after.motion.camera).max() < 0.05
    assert abs(after.moved.x) < 0.05
    before, after = (follow(moved(0.0, 0.0, GROWTH * k), REST, WINDOW) for k in (0.999, 1.001))
    assert abs(after.moved.scale - 1.0) < 0.002
    assert np.abs(before.motion.camera - after.motion.camera).max() < 1.0
