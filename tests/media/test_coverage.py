"""The person's own colours under soft edges, and the mark that may stand on a picture."""

from __future__ import annotations

import numpy as np

from studio.media.coverage import premultiplied, straight
from studio.media.watermark import Watermark

SIDE = 160


def scene(softness: float):
    """A disc whose colours vary, over a varied bright background: own colours, coverage, what is seen."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    cover = np.clip((50 - np.hypot(rows - 80, columns - 80)) / softness + 0.5, 0, 1)
    own = np.stack([120 + rows / 4, 60 + columns / 5, 40 + 20 * np.sin(rows / 12)], 2)
    behind = np.stack([230 - columns / 8, 235 + 10 * np.sin(columns / 9), 250 - rows / 6], 2)
    alpha = np.round(255 * cover).astype(np.uint8)
    share = alpha[..., None] / 255
    return own, alpha, np.round(own * share + behind * (1 - share)).astype(np.uint8)


def test_covered_pixels_and_coverage_are_untouched():
    _, alpha, seen = scene(6)
    rgba = straight(seen, alpha)
    assert np.array_equal(rgba[..., 3], alpha)
    inside = alpha == 255
    assert np.array_equal(rgba[inside][:, :3], seen[inside])


def test_soft_edges_lose_the_old_background():
    for softness in (3, 10):
        own, alpha, seen = scene(softness)
        rgba = straight(seen, alpha).astype(float)
        soft = (alpha > 25) & (alpha < 230)
        kept = np.abs(seen[soft].astype(float) - own[soft]).mean()
        left = np.abs(rgba[soft][:, :3] - own[soft]).mean()
        assert kept > 45, "the picture as it is would bring a bright rim along"
        assert left < 6
        # Over black, as an editor would lay it: no rim is left.
        over_black = rgba[..., :3] * rgba[..., 3:] / 255
        assert np.abs(over_black - own * (alpha[..., None] / 255)).max() < 12


def test_nothing_covered_is_black_and_all_covered_is_the_picture():
    _, _, seen = scene(3)
    nothing = straight(seen, np.zeros((SIDE, SIDE), np.uint8))
    assert not nothing.any()
    everything = straight(seen, np.full((SIDE, SIDE), 255, np.uint8))
    assert np.array_equal(everything[..., :3], seen)


def test_premultiplied_is_colour_times_coverage_rounded():
    rng = np.random.default_rng(3)
    rgba = rng.integers(0, 256, (50, 50, 4)).astype(np.uint8)
    expected = np.floor(rgba[..., :3] * (rgba[..., 3:] / 255.0) + 0.5)
    out = premultiplied(rgba)
    assert np.array_equal(out[..., :3], expected)
    assert np.array_equal(out[..., 3], rgba[..., 3])


def test_the_mark_is_small_low_right_and_legible_on_anything():
    for grey in (0, 128, 255):
        picture = np.full((512, 512, 3), grey, np.uint8)
        before = picture.copy()
        marked = Watermark(512, 512).over(picture)
        assert np.array_equal(picture, before)
        changed = (marked != picture).any(2)
        rows, columns = np.nonzero(changed)
        assert rows.min() > 460
        assert columns.min() > 250
        assert changed.mean() < 0.02
        part = marked[rows.min() : rows.max(), columns.min() : columns.max(), 0].astype(int)
        assert part.max() - part.min() > 60, "letters stand out from what is around them"


def test_the_mark_over_nothing_is_there_and_over_the_person_mixes_alike():
    clear = np.zeros((256, 256, 4), np.uint8)
    marked = Watermark(256, 256).over(clear)
    assert marked[..., 3].max() > 190
    opaque = np.full((256, 256, 4), 255, np.uint8)
    opaque[..., :3] = 90
    plain = Watermark(256, 256).over(opaque[..., :3].copy())
    both = Watermark(256, 256).over(opaque)
    assert (both[..., 3] == 255).all()
    assert np.array_equal(both[..., :3], plain)
