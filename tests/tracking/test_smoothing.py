from __future__ import annotations

import numpy as np
import pytest

from studio.tracking.regions import LEFT_LIDS, LIPS
from studio.tracking.smoothing import fill_gaps, gaussian, segments, smooth_landmarks

LIDS = list(LEFT_LIDS)


def test_segments_stop_at_gaps_and_breaks() -> None:
    seen = np.array([0, 1, 1, 1, 1, 0, 0, 1, 1], bool)
    breaks = np.array([0, 0, 0, 1, 0, 0, 0, 0, 0], bool)
    assert segments(seen, breaks) == [(1, 3), (3, 5), (7, 9)]
    assert segments(seen) == [(1, 5), (7, 9)]
    assert segments(np.zeros(4, bool)) == []


def test_gaussian_answers_an_impulse_with_the_bell_curve() -> None:
    values = np.zeros((41, 1), np.float32)
    values[20] = 1
    out = gaussian(values, 1.5, [(0, 41)])[:, 0]
    bell = np.exp(-0.5 * ((np.arange(41) - 20) / 1.5) ** 2)
    np.testing.assert_allclose(out, bell / bell.sum(), atol=1e-4)


def test_gaussian_does_not_bend_a_steady_movement_even_at_its_ends() -> None:
    ramp = np.linspace(3, 90, 30, dtype=np.float32)[:, None]
    np.testing.assert_allclose(gaussian(ramp, 2.0, [(0, 30)]), ramp, atol=1e-4)


def test_gaussian_never_looks_across_runs() -> None:
    values = np.zeros((20, 2), np.float32)
    values[10:] = 100
    split = gaussian(values, 2.0, [(0, 10), (10, 20)])
    np.testing.assert_array_equal(split, values)
    assert gaussian(values, 2.0, [(0, 20)])[9, 0] > 10


def test_frames_outside_runs_are_left_alone() -> None:
    values = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    out = gaussian(values, 1.0, [(4, 9)])
    np.testing.assert_array_equal(out[:4], values[:4])
    np.testing.assert_array_equal(out[9:], values[9:])
    assert np.abs(out[4:9] - values[4:9]).max() > 0.05


def face_at_rest(frames: int, noise: float) -> np.ndarray:
    random = np.random.default_rng(1)
    still = random.uniform(0, 200, (478, 3))
    return (still + random.normal(0, noise, (frames, 478, 3))).astype(np.float32)


@pytest.mark.parametrize("shape", [(1.0, 1.0, 1.0), (0.6, 1.0, 0.6)])
def test_a_blink_of_three_frames_keeps_four_fifths_of_its_depth(shape: tuple[float, ...]) -> None:
    """A pixel-deep tremble of 0.25 on a 200 px face; lids go down by 6."""
    landmarks = face_at_rest(90, 0.25)
    for frame, depth in zip((40, 41, 42), shape, strict=True):
        landmarks[frame, LIDS, 1] += 6 * depth
    smooth = smooth_landmarks(landmarks, 1.0, [(0, 90)])

    def depth_of(values: np.ndarray) -> float:
        height = values[:, LIDS, 1].mean(1)
        return float(height[41] - np.median(height))

    assert depth_of(smooth) >= 0.8 * 6
    if shape[0] < 1:  # the case that needs care: the plain Gaussian loses it
        assert depth_of(gaussian(landmarks, 1.0, [(0, 90)])) < 0.8 * 6


def test_tremble_of_lids_at_rest_is_smoothed_away() -> None:
    landmarks = face_at_rest(200, 0.25)
    smooth = smooth_landmarks(landmarks, 1.0, [(0, 200)])
    assert smooth[:, LIDS].std(0).mean() < 0.75 * landmarks[:, LIDS].std(0).mean()
    # Elsewhere it is the Gaussian, whose residual noise is known: sum of squared weights.
    nose = smooth[8:-8, 4].std(0).mean() / landmarks[8:-8, 4].std(0).mean()
    assert nose == pytest.approx(np.sqrt(1 / (2 * np.sqrt(np.pi))), rel=0.15)


def test_a_shake_of_the_whole_head_is_not_taken_for_a_movement_of_the_lips() -> None:
    landmarks = face_at_rest(60, 0.05)
    landmarks[30, :, 0] += 5
    smooth = smooth_landmarks(landmarks, 1.0, [(0, 60)])
    lips = smooth[30, list(LIPS), 0].mean() - smooth[20, list(LIPS), 0].mean()
    nose = smooth[30, 4, 0] - smooth[20, 4, 0]
    assert lips == pytest.approx(nose, abs=0.2)


def test_sigma_zero_changes_nothing() -> None:
    landmarks = face_at_rest(20, 0.5)
    np.testing.assert_allclose(smooth_landmarks(landmarks, 0.0, [(0, 20)]), landmarks, atol=1e-5)


def test_gaps_are_bridged_linearly_and_held_at_the_ends() -> None:
    values = np.array([[9], [2], [9], [9], [8], [9]], np.float32)
    seen = np.array([0, 1, 0, 0, 1, 0], bool)
    np.testing.assert_allclose(fill_gaps(values, seen)[:, 0], [2, 2, 4, 6, 8, 8])
    with pytest.raises(ValueError, match="no frame"):
        fill_gaps(values, np.zeros(6, bool))
