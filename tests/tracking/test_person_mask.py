from __future__ import annotations

import cv2
import numpy as np

from studio.domain.camera import Similarity
from studio.tracking.cutting import cut
from studio.tracking.person_mask import MaskFinisher, joined_to, refine

SIZE = 256
UNIT = Similarity(1 / SIZE, 0.0, 0.0, 0.0)
FACE = np.array([(110, 110), (146, 110), (146, 146), (110, 146)], np.float32)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bright figure on a dark ground: picture, true mask, and a blurred mask that is off by a pixel."""
    truth = np.zeros((SIZE, SIZE), np.float32)
    cv2.circle(truth, (128, 128), 70, 1.0, -1)
    grey = (40 + 150 * truth).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, 2)
    said = cv2.GaussianBlur(np.roll(truth, 1, axis=1), (0, 0), 2.0)
    return picture, truth, said


def test_refining_moves_the_outline_to_the_edge_of_the_picture() -> None:
    picture, truth, said = scene()
    refined = refine(said, picture)
    assert np.abs(refined - truth).mean() < 0.9 * np.abs(said - truth).mean()
    assert refined.min() >= 0
    assert refined.max() <= 1


def test_refining_leaves_alone_what_is_sure() -> None:
    """A bright stripe deep inside the person is no outline."""
    picture = np.full((SIZE, SIZE, 3), 60, np.uint8)
    picture[100:110] = 250
    np.testing.assert_allclose(refine(np.ones((SIZE, SIZE), np.float32), picture), 1, atol=1e-4)


def test_parts_that_do_not_hang_together_with_the_face_are_dropped() -> None:
    mask = np.zeros((SIZE, SIZE), np.float32)
    cv2.circle(mask, (128, 128), 60, 0.9, -1)
    cv2.circle(mask, (30, 30), 20, 0.9, -1)
    out = joined_to(mask, FACE)
    assert out[30, 30] == 0
    np.testing.assert_array_equal(out[60:200, 60:200], mask[60:200, 60:200])


def test_flicker_is_halved_and_a_real_move_leaves_no_trail() -> None:
    picture, truth, _ = scene()
    flat = np.full_like(picture, 90)
    raws = [np.clip(0.5 + 0.1 * (-1) ** n, 0, 1) * np.ones((SIZE, SIZE), np.float32) for n in range(20)]
    finisher = MaskFinisher()
    levels = [finisher.finish(raw, flat, UNIT, FACE)[128, 128] / 255 for raw in raws]
    assert np.ptp(levels[5:]) < 0.75 * 0.2
    finisher = MaskFinisher()
    finisher.finish(truth, picture, UNIT, FACE)
    moved = np.roll(truth, 60, axis=1)
    after = finisher.finish(moved, np.roll(picture, 60, axis=1), UNIT, FACE + np.array([60, 0])) / 255
    assert after[128, 65] < 0.1  # was inside, is outside
    assert after[128, 240] > 0.9


def test_steadying_follows_the_box() -> None:
    """The person stands still while the box moves: nothing may be smeared."""
    picture, truth, _ = scene()
    finisher = MaskFinisher()
    finisher.finish(truth, picture, UNIT, FACE)
    shift = Similarity(1 / SIZE, 0.0, 20 / SIZE, 0.0)
    there = np.roll(truth, 20, axis=1)
    out = finisher.finish(there, np.roll(picture, 20, axis=1), shift, FACE) / 255
    alone = MaskFinisher().finish(there, np.roll(picture, 20, axis=1), shift, FACE) / 255
    assert np.abs(out - alone).mean() < 0.004


def test_forgetting_starts_anew() -> None:
    picture, truth, _ = scene()
    finisher = MaskFinisher()
    finisher.finish(truth * 0.7, picture, UNIT, FACE)
    finisher.forget()
    np.testing.assert_array_equal(
        finisher.finish(truth, picture, UNIT, FACE), MaskFinisher().finish(truth, picture, UNIT, FACE)
    )


def test_cut_of_a_whole_picture_is_that_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    np.testing.assert_array_equal(cut(picture, Similarity(1 / 64, 0, 0, 0), 64), picture)


def test_shrinking_cut_agrees_with_averages_taken_slowly() -> None:
    """A smooth pattern sampled by a turned square, against its formula at the pixel centres."""
    rows, columns = np.mgrid[0:600, 0:800] + 0.5
    field = 128 + 60 * np.sin(columns / 60) + 50 * np.cos(rows / 45)
    picture = np.repeat(field.round().astype(np.uint8)[..., None], 3, 2)
    square = Similarity(1 / 400, 0.3, -0.6, 0.1)
    out = cut(picture, square, 100)[..., 0].astype(float)
    y, x = np.mgrid[0:100, 0:100] + 0.5
    source = square.scaled(100).inverse().apply(np.stack([x, y], -1))
    inside = (source > 8).all(-1) & (source[..., 0] < 792) & (source[..., 1] < 592)
    expected = 128 + 60 * np.sin(source[..., 0] / 60) + 50 * np.cos(source[..., 1] / 45)
    assert inside.mean() > 0.5
    assert np.abs(out - expected)[inside].max() < 2.5


def test_shrinking_cut_does_not_alias() -> None:
    """A fine chequerboard becomes grey."""
    rows, columns = np.mgrid[0:512, 0:512]
    board = (((rows + columns) % 2) * 255).astype(np.uint8)
    out = cut(np.repeat(board[..., None], 3, 2), Similarity(1 / 512, 0, 0, 0), 64)
    assert np.abs(out.astype(int) - 127).max() <= 2
