"""Laying a prior's crop over a picture, against a slow readable twin and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.domain.camera import Similarity
from studio.warping.lay_over import lay_over, lay_picture, window


def fade(place: float) -> float:
    t = min(max(min(place, 1.0 - place) / 0.08, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def read(array: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear at continuous coordinates, border continued."""
    rows, columns = array.shape[:2]
    x, y = min(max(x - 0.5, 0.0), columns - 1.0), min(max(y - 0.5, 0.0), rows - 1.0)
    x0, y0 = math.floor(x), math.floor(y)
    x1, y1 = min(x0 + 1, columns - 1), min(y0 + 1, rows - 1)
    fx, fy = x - x0, y - y0
    upper = (1 - fx) * array[y0, x0].astype(float) + fx * array[y0, x1]
    lower = (1 - fx) * array[y1, x0].astype(float) + fx * array[y1, x1]
    return (1 - fy) * upper + fy * lower


def slow_lay_over(
    image: np.ndarray, correction: np.ndarray, to_crop: Similarity, strength: float
) -> np.ndarray:
    """Not rounded."""
    out = image.astype(float)
    side = len(correction)
    c, s = math.cos(to_crop.angle), math.sin(to_crop.angle)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            x, y = column + 0.5, row + 0.5
            u = to_crop.scale * (c * x - s * y) + to_crop.x
            v = to_crop.scale * (s * x + c * y) + to_crop.y
            if not (0.0 <= u <= 1.0 and 0.0 <= v <= 1.0):
                continue
            drawn = read(correction, u * side, v * side) * strength * fade(u) * fade(v)
            dx = (c * drawn[3] + s * drawn[4]) / to_crop.scale
            dy = (-s * drawn[3] + c * drawn[4]) / to_crop.scale
            colour = read(image, x + dx, y + dy) + drawn[:3] * 127.5
            out[row, column] = np.clip(colour, 0.0, 255.0)
    return out


def slow_lay_picture(
    image: np.ndarray, picture: np.ndarray, to_crop: Similarity, cover: np.ndarray
) -> np.ndarray:
    """Not rounded, and for pictures no larger than their footprint."""
    out = image.astype(float)
    side = len(picture)
    levels = (np.clip(picture, -1.0, 1.0) + 1.0) * 127.5
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            u, v = to_crop.apply(np.array([column + 0.5, row + 0.5]))
            if not (0.0 <= u <= 1.0 and 0.0 <= v <= 1.0):
                continue
            shown = fade(u) * fade(v)
            colour = read(levels * cover[..., None], u * side, v * side)
            clear = 1.0 - shown * read(cover, u * side, v * side)
            out[row, column] = clear * out[row, column] + shown * colour
    return out


def placed(x: float, y: float, side: float, angle: float = 0.0) -> Similarity:
    """The crop with its centre, side and turn in output pixels."""
    return Similarity(side, angle, 0.0, 0.0).then(centre(x, y, side, angle)).inverse()


def centre(x: float, y: float, side: float, angle: float) -> Similarity:
    half, c, s = side / 2, math.cos(angle), math.sin(angle)
    return Similarity(1.0, 0.0, x - half * (c - s), y - half * (s + c))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def noise(rng: np.random.Generator, height: int = 41, width: int = 53) -> np.ndarray:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(rng: np.random.Generator, side: int, flow: float = 0.1) -> np.ndarray:
    drawn = rng.uniform(-1.0, 1.0, (side, side, 5)) * [0.8, 0.8, 0.8, flow, flow]
    return drawn.astype(np.float32)


PLACES = {
    "inside": placed(25, 20, 30),
    "turned": placed(25, 20, 31, 0.5),
    "upright turn": placed(25, 20, 24, math.pi / 2),
    "upside down": placed(30, 19, 33, math.pi),
    "beyond every border": placed(25, 20, 90, -0.3),
    "over a corner": placed(2, 40, 37, 2.2),
    "tiny": placed(20.3, 17.6, 3.0, 0.2),
}


def test_the_placing_of_these_tests_puts_the_crop_where_it_says():
    to_crop = placed(25.0, 20.0, 30.0, 0.5)
    assert to_crop.apply(np.array([25.0, 20.0])) == pytest.approx([0.5, 0.5], abs=1e-6)
    assert to_crop.scale == pytest.approx(1 / 30)


