"""Retargeting keeps each person's own manner."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipelines.retarget_motion import (
    STRETCH,
    RetargetSettings,
    retarget_motion,
)
from studio.domain.controls import ControlTrack, motion_from_values
from studio.domain.motion import HeadMotion
from studio.head.sheet import PICTURE_TRAVEL, PICTURE_TURNS

RATE = Fraction(30000, 1001)
CAMERA_OF_PHOTO = np.array([900.0, 200.0, 210.0], np.float32)
REST = np.array([1800.0, 250.0, 260.0], np.float32)


def lively(seed: int, frames: int = 400, camera: tuple[float, float, float] = (1800, 250, 260)) -> HeadMotion:
    """Smooth random motion with its own means and spreads."""
    random = np.random.default_rng(seed)
    wave = np.sin(
        np.linspace(0, 25, frames)[:, None] * random.uniform(0.5, 2, (1, 50)) + random.uniform(0, 6, 50)
    )
    spread, mean = random.uniform(0.4, 1.2, 50), random.uniform(-0.5, 0.5, 50)
    motion = HeadMotion.neutral(frames, np.array(camera, np.float32))
    motion.expression[:] = mean + spread * wave
    motion.jaw[:, 0] = 0.1 + 0.06 * wave[:, 0]
    motion.angles[:] = random.uniform(-8, 8, 3) + 6 * wave[:, 1:4]
    motion.eyelids[::60] = 1.0
    motion.camera[:, 1] += 9 * wave[:, 5]
    return motion


def result(track: ControlTrack) -> HeadMotion:
    return motion_from_values(track.values, REST)


def test_a_person_driving_themselves_is_unchanged() -> None:
    own = lively(1)
    rest = np.median(own.camera, axis=0)
    track = retarget_motion(own, RATE, own, rest, RetargetSettings(beyond=1000.0))
    assert track.rate == RATE
    back = motion_from_values(track.values, rest)
    for name in ("expression", "jaw", "angles", "eyelids", "gaze", "camera"):
        assert np.allclose(getattr(back, name), getattr(own, name), atol=2e-3), name


def test_expression_gets_the_avatars_mean_and_spread() -> None:
    driver, source = lively(2), lively(3)
    back = result(retarget_motion(driver, RATE, source, REST, RetargetSettings(beyond=1000.0)))
    assert np.allclose(back.expression.mean(0), source.expression.mean(0), atol=1e-3)
    ratio = source.expression.std(0) / driver.expression.std(0)
    usual = (ratio > 1 / STRETCH) & (ratio < STRETCH)
    assert usual.sum() > 40
    assert np.allclose(back.expression.std(0)[usual], source.expression.std(0)[usual], rtol=1e-2)
    # … and the driver's own shape of motion (PVP's formula is affine in the driver's value).
    for i in range(50):
        assert np.corrcoef(back.expression[:, i], driver.expression[:, i])[0, 1] > 0.999


def test_a_still_channel_is_not_blown_up() -> None:
    driver, source = lively(4), lively(5)
    noise = np.random.default_rng(0).normal(0, 0.01, len(driver)).astype(np.float32)
    driver.expression[:, 7] = noise
    back = result(retarget_motion(driver, RATE, source, REST, RetargetSettings()))
    assert back.expression[:, 7].std() < 0.1 * source.expression[:, 7].std()


def test_frames_that_show_nobody_do_not_change_the_rest() -> None:
    driver, source = lively(16), lively(17)
    good = np.delete(np.arange(len(driver)), np.s_[100:300])
    spoilt = replace(
        driver,
        **{name: getattr(driver, name).copy() for name in ("expression", "jaw", "angles", "camera", "gaze")},
    )
    for values in (spoilt.expression, spoilt.jaw, spoilt.angles, spoilt.gaze):
        values[100:300] = 3.0
    spoilt.camera[100:300] *= np.float32(1.5)
    settings = RetargetSettings(beyond=1000.0)
    whole = result(retarget_motion(driver, RATE, source, REST, settings, driver.take(good)))
    other = result(retarget_motion(spoilt, RATE, source, REST, settings, spoilt.take(good)))
    for name in ("expression", "jaw", "angles", "camera", "gaze", "eyelids"):
        assert np.array_equal(getattr(whole, name)[good], getattr(other, name)[good]), name
    assert np.allclose(whole.expression[good].mean(0), source.expression.mean(0), atol=1e-3)


@pytest.mark.parametrize("channel", ["expression", "jaw", "turn"])
def test_strength_zero_holds_the_avatars_usual_face(channel: str) -> None:
    driver, source = lively(6), lively(7)
    still = {channel: 0.0}
    settings = replace(RetargetSettings(), **still)  # type: ignore[arg-type]
    back = result(retarget_motion(driver, RATE, source, REST, settings))
    values = {"expression": back.expression, "jaw": back.jaw, "turn": back.angles}[channel]
    assert values.std(0).max() < 1e-4


def test_relative_pose_ignores_how_the_driver_holds_the_head() -> None:
    driver, source = lively(8), lively(9)
    tilted = replace(driver, angles=driver.angles + np.array([20.0, -10.0, 5.0], np.float32))
    settings = RetargetSettings()
    plain = result(retarget_motion(driver, RATE, source, REST, settings))
    moved = result(retarget_motion(tilted, RATE, source, REST, settings))
    assert np.allclose(plain.angles, moved.angles, atol=1e-3)
    assert np.allclose(np.median(plain.angles, 0), np.median(source.angles, 0), atol=1.5)


def test_a_blink_closes_the_eyes_of_someone_with_narrow_eyes() -> None:
    driver, source = lively(10), lively(11)
    source.eyelids[:] = np.maximum(source.eyelids, 0.3)
    back = result(retarget_motion(driver, RATE, source, REST, RetargetSettings()))
    assert np.allclose(back.eyelids[60], 1.0, atol=1e-3)
    assert np.allclose(back.eyelids[30], 0.3, atol=1e-3)


def test_a_badly_seen_eye_does_not_make_a_wink_but_a_wink_stays_one() -> None:
    driver, source = lively(10), lively(11)
    driver.angles[60, 0] = -19.0  # the nose to the viewer's left: the eye on the right is seen better
    driver.eyelids[60] = (0.4, 0.86)
    driver.angles[120, 0] = -19.0
    driver.eyelids[120] = (0.05, 1.0)
    back = result(retarget_motion(driver, RATE, source, REST, RetargetSettings()))
    assert back.eyelids[60].min() > 0.75
    assert np.allclose(back.eyelids[120], (0.05, 1.0), atol=0.02)


def test_a_grimace_stays_within_reach_of_what_the_clip_showed() -> None:
    driver, source = lively(16), lively(17)
    driver.expression[200] += 12.0
    back = result(retarget_motion(driver, RATE, source, REST, RetargetSettings()))
    high, spread = np.percentile(source.expression, 99.5, axis=0), source.expression.std(0)
    assert (back.expression[200] < high + spread + 0.11).all()
    assert (back.expression[200] > high - 0.01).all()


def test_turns_beyond_the_clip_ease_to_a_stop() -> None:
    driver, source = lively(12), lively(13)
    driver.angles[200:220, 0] += 70.0
    back = result(retarget_motion(driver, RATE, source, REST, RetargetSettings(beyond=10.0)))
    limit = np.percentile(source.angles[:, 0], 99.5)
    assert limit < back.angles[210, 0] <= limit + 10.01


def test_travel_is_the_same_distance_in_metres() -> None:
    # The driver's frame is half as large: 9 driver pixels are 18 of the avatar's.
    driver, source = lively(14, camera=(900, 120, 130)), lively(15)
    back = result(retarget_motion(driver, RATE, source, REST, RetargetSettings(beyond=1000.0)))
    travelled = np.ptp(back.camera[:, 1]) / REST[0]
    assert travelled == pytest.approx(np.ptp(driver.camera[:, 1]) / 900.0, rel=1e-3)


def smiling_photo() -> HeadMotion:
    photo = HeadMotion.neutral(1, np.array([900.0, 200.0, 210.0]))
    photo.expression[0, :3] = (6.0, -5.0, 4.0)
    photo.jaw[0, 0] = 0.1
    photo.eyelids[:] = 0.3
    photo.gaze[:] = (12.0, -4.0)
    photo.angles[0] = (18.0, -6.0, 3.0)
    return photo


def test_a_picture_does_what_its_driver_does_and_keeps_no_smile_of_its_own() -> None:
    driver = lively(3)
    moved = result(
        retarget_motion(driver, Fraction(30), smiling_photo(), CAMERA_OF_PHOTO, RetargetSettings())
    )
    assert np.allclose(moved.expression, driver.expression, atol=1e-4)
    assert np.allclose(moved.jaw, driver.jaw, atol=1e-5)
    assert np.allclose(np.median(moved.gaze, 0), 0.0, atol=1e-4)
    # Open is open: lids are counted from how the driver holds theirs.
    assert abs(float(np.median(moved.eyelids))) < 0.02
    half = retarget_motion(
        driver, Fraction(30), smiling_photo(), CAMERA_OF_PHOTO, RetargetSettings(expression=0.5)
    )
    assert np.allclose(result(half).expression, 0.5 * driver.expression, atol=1e-4)


def test_a_picture_turns_around_its_own_pose_and_eases_to_a_stop() -> None:
    driver = HeadMotion.neutral(241, np.array([1800.0, 250.0, 260.0]))
    driver.angles[:, 0] = np.linspace(-60, 60, 241)
    driver.camera[:, 1] += np.linspace(-0.5, 0.5, 241) * 1800.0
    photo = smiling_photo()
    track = retarget_motion(driver, Fraction(30), photo, CAMERA_OF_PHOTO, RetargetSettings())
    moved = motion_from_values(track.values, CAMERA_OF_PHOTO)
    inside = np.abs(driver.angles[:, 0]) <= PICTURE_TURNS[0]
    assert np.allclose(moved.angles[inside, 0], 18.0 + driver.angles[inside, 0], atol=1e-3)
    assert np.abs(moved.angles[:, 0] - 18.0).max() < PICTURE_TURNS[0] + 10.0
    assert np.abs(moved.camera[:, 1] - 200.0).max() / 900.0 < PICTURE_TRAVEL + 0.0301
    assert (np.diff(moved.angles[:, 0]) >= 0).all()
