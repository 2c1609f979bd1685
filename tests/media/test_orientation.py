"""Every display matrix turns the picture upright."""

from __future__ import annotations

import struct
from itertools import product

import numpy as np
import pytest

from studio.media import probe, read_frames
from studio.media.orientation import Orientation, orientation_from_matrix

ONE = 1 << 16
# a b c d of x' = a x + c y, y' = b x + d y
QUARTERS = {
    (1, 0, 0, 1): (0, False),
    (0, 1, -1, 0): (90, False),
    (-1, 0, 0, -1): (180, False),
    (0, -1, 1, 0): (270, False),
    (-1, 0, 0, 1): (0, True),
    (1, 0, 0, -1): (180, True),
    (0, 1, 1, 0): (270, True),
    (0, -1, -1, 0): (90, True),
}


def full_matrix(a, b, c, d):
    return [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30]


def shown_by_definition(stored, a, b, c, d):
    """Move every pixel to where the matrix sends it: slow, and plainly the standard's definition."""
    height, width = stored.shape[:2]
    places = {(a * x + c * y, b * x + d * y): stored[y, x] for y, x in product(range(height), range(width))}
    left, top = min(x for x, _ in places), min(y for _, y in places)
    columns, rows = max(x for x, _ in places) - left + 1, max(y for _, y in places) - top + 1
    shown = np.zeros((rows, columns, 3), np.uint8)
    for (x, y), value in places.items():
        shown[y - top, x - left] = value
    return shown


@pytest.mark.parametrize("abcd", QUARTERS)
def test_each_quarter_turn_and_mirror_follows_the_matrix(abcd):
    stored = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype(np.uint8)
    orientation = orientation_from_matrix(struct.pack("=9i", *full_matrix(*abcd)))
    shown = orientation.apply(stored)
    assert np.array_equal(shown, shown_by_definition(stored, *abcd))
    assert orientation.shown_size(5, 3) == (shown.shape[1], shown.shape[0])
    assert (orientation.rotation, orientation.mirrored) == QUARTERS[abcd]


@pytest.mark.parametrize("abcd", QUARTERS)
def test_rotation_and_mirror_together_say_what_is_done(abcd):
    stored = np.random.default_rng(1).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    orientation = orientation_from_matrix(struct.pack("=9i", *full_matrix(*abcd)))
    flipped = stored[:, ::-1] if orientation.mirrored else stored
    turned = np.rot90(flipped, -orientation.rotation // 90)
    assert np.array_equal(orientation.apply(stored), turned)


def test_a_missing_or_empty_matrix_is_upright():
    assert orientation_from_matrix(b"") == Orientation()
    assert orientation_from_matrix(bytes(36)) == Orientation()


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("abcd", QUARTERS)
def test_a_marked_corner_comes_out_upright(tmp_path, clip, abcd, suffix):
    stored = np.full((48, 80, 3), 90, np.uint8)
    stored[:16, :16] = (230, 20, 20)
    stored[-16:, :16] = (20, 20, 230)
    path = clip(tmp_path / f"turned.{suffix}", [stored] * 2, matrix=full_matrix(*abcd))
    shown = next(read_frames(path))
    expected = shown_by_definition(stored, *abcd)
    assert shown.shape == expected.shape
    info = probe(path)
    assert (info.height, info.width, 3) == expected.shape
    assert (info.rotation, info.mirrored) == QUARTERS[abcd]
    for y, x in product((4, -5), (4, -5)):
        assert np.abs(shown[y, x].astype(int) - expected[y, x]).max() < 12