@pytest.mark.parametrize("to_crop", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize(("side", "strength"), [(9, 1.0), (32, 0.6), (1, 1.0)])
def test_a_correction_is_laid_over_as_the_slow_twin_does(rng, to_crop, side, strength):
    image, correction = noise(rng), smooth(rng, side)
    got = lay_over(image, correction, to_crop, strength)
    wanted = slow_lay_over(image, correction, to_crop, strength)
    # Half a level of rounding; noise of 255 levels a pixel magnifies errors of float32 and 13-bit weights.
    assert np.abs(got - wanted).max() <= 0.6


@pytest.mark.parametrize("to_crop", PLACES.values(), ids=PLACES.keys())
def test_a_picture_is_laid_over_as_the_slow_twin_does(rng, to_crop):
    side = 3 if to_crop.scale > 0.2 else 16
    image = noise(rng)
    picture = rng.uniform(-1.3, 1.3, (side, side, 3)).astype(np.float32)
    cover = rng.uniform(0.0, 1.0, (side, side)).astype(np.float32)
    for given in (cover, None):
        wanted = slow_lay_picture(image, picture, to_crop, np.ones_like(cover) if given is None else cover)
        assert np.abs(lay_picture(image, picture, to_crop, given) - wanted).max() <= 0.55


@pytest.mark.parametrize("to_crop", PLACES.values(), ids=PLACES.keys())
def test_nothing_to_correct_leaves_every_bit(rng, to_crop):
    image = noise(rng)
    nothing = np.zeros((8, 8, 5), np.float32)
    assert np.array_equal(lay_over(image, nothing, to_crop), image)
    assert np.array_equal(lay_over(image, smooth(rng, 8), to_crop, 0.0), image)
    picture = rng.uniform(-1.0, 1.0, (8, 8, 3)).astype(np.float32)
    assert np.array_equal(lay_picture(image, picture, to_crop, np.zeros((8, 8), np.float32)), image)


def test_outside_the_crop_every_bit_stays_and_inside_it_changes(rng):
    image = noise(rng)
    to_crop = placed(25, 20, 20, 0.4)
    columns, rows = np.meshgrid(np.arange(53) + 0.5, np.arange(41) + 0.5)
    u = to_crop.apply(np.stack([columns, rows], -1))
    outside = ((u < 0) | (u > 1)).any(-1)
    strong = np.full((4, 4, 5), 0.3, np.float32)
    for got in (lay_over(image, strong, to_crop), lay_picture(image, strong[..., :3], to_crop)):
        assert np.array_equal(got[outside], image[outside])
        assert (got != image).any(-1)[~outside].mean() > 0.6
    away = placed(-400, 20, 20, 0.4)
    assert np.array_equal(lay_over(image, strong, away), image)


def test_a_flow_points_from_the_place_to_where_its_colour_comes_from():
    # A ramp along x: the colour tells the place.
    image = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 120, 0).repeat(3, 2)
    flow = np.zeros((8, 8, 5), np.float32)
    flow[..., 3] = 0.05
    moved = lay_over(image, flow, placed(60, 60, 80))
    assert (moved[60, 60] == 64).all()  # 0.05 of 80 pixels to the right
    turned = placed(60, 60, 80, math.pi / 2)
    assert (lay_over(image, flow, turned)[60, 60] == 60).all()  # downwards: along the ramp's lines
    flow[..., 3:] = [0.0, 0.05]
    assert (lay_over(image, flow, turned)[60, 60] == 56).all()


def test_colour_corrections_count_two_for_the_full_range_and_stop_at_its_ends():
    image = np.full((40, 40, 3), 100, np.uint8)
    correction = np.zeros((4, 4, 5), np.float32)
    correction[..., :3] = [0.2, -1.0, 2.0]
    got = lay_over(image, correction, placed(20, 20, 40))
    assert got[20, 20].tolist() == [126, 0, 255]  # 100 + 0.2 * 127.5 = 125.5
    correction[..., :3] = 0.4
    assert lay_over(image, correction, placed(20, 20, 40), 0.5)[20, 20].tolist() == [126] * 3


def test_a_flow_out_of_the_picture_finds_its_border():
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, -1] = 200
    flow = np.zeros((4, 4, 5), np.float32)
    flow[..., 3] = 40.0
    assert (lay_over(image, flow, placed(10, 10, 20))[10, 10] == 200).all()


