"""Face landmarks by MediaPipe's face mesh, whose networks are inside the mediapipe wheel.

Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs (2019);
Grishchenko et al., Attention Mesh (2020), for lips, eyes and irises.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from studio.domain.camera import Similarity
from studio.tracking.quiet import quiet
from studio.tracking.tracker import Face, Picture, without_doubles

_LONGEST = 1920
"""Larger pictures are reduced before the networks, which look at 192 px crops anyway."""
_SEARCH_EVERY = 5
"""While nobody is seen, tiles of large pictures are searched in one frame of so many."""


class MediapipeTracker:
    """478 landmarks of every face, with a second, closer look for faces too small for the near detector.

    The mesh comes with a detector for faces within about two metres. Where it sees nobody, the
    full-range detector looks over the whole picture and over square tiles of it, and the mesh runs on a
    window around what it found; the window stays put while the face stays inside it, so that the mesh
    can follow from frame to frame.
    """

    def __init__(self, max_faces: int = 4, follows: bool = True) -> None:
        """Load the networks.

        Args:
            max_faces: how many faces are looked for in each picture, at least 1.
            follows: pictures are consecutive ones of a clip, and where a face was says where it is now. Off,
                every picture is searched by itself, which takes longer.
        """
        self._follows = follows
        with quiet():
            import mediapipe as mp

            self._solutions: Any = mp.solutions
            self._version: str = mp.__version__
            self._wide: Any = self._mesh(max_faces)
            self._warm(self._wide)
        self._near: Any = None
        self._far: Any = None
        self._window: tuple[int, int, int, int] | None = None
        self._unseen = 0
        self._near_follows = False
        self._before: list[Face] = []

    @property
    def name(self) -> str:
        """Which tracker and version."""
        return f"mediapipe-{self._version}-mesh"

    @property
    def score_names(self) -> tuple[str, ...]:
        """The mesh gives no blendshape scores."""
        return ()

    def faces(self, picture: Picture) -> list[Face]:
        """Every face in the next picture of the clip (see :class:`studio.tracking.tracker.Tracker`)."""
        height, width = picture.shape[:2]
        if not self._follows:
            self._window, self._before, self._unseen = None, [], 0
        shrink = min(1.0, _LONGEST / max(height, width))
        if shrink < 1.0:
            size = (round(width * shrink), round(height * shrink))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        found = self._run(self._wide, picture) if self._window is None else []
        if not found:
            found = self._look_closer(picture)
        if shrink < 1.0:
            grow = Similarity(1.0 / shrink, 0.0, 0.0, 0.0)
            found = [Face(grow.apply(face.landmarks)) for face in found]
        self._before = without_doubles(found, self._before)
        return self._before

    def forget(self) -> None:
        """The next picture has nothing to do with the ones before. Some thirty milliseconds."""
        self._window, self._before, self._unseen, self._near_follows = None, [], 0, False
        for network in (self._wide, self._near):
            if network is not None:
                network.reset()

    def close(self) -> None:
        """Free the networks."""
        for network in (self._wide, self._near, self._far):
            if network is not None:
                network.close()

    def _mesh(self, faces: int) -> Any:
        return self._solutions.face_mesh.FaceMesh(
            static_image_mode=not self._follows, max_num_faces=faces, refine_landmarks=True
        )

    @staticmethod
    def _warm(network: Any) -> None:
        # The native code writes its banners during the first pictures, so those pass inside quiet().
        network.process(np.zeros((64, 64, 3), np.uint8))

    @staticmethod
    def _run(network: Any, picture: Picture) -> list[Face]:
        height, width = picture.shape[:2]
        # MediaPipe's z has the scale of x and grows away from the camera.
        scale = np.array([width, height, -width], np.float32)
        found = network.process(np.ascontiguousarray(picture)).multi_face_landmarks or []
        return [
            Face(np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32) * scale) for face in found
        ]

    def _look_closer(self, picture: Picture) -> list[Face]:
        """The mesh on a window around a face that only the full-range detector sees."""
        if self._near is None:
            with quiet():
                self._near = self._mesh(1)
                self._far = self._solutions.face_detection.FaceDetection(
                    model_selection=1, min_detection_confidence=0.5
                )
                self._warm(self._near)
                self._warm(self._far)
        if self._window is not None:
            found = self._in_window(picture, self._window)
            if found and not self._centred(found[0], self._window, picture):
                self._open_window(found[0].box, picture)
            if found:
                return found
            self._window = None
            found = self._run(self._wide, picture)
            if found:
                return found
        box = self._far_face(picture)
        if box is None:
            return []
        self._open_window(box, picture)
        assert self._window is not None
        found = self._in_window(picture, self._window)
        if not found:
            self._window = None
        return found

    def _far_face(self, picture: Picture) -> tuple[float, float, float, float] | None:
        height, width = picture.shape[:2]
        best = self._detect(picture, 0, 0)
        self._unseen = 0 if best else self._unseen + 1
        if best is None and self._unseen % _SEARCH_EVERY == 1:
            # Half-size tiles, overlapping by half: a face there is twice as large to the detector.
            side = max(192, max(height, width) // 2)
            for top in range(0, max(1, height - side // 2), side // 2):
                for left in range(0, max(1, width - side // 2), side // 2):
                    tile = picture[top : top + side, left : left + side]
                    found = self._detect(np.ascontiguousarray(tile), left, top)
                    if found and (best is None or found[1] > best[1]):
                        best = found
        return best[0] if best else None

    def _detect(
        self, picture: Picture, left: int, top: int
    ) -> tuple[tuple[float, float, float, float], float] | None:
        """The surest face of a picture that lies at (left, top), with its score."""
        height, width = picture.shape[:2]
        found = self._far.process(picture).detections or []
        if not found:
            return None
        surest = max(found, key=lambda d: float(d.score[0]))
        box = surest.location_data.relative_bounding_box
        x, y = left + box.xmin * width, top + box.ymin * height
        return (x, y, x + box.width * width, y + box.height * height), float(surest.score[0])

    def _open_window(self, box: tuple[float, float, float, float], picture: Picture) -> None:
        height, width = picture.shape[:2]
        centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        side = int(min(3.0 * max(box[2] - box[0], box[3] - box[1]), max(height, width)))
        left = int(np.clip(centre_x - side / 2, 0, max(0, width - side)))
        top = int(np.clip(centre_y - side / 2, 0, max(0, height - side)))
        self._window = (left, top, min(width, left + side), min(height, top + side))
        if self._near_follows:
            # The mesh would look where the face was in the old window. A reset is slow: only when needed.
            self._near.reset()
            self._near_follows = False

    def _in_window(self, picture: Picture, window: tuple[int, int, int, int]) -> list[Face]:
        left, top, right, bottom = window
        crop = picture[top:bottom, left:right]
        if min(crop.shape[:2]) < 16:
            return []
        grow = max(1.0, 256 / max(crop.shape[:2]))
        if grow > 1.0:
            size = (round(crop.shape[1] * grow), round(crop.shape[0] * grow))
            enlarged = cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC)
        else:
            enlarged = crop
        exact = enlarged.shape[1] / crop.shape[1]
        back = Similarity(1.0 / exact, 0.0, float(left), float(top))
        faces = self._run(self._near, np.asarray(enlarged, np.uint8))
        self._near_follows = bool(faces)
        return [Face(back.apply(face.landmarks)) for face in faces]

    @staticmethod
    def _centred(face: Face, window: tuple[int, int, int, int], picture: Picture) -> bool:
        """Whether the face still has room on all sides of its window, other than at the picture's border."""
        height, width = picture.shape[:2]
        box, margin = face.box, 0.12 * (window[2] - window[0])
        return (
            (window[0] == 0 or box[0] > window[0] + margin)
            and (window[1] == 0 or box[1] > window[1] + margin)
            and (window[2] == width or box[2] < window[2] - margin)
            and (window[3] == height or box[3] < window[3] - margin)
            and 0.2 < (box[2] - box[0]) / max(1, window[2] - window[0]) < 0.6
        )
