"""What a tracker and a face network see in pictures: one way for real and for drawn ones."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.one_picture import OnePicture
from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.sequence import LANDMARKS
from studio.head import HeadModel, fit_motion
from studio.metrics import Observed
from studio.metrics.identity import IdentityNetwork
from studio.tracking.tracker import Tracker

Pictures = npt.NDArray[np.uint8]
SEEN_AT = 256
"""Side, in pixels, to which smaller pictures are enlarged before they are tracked."""


class Observer:
    """Tracks pictures anew, so that what is compared is what a viewer sees and not what was asked for."""

    def __init__(self, tracker: Tracker, model: HeadModel, identity: IdentityNetwork | None) -> None:
        """
        Args:
            tracker: looks at every picture by itself.
            model: the head model that is fitted.
            identity: the network of CSIM, where there is one.
        """
        self._tracker, self._model, self._identity = tracker, model, identity

    def see(
        self,
        pictures: Pictures,
        person: OnePicture,
        masks: npt.NDArray[np.uint8] | None = None,
    ) -> Observed:
        """Pictures ``[T, S, S, 3]`` with what is seen in them.

        Args:
            pictures: real or drawn.
            person: whose head shape is fitted.
            masks: ``[T, S, S]`` person coverage of real ones.
        """
        landmarks = np.stack([self._landmarks(picture) for picture in pictures])
        embeddings = None if self._identity is None else self._identity.embed(pictures, landmarks)
        return Observed(
            np.arange(len(pictures), dtype=np.int64),
            pictures,
            masks,
            size=pictures.shape[1],
            landmarks=landmarks,
            motion=self._fitted(landmarks, person),
            embeddings=embeddings,
        )

    def _landmarks(self, picture: Pictures) -> Floats:
        grow = max(1.0, SEEN_AT / len(picture))
        if grow > 1.0:
            size = (round(picture.shape[1] * grow), round(picture.shape[0] * grow))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        faces = self._tracker.faces(picture)
        if not faces:
            return np.full((LANDMARKS, 3), np.nan, np.float32)
        # A crop shows its person large; someone in the background is smaller.
        largest = max(faces, key=lambda face: float(np.ptp(face.landmarks[:, 1])))
        return np.asarray(largest.landmarks / grow, np.float32)

    def _fitted(self, landmarks: Floats, person: OnePicture) -> HeadMotion:
        found = np.isfinite(landmarks).all((1, 2))
        empty = HeadMotion.neutral(len(landmarks), np.zeros(3, np.float32))
        columns = {entry.name: getattr(empty, entry.name) * np.nan for entry in fields(empty)}
        if found.any():
            fitted = fit_motion(self._model, person.coefficients, person.offset, landmarks[found])
            for name, values in columns.items():
                values[found] = getattr(fitted, name)
        return HeadMotion(**columns)
