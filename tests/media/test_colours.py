"""Colours come out as they were meant, whatever the matrix, range or dynamic range of the file."""

from __future__ import annotations

import numpy as np
import pytest

from studio.media import probe, read_frames
from studio.media.hdr import BT2020_TO_BT709, PEAK, REFERENCE_WHITE, WideColour, shoulder, to_sdr

PATCHES = np.array(
    [(20, 20, 20), (128, 128, 128), (235, 235, 235), (200, 150, 125), (110, 70, 55), (60, 90, 160)], np.uint8
)
BLOCK = 16


def patch_picture(values):
    return np.ascontiguousarray(np.repeat(np.repeat(values[None], 32, 0), BLOCK, 1))


def patches_of(picture):
    return np.stack(
        [picture[8:-8, i * BLOCK + 6 : (i + 1) * BLOCK - 6].mean((0, 1)) for i in range(len(PATCHES))]
    )


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_matrix_and_range_are_honoured(tmp_path, clip, matrix, full):
    colours = {"colorspace": matrix, "color_range": 2 if full else 1, "color_primaries": 1, "color_trc": 1}
    path = clip(tmp_path / "tagged.mp4", [patch_picture(PATCHES)] * 2, colours=colours, pixels="yuv444p")
    shown = patches_of(next(read_frames(path)))
    assert np.abs(shown - PATCHES).max() < 2.5
    assert not probe(path).hdr


def test_conversion_has_no_bias(tmp_path, clip):
    # A shift of one level, too small to see, would add up with every generation.
    rng = np.random.default_rng(4)
    values = rng.integers(60, 200, (6, 6, 3)).astype(np.float64)
    picture = np.kron(values, np.ones((16, 16, 1))).round().astype(np.uint8)
    path = clip(tmp_path / "fine.mp4", [picture] * 2, options={"qp": "1"})
    shown = next(read_frames(path)).astype(float)
    assert np.abs((shown - picture).mean((0, 1))).max() < 0.4


def test_untagged_small_video_is_read_as_bt601(tmp_path, clip):
    path = clip(tmp_path / "untagged.mp4", [patch_picture(PATCHES)] * 2, pixels="yuv444p")
    assert np.abs(patches_of(next(read_frames(path))) - PATCHES).max() < 2.5


def hlg_code(light):
    """Light relative to reference white, linear BT.709, to HLG R'G'B' (ITU-R BT.2100), by pixel."""
    out = []
    for pixel in light:
        display = np.maximum(np.linalg.inv(BT2020_TO_BT709) @ pixel, 0) * REFERENCE_WHITE / PEAK
        luminance = 0.2627 * display[0] + 0.6780 * display[1] + 0.0593 * display[2]
        scene = display * luminance ** (1 / 1.2 - 1)
        out.append(
            [
                (3 * e) ** 0.5 if e <= 1 / 12 else 0.17883277 * np.log(12 * e - 0.28466892) + 0.55991073
                for e in scene
            ]
        )
    return np.array(out)


def pq_code(light):
    """Light relative to reference white, linear BT.709, to PQ R'G'B' (SMPTE ST 2084)."""
    share = np.maximum(light @ np.linalg.inv(BT2020_TO_BT709).T, 0) * REFERENCE_WHITE / 10000
    power = share ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


@pytest.mark.parametrize(("transfer", "code", "name"), [(18, hlg_code, "hlg"), (16, pq_code, "pq")])
def test_hdr_becomes_the_sdr_picture_it_was_made_from(tmp_path, clip, transfer, code, name):
    meant = np.array(PATCHES / 255.0) ** 2.4
    stored = (np.clip(code(meant), 0, 1) * 65535).round().astype(np.uint16)
    colours = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": transfer}
    path = clip(
        tmp_path / f"{name}.mov",
        [patch_picture(stored)] * 3,
        codec="libx265",
        pixels="yuv420p10le",
        options={"x265-params": "log-level=none", "crf": "4"},
        colours=colours,
    )
    info = probe(path)
    assert (info.hdr, info.bit_depth) == (True, 10)
    shown = patches_of(next(read_frames(path)))
    assert np.abs(shown[:3] - shown[:3].mean(1, keepdims=True)).max() < 2.5, "grey stays grey"
    below_knee = PATCHES.max(1) < 175
    assert np.abs(shown - PATCHES)[below_knee].max() < 5
    # Bright skin may darken on the shoulder, but keeps its hue: ratios of light between components.
    skin, expected = (shown[3] / 255) ** 2.4, meant[3]
    assert np.abs(skin / skin.max() - expected / expected.max()).max() < 0.03
    assert 0.9 < shown[3].max() / PATCHES[3].max() <= 1.0
    assert 215 < shown[2].mean() < 235, "white stays white, below the highlights"


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_tones_keep_their_order_and_highlights_are_not_clipped_early(transfer):
    grey = to_sdr(np.linspace(0, 1, 200)[:, None].repeat(3, 1), WideColour(transfer))
    assert np.allclose(grey, grey[:, :1], atol=1e-3)
    assert (np.diff(grey[:, 0]) >= -1e-9).all()
    assert grey[0, 0] == 0
    assert grey[-1, 0] == pytest.approx(1, abs=1e-6)


def test_middle_grey_of_hlg_is_middle_grey():
    # BT.2408: 18 % grey is 38 % HLG signal; in SDR it is coded 0.409 of full scale.
    assert to_sdr(np.full(3, 0.38), WideColour("hlg"))[0] == pytest.approx(0.409, abs=0.02)


def test_the_shoulder_is_straight_below_and_meets_white_at_the_peak():
    low = np.linspace(0.0, 0.4, 50)
    assert np.allclose(shoulder(low), low, atol=1e-9)
    assert shoulder(np.array([PEAK / REFERENCE_WHITE, 30.0])) == pytest.approx([1, 1], abs=1e-9)


def test_colours_outside_bt709_fade_without_turning_grey_ones():
    green = to_sdr(np.array([0.0, 0.6, 0.0]), WideColour("sdr"))
    assert (green >= 0).all()
    assert green[1] > 0.4
    assert green[1] - green[0] > 0.2
    grey = np.linspace(0, 1, 9)[:, None].repeat(3, 1)
    assert np.allclose(to_sdr(grey, WideColour("sdr")), grey, atol=2e-3)


def test_wide_gamut_sdr_is_brought_into_bt709(tmp_path, clip):
    light = (PATCHES / 255.0) ** 2.4 @ np.linalg.inv(BT2020_TO_BT709).T
    stored = (np.clip(light, 0, 1) ** (1 / 2.4) * 65535).round().astype(np.uint16)
    path = clip(
        tmp_path / "wide.mp4",
        [patch_picture(stored)] * 2,
        pixels="yuv444p10le",
        colours={"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 14},
    )
    assert not probe(path).hdr
    assert np.abs(patches_of(next(read_frames(path))) - PATCHES).max() < 4
