"""Where a face's landmarks are once its head is turned to the front: what tells its shape and expression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from studio.domain.camera import Floats
from studio.head import builtin_head, topology
from studio.head.fitting import PersonFitter

BROWS = ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336))
"""Upper edge of the brow on the viewer's left and right, from its outer end."""
NOSE = 2
"""Below the tip of the nose, which no expression moves much."""
SIDES = (234, 454)
"""The face's outermost points."""
TOP, CHIN = 10, 152
"""Middle of the forehead's upper end, and of the chin."""
_OUTER = 2
"""Points of a brow that count, from its outer end: the tracker's depth, which it guesses, makes inner ones
rise and fall with the head's pitch."""
_SMILE = np.array([5.0, 4.5]) / np.linalg.norm([5.0, 4.5])
"""Where a smile takes the corners of a mouth: outwards and up, as the head's handle has it. Back as well, but
that is again the depth that the tracker guesses."""


@dataclass(frozen=True)
class UprightFaces:
    """B faces in head space, as far as landmarks tell; rows of pictures without a face are NaN."""

    points: Floats
    """``[B, 478, 3]`` millimetres on an average head: x to the viewer's right, y up, z towards the viewer."""
    angles: Floats
    """``[B, 3]`` yaw, pitch, roll in degrees (studio.domain.camera)."""

    @property
    def smile(self) -> Floats:
        """``[B]`` mm that the corners of the mouth went outwards and up from the nose along a smile."""
        left, right = (self.points[:, corner, :2] for corner in topology.MOUTH_CORNERS)
        outwards = (right[:, 0] - left[:, 0]) / 2.0
        up = (right[:, 1] + left[:, 1]) / 2.0 - self.points[:, NOSE, 1]
        return np.asarray(outwards * _SMILE[0] + up * _SMILE[1], np.float32)

    @property
    def mouth_open(self) -> Floats:
        """``[B]`` mm between the lips, averaged along them."""
        return self._gap(topology.INNER_UPPER_LIP, topology.INNER_LOWER_LIP)

    @property
    def eyes_open(self) -> Floats:
        """``[B]`` height of the openings over their width, both eyes averaged."""
        shares = [
            self._gap(upper, lower) / self._gap((outer,), (inner,))
            for upper, lower, (outer, inner) in zip(
                topology.UPPER_LIDS, topology.LOWER_LIDS, topology.EYE_CORNERS
            )
        ]
        return np.asarray((shares[0] + shares[1]) / 2.0, np.float32)

    @property
    def brow_raise(self) -> Floats:
        """``[B]`` mm from the outer corners of the eyes up to the outer brows, both averaged."""
        up = self.points[..., 1]
        brows = [up[:, list(brow[:_OUTER])].mean(1) for brow in BROWS]
        corners = [up[:, outer] for outer, _ in topology.EYE_CORNERS]
        return np.asarray(sum(brows) - sum(corners), np.float32) / 2.0

    @property
    def face_width(self) -> Floats:
        """``[B]`` the face's width over its height."""
        return np.asarray(self._gap(SIDES[:1], SIDES[1:]) / self._gap((TOP,), (CHIN,)), np.float32)

    @property
    def eye_size(self) -> Floats:
        """``[B]`` mm from corner to corner, both eyes averaged."""
        outer, inner = zip(*topology.EYE_CORNERS)
        return self._gap(outer, inner)

    @property
    def mouth_width(self) -> Floats:
        """``[B]`` mm between the corners of the mouth."""
        return self._gap(topology.MOUTH_CORNERS[:1], topology.MOUTH_CORNERS[1:])

    def _gap(self, one: tuple[int, ...], other: tuple[int, ...]) -> Floats:
        way = self.points[:, list(one)] - self.points[:, list(other)]
        return np.asarray(np.linalg.norm(way[..., :2], axis=-1).mean(1), np.float32)


def upright_faces(landmarks: Floats) -> UprightFaces:
    """Landmarks ``[B, 478, 3]`` in pixels (NaN where there is no face) turned to the front.

    The built-in head's fit tells the pose apart from the expression and takes away how the tracker deforms
    turned faces; the average person's shape serves for everybody, as only differences are looked at.
    """
    points = np.full(landmarks.shape, np.nan, np.float32)
    angles = np.full((len(landmarks), 3), np.nan, np.float32)
    seen = np.isfinite(landmarks).all((1, 2))
    if seen.any():
        fitter = _fitter()
        motion = fitter.fit(landmarks[seen])
        points[seen] = 1000.0 * fitter.unposed(landmarks[seen], motion)
        angles[seen] = motion.angles
    return UprightFaces(points, angles)


@cache
def _fitter() -> PersonFitter:
    head = builtin_head()
    return PersonFitter(head, np.zeros(head.identities, np.float32), np.zeros_like(head.template))
