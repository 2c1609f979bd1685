"""The sample's head turned without a change of face: what a perfect avatar would show when its yaw is swept.

A tracker reads a turned face as a changed one. How much of that is its own doing can only be told from a head
whose expression is known to stand still, and the sample's is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.make_sample import CORNER, SHOWN, SampleTruth
from pipelines.sample.pose import Pose
from pipelines.sample.puppet import Puppet
from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence


class RigidSample:
    """Draws any moment of the sample with the head turned elsewhere."""

    def __init__(self, truth: SampleTruth, sequence: TrackedSequence) -> None:
        """
        Args:
            truth: of the clip that the sequence was tracked in.
            sequence: tells what the tracker calls the true angles, which is what controls speak of.

        Raises:
            Problem: they are not of the same clip.
        """
        width, height = sequence.width, sequence.height
        if len(sequence) != len(truth.angles) or width != height:
            raise Problem(
                f"This truth is of a clip of {len(truth.angles)} square frames, and the avatar's clip has "
                f"{len(sequence)} of {width} × {height}: name the truth that lies beside the sample."
            )
        self._truth = truth
        self._puppet = Puppet(width, height, width / SHOWN, CORNER)
        good = sequence.good
        read, true = sequence.motion.angles[good], truth.angles[good]
        self._lines = [np.polyfit(read[:, k], true[:, k], 1) for k in range(3)]

    def __call__(self, frame: int, angles: Floats) -> npt.NDArray[np.uint8]:
        """The clip's picture ``[H, W, 3]`` of a frame's true face, turned to other angles.

        ``angles``: ``[3]`` yaw, pitch, roll in degrees, as the tracker would read them.
        """
        t = self._truth
        weights = [
            *(*t.eyelids[frame], t.lips_together[frame], 1 - t.smile[frame]),
            *(t.rounded[frame], t.brow[frame]),
        ]
        moved = (t.camera[frame] - self._puppet.rest_camera)[1:] / self._puppet.rest_camera[0]
        pose = Pose(
            angles=np.array([np.polyval(line, a) for line, a in zip(self._lines, angles)], np.float32),
            shift=np.array([moved[0], -moved[1]], np.float32),
            fields=np.array(weights, np.float32),
            jaw=float(np.deg2rad(t.jaw_open[frame])),
            gaze=t.gaze[frame],
        )
        return self._puppet.draw(pose)