def test_values_that_are_no_numbers_correct_nothing(rng):
    image = noise(rng)
    for bad in (np.nan, np.inf, -np.inf, 3e38):
        drawn = np.full((6, 6, 5), bad, np.float32)
        assert np.array_equal(lay_over(image, drawn, placed(25, 20, 30)), image)
        picture = lay_picture(image, np.zeros((6, 6, 3), np.float32), placed(25, 20, 30), drawn[..., 0])
        assert np.array_equal(picture, image)


def test_the_window_is_whole_inside_and_falls_smoothly_to_nothing():
    shown = window(200)
    assert shown.dtype == np.float32
    assert shown.shape == (200, 200)
    assert (shown[16:-16, 16:-16] == 1.0).all()
    assert shown[100, 0] < 0.003
    assert shown[100, 7] + shown[100, 8] == pytest.approx(1.0, abs=1e-5)  # half at 4 %, symmetric around it
    assert shown[4, 7] == pytest.approx(shown[4, 100] * shown[100, 7])
    assert np.array_equal(shown, shown.T)
    assert np.abs(shown - shown[::-1, ::-1]).max() < 1e-6
    assert (np.diff(shown[100, :17]) >= 0).all()


def test_what_is_drawn_fades_as_the_window_does():
    image = np.zeros((100, 100, 3), np.uint8)
    white = np.ones((10, 10, 3), np.float32)
    correction = np.zeros((10, 10, 5), np.float32)
    correction[..., :3] = 2.0
    wanted = window(100)[..., None] * np.float32(255.0)
    for got in (
        lay_over(image, correction, placed(50, 50, 100)),
        lay_picture(image, white, placed(50, 50, 100)),
    ):
        assert np.abs(got - wanted).max() <= 0.51


def test_a_picture_larger_than_its_footprint_is_averaged(rng):
    # Stripes of one texel: sampled at points they would show as any of black, white and moiré.
    stripes = np.ones((256, 256, 3), np.float32)
    stripes[:, ::2] = -1.0
    image = np.full((64, 64, 3), 128, np.uint8)
    for side in (50.0, 47.3, 31.0):
        got = lay_picture(image, stripes, placed(32.2, 31.7, side, 0.3))
        # A mean over some stripes may count one too much of one colour.
        assert np.abs(got - 127.5).max() <= 127.5 / (256 / side) + 2.0
    # And only averaged, not blurred further: at its own size it is shown texel by texel.
    picture = rng.uniform(-1.0, 1.0, (64, 64, 3)).astype(np.float32)
    got = lay_picture(image, picture, placed(32, 32, 64))
    assert np.abs(got - (picture + 1) * 127.5)[8:-8, 8:-8].max() <= 0.51


def test_no_colour_bleeds_in_from_where_nothing_is_covered():
    image = np.zeros((64, 64, 3), np.uint8)
    picture = np.full((256, 256, 3), -1.0, np.float32)
    cover = np.ones((256, 256), np.float32)
    picture[:, 101:], cover[:, 101:] = 1.0, 0.0
    assert lay_picture(image, picture, placed(32, 32, 60), cover).max() == 0


def test_inputs_of_any_layout_stay_as_they_are(rng):
    image, correction = noise(rng)[:, ::-1], smooth(rng, 8)[::-1]
    before, drawn_before = image.copy(), correction.copy()
    got = lay_over(image, correction, PLACES["turned"])
    assert np.array_equal(got, lay_over(before, drawn_before, PLACES["turned"]))
    assert np.array_equal(image, before)
    assert np.array_equal(correction, drawn_before)
    assert not np.shares_memory(lay_over(image, correction, placed(-900, 0, 3)), image)


def test_shapes_and_maps_that_make_no_sense_are_refused(rng):
    image, correction, there = noise(rng), smooth(rng, 8), placed(25, 20, 30)
    for bad in (correction[..., :4], correction[:4], correction[0]):
        with pytest.raises(ValueError, match="laid over"):
            lay_over(image, bad, there)
    with pytest.raises(ValueError, match="image"):
        lay_over(image.astype(np.float32), correction, there)
    with pytest.raises(ValueError, match="cover"):
        lay_picture(image, correction[..., :3], there, np.ones((4, 4), np.float32))
    for astray in (Similarity(math.nan, 0, 0, 0), Similarity(0.0, 0, 0, 0), Similarity(1.0, 0, math.inf, 0)):
        with pytest.raises(ValueError, match="finite"):
            lay_over(image, correction, astray)
    with pytest.raises(ValueError, match="finite"):
        lay_over(image, correction, there, math.nan)
