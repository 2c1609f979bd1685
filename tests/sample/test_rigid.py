"""The true head, turned: at the clip's own angles it is the clip's own picture."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.sample.rigid import RigidSample
from studio.domain.problem import Problem
from studio.media import read_selected


def test_at_its_own_angles_the_true_head_is_the_clips_picture(sample, tracked) -> None:
    clip, truth = sample
    rigid = RigidSample(truth, tracked)
    # Tracked angles lie on a line through the true ones, within a degree or two.
    for frame, real in read_selected(clip, [20, 150, 260]):
        line = [np.polyfit(truth.angles[:, k], tracked.motion.angles[:, k], 1) for k in range(3)]
        asked = np.array([np.polyval(line[k], truth.angles[frame, k]) for k in range(3)], np.float32)
        drawn = rigid(frame, asked).astype(float)
        error = np.sqrt(((drawn - real) ** 2).mean())
        turned = rigid(frame, asked + np.array([15, 0, 0], np.float32)).astype(float)
        assert error < 9.0, error
        assert np.sqrt(((turned - real) ** 2).mean()) > 2 * error


def test_a_truth_of_another_clip_is_refused(sample, tracked) -> None:
    from dataclasses import replace

    _, truth = sample
    with pytest.raises(Problem, match="lies beside the sample"):
        RigidSample(replace(truth, angles=truth.angles[:-5]), tracked)
