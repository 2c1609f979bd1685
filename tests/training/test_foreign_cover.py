"""Covers are found by their colours; what is merely drawn elsewhere is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.foreign_cover import foreign_cover

SIDE = 128


def face() -> np.ndarray:
    """Skin before grey, with dark hair, eyes and red lips."""
    picture = np.full((SIDE, SIDE, 3), 150, np.uint8)
    cv2.ellipse(picture, (64, 56), (36, 44), 0, 0, 360, (40, 30, 28), -1)
    cv2.ellipse(picture, (64, 70), (30, 38), 0, 0, 360, (205, 160, 140), -1)
    for x in (52, 76):
        cv2.circle(picture, (x, 62), 4, (60, 40, 35), -1)
    cv2.ellipse(picture, (64, 90), (10, 4), 0, 0, 360, (180, 80, 80), -1)
    return picture


EVERYWHERE = np.ones((SIDE, SIDE), bool)


@pytest.mark.parametrize("colour", [(120, 120, 250), (250, 210, 40), (40, 200, 90)])
def test_a_sticker_is_found_whole_and_nothing_far_from_it(colour: tuple[int, int, int]) -> None:
    covered = face()
    covered[14:26, 44:84] = colour
    found = foreign_cover(covered, face(), EVERYWHERE)
    assert found[14:26, 44:84].all()
    assert not found[40:].any()


def test_a_badly_aligned_face_is_no_cover() -> None:
    for shift in ((6, 0), (0, -6), (4, 5)):
        assert not foreign_cover(np.roll(face(), shift, (0, 1)), face(), EVERYWHERE).any()


def test_an_open_mouth_and_noise_are_none() -> None:
    other = face()
    cv2.ellipse(other, (64, 92), (9, 8), 0, 0, 360, (45, 25, 25), -1)
    noisy = np.clip(other + np.random.default_rng(0).normal(0, 12, other.shape), 0, 255).astype(np.uint8)
    assert not foreign_cover(noisy, face(), EVERYWHERE).any()


def test_what_the_camera_did_not_see_is_not_judged() -> None:
    covered = face()
    covered[14:26, 44:84] = (120, 120, 250)
    inside = EVERYWHERE.copy()
    inside[:32] = False
    assert not foreign_cover(covered, face(), inside).any()


def test_another_light_over_everything_is_none() -> None:
    warm = np.clip(face() * np.array([1.3, 1.0, 0.6]), 0, 255).astype(np.uint8)
    assert not foreign_cover(warm, face(), EVERYWHERE).any()
