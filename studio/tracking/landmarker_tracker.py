"""Face landmarks and 52 blendshape scores by MediaPipe's Tasks landmarker, from the user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from studio.domain.problem import Problem
from studio.tracking.quiet import quiet
from studio.tracking.tracker import Face, Picture, without_doubles


class LandmarkerTracker:
    """478 landmarks and blendshape scores of every face, from ``face_landmarker.task``."""

    def __init__(self, file: Path, max_faces: int = 4, rate: float = 30.0) -> None:
        """Load the networks.

        Args:
            file: MediaPipe's ``face_landmarker.task`` bundle.
            max_faces: how many faces are looked for in each picture, at least 1.
            rate: frames per second, which the networks' own following goes by.

        Raises:
            Problem: the file is missing or is no such bundle.
        """
        if not file.is_file():
            raise Problem(f"The face landmarker file {file} is missing: give its place, or leave it empty.")
        with quiet():
            import mediapipe as mp
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.FaceLandmarkerOptions(
                # The bytes rather than the path: native code cannot open every path on every system.
                base_options=BaseOptions(model_asset_buffer=file.read_bytes()),
                running_mode=vision.RunningMode.VIDEO,
                num_faces=max_faces,
                output_face_blendshapes=True,
            )
            try:
                self._network: Any = vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise Problem(
                    f"{file} is not a face landmarker of MediaPipe: get face_landmarker.task again."
                ) from error
            self._image: Any = mp.Image
            self._format: Any = mp.ImageFormat.SRGB
            self._name = f"mediapipe-{mp.__version__}-landmarker"
        self._step = max(1, round(1000.0 / rate))
        self._count = 0
        self._before: list[Face] = []
        self._names: tuple[str, ...] = _SCORES

    @property
    def name(self) -> str:
        """Which tracker and version."""
        return self._name

    @property
    def score_names(self) -> tuple[str, ...]:
        """The 52 blendshapes, ``_neutral`` first."""
        return self._names

    def faces(self, picture: Picture) -> list[Face]:
        """Every face in the next picture of the clip (see :class:`studio.tracking.tracker.Tracker`)."""
        height, width = picture.shape[:2]
        image = self._image(image_format=self._format, data=np.ascontiguousarray(picture))
        result = self._network.detect_for_video(image, self._count * self._step)
        self._count += 1
        scale = np.array([width, height, -width], np.float32)
        found = []
        for points, scores in zip(result.face_landmarks, result.face_blendshapes, strict=True):
            landmarks = np.array([(p.x, p.y, p.z) for p in points], np.float32) * scale
            by_name = {entry.category_name: entry.score for entry in scores}
            values = np.array([by_name.get(name, 0.0) for name in self._names], np.float32)
            found.append(Face(landmarks, values))
        self._before = without_doubles(found, self._before)
        return self._before

    def close(self) -> None:
        """Free the networks."""
        self._network.close()


_SIDES = ("Left", "Right")
_SCORES = (
    "_neutral",
    *(f"browDown{side}" for side in _SIDES),
    "browInnerUp",
    *(f"browOuterUp{side}" for side in _SIDES),
    "cheekPuff",
    *(f"cheekSquint{side}" for side in _SIDES),
    *(f"eye{part}{side}" for part in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp") for side in _SIDES),
    *(f"eye{part}{side}" for part in ("Squint", "Wide") for side in _SIDES),
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *(f"mouth{part}{side}" for part in ("Dimple", "Frown") for side in _SIDES),
    *("mouthFunnel", "mouthLeft"),
    *(f"mouth{part}{side}" for part in ("LowerDown", "Press") for side in _SIDES),
    *("mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *(f"mouth{part}{side}" for part in ("Smile", "Stretch", "UpperUp") for side in _SIDES),
    *(f"noseSneer{side}" for side in _SIDES),
)
"""Names as the bundle gives them; left and right are the person's own."""
