"""The tracker against the truth: the sample's angles, jaw and blinks are known exactly."""

from __future__ import annotations

import numpy as np

from studio.head import builtin_head


def test_every_frame_is_tracked(sample, tracked):
    _, truth = sample
    assert len(tracked) == len(truth.angles)
    assert tracked.good.mean() > 0.95


def test_yaw_pitch_and_roll(sample, tracked):
    _, truth = sample
    near = np.abs(truth.angles[:, 0]) <= 30
    error = np.abs(tracked.motion.angles - truth.angles)[near]
    assert (np.median(error, 0) <= (3.0, 3.0, 2.0)).all(), np.median(error, 0)
    for k, gain_low in enumerate((0.75, 0.8, 0.85)):
        gain = np.polyfit(truth.angles[:, k], tracked.motion.angles[:, k], 1)[0]
        assert gain_low < gain < 1.2
        assert np.corrcoef(truth.angles[:, k], tracked.motion.angles[:, k])[0, 1] > 0.96


def test_landmarks_of_the_inner_face_are_on_it(sample, tracked):
    _, truth = sample
    inner = [4, 5, 195, 168, 33, 133, 263, 362, 61, 291, 0, 17, 70, 300, 468, 473]
    eyes = np.linalg.norm(truth.neutral[33] - truth.neutral[263]) * truth.camera[:, 0]
    away = np.linalg.norm(tracked.landmarks[:, inner, :2] - truth.landmarks[:, inner, :2], axis=-1)
    assert np.median(away / eyes[:, None]) < 0.05


def test_mouth_opens_with_the_jaw(sample, tracked):
    """How far the fitted head opens its mouth, by jaw and expression together, turned upright."""
    _, truth = sample
    head = builtin_head()
    points = head.vertices(tracked.identity, tracked.offset, tracked.motion)
    opening = points[:, 13, 1] - points[:, 14, 1]
    assert np.corrcoef(opening, truth.jaw_open)[0, 1] > 0.8
    # The jaw alone has its share: landmarks cannot fully tell it from the lips.
    assert np.corrcoef(tracked.motion.jaw[:, 0], truth.jaw_open)[0, 1] > 0.3


def test_blinks(sample, tracked):
    """Frames in which both lids come down, one for each true blink and no others."""
    _, truth = sample
    lids = tracked.motion.eyelids.mean(1)
    shut = lids > np.median(lids) + 0.25
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shut, [False]]).astype(int)))
    found = [start + int(np.argmax(lids[start:stop])) for start, stop in edges.reshape(-1, 2)]
    assert len(found) == len(truth.blinks), (found, truth.blinks)
    assert np.abs(np.array(found) - truth.blinks).max() <= 2
