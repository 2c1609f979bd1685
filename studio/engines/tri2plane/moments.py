"""From head parameters to what the network is told: the same for training and for rendering."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.engines.tri2plane.network import Moment
from studio.engines.tri2plane.person import VolumePerson
from studio.head.zero_pose import ZeroPose

FARTHEST = 4.0
"""Deviations beyond which a drive counts as no stronger: the network was shown nothing like it."""
JAW_DEGREES, EYELID, GAZE_DEGREES = 3.0, 1.0 / 3.0, 5.0
"""Of jaw, eyelids and gaze: how much counts as one expression coefficient's standard deviation."""


def drive_of(motion: HeadMotion) -> Floats:
    """``[T, 57]`` expression, jaw, eyelids and gaze, each in units of about one deviation among people."""
    columns = [
        motion.expression,
        np.rad2deg(motion.jaw) / JAW_DEGREES,
        motion.eyelids / EYELID,
        motion.gaze / GAZE_DEGREES,
    ]
    return np.concatenate(columns, 1).astype(np.float32)


def standardised(
    drive: npt.NDArray[np.floating], mean: npt.NDArray[np.floating], deviation: npt.NDArray[np.floating]
) -> Floats:
    """Drives ``[T, 57]`` in deviations of the clip, at most FARTHEST; mean and deviation are ``[57]``."""
    return np.clip((drive - mean) / deviation, -FARTHEST, FARTHEST).astype(np.float32)


class MomentMaker:
    """Makes moments of one person. Safe to use from one thread at a time."""

    def __init__(self, person: VolumePerson, mean: Tensor, deviation: Tensor, code: Tensor) -> None:
        """
        Args:
            person: whose.
            mean, deviation: ``[57]`` of the clip's drives.
            code: ``[code]`` the latent code that every new moment has.
        """
        self._person = person
        self._zero_pose: ZeroPose = person.zero_pose()
        self._mean, self._deviation = mean.cpu().numpy(), deviation.cpu().numpy()
        self._code = code.detach().cpu()

    def moment(self, motion: HeadMotion) -> Moment:
        """Of T frames, on the processor."""
        maps = self._zero_pose.maps(motion)
        drive = standardised(drive_of(motion), self._mean, self._deviation)
        return Moment(
            motion_map=torch.from_numpy(maps.motion_map),
            displacement=torch.from_numpy(maps.displacement),
            drive=torch.from_numpy(drive),
            body=torch.from_numpy(self._person.body_maps(motion)),
            code=self._code.expand(len(motion), -1),
        )
