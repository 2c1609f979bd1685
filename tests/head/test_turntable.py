"""A real mannequin on a turntable: yaw in degrees is true, not merely monotone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from studio.head.builtin import builtin_head
from studio.head.fitting import fit_landmarks

CLIPS = Path(os.environ.get("AVATAR_STUDIO_CLIPS") or Path(__file__).parents[3] / "shared" / "clips")
CLIP = CLIPS / "edge" / "faceunwrap__head.mp4"
FRAMES = 361
"""One frame more than the turntable's full turn takes: about a degree a frame, starting from the front."""


@pytest.mark.skipif(not CLIP.is_file(), reason="the shared turntable clip is not on this machine")
def test_yaw_of_a_turning_mannequin_is_linear_and_has_slope_one():
    from studio.media import read_selected
    from studio.tracking.mediapipe_tracker import MediapipeTracker

    # From the front to one side, and from the other side back to the front.
    wanted = [*range(45), *range(310, FRAMES)]
    points, trackers = {}, {first: MediapipeTracker(max_faces=1) for first in (True, False)}
    for frame, picture in read_selected(CLIP, wanted):
        tracker = trackers[frame < 180]
        faces = tracker.faces(picture)
        if faces:
            points[frame] = faces[0].landmarks
    for tracker in trackers.values():
        tracker.close()
    seen = [f for f in wanted if f in points]
    fit = fit_landmarks(builtin_head(), np.stack([points[f] for f in seen]), np.ones(len(seen), bool))
    yaw = fit.motion.angles[:, 0]
    # The mannequin was set up by hand: where it faces the camera exactly is unknown, its speed is not.
    true = np.array([f if f < 180 else f - FRAMES for f in seen]) * (360.0 / FRAMES)
    inside = np.abs(true) <= 30
    assert inside.sum() > 50
    error = yaw - true - np.median((yaw - true)[inside])
    slope = np.polyfit(true[inside], yaw[inside], 1)[0]
    assert slope == pytest.approx(1.0, abs=0.04)
    assert np.median(np.abs(error[inside])) < 1.5
    assert np.abs(error[inside]).max() < 4.0
    assert fit.motion.angles[inside, 1].std() < 3.0
