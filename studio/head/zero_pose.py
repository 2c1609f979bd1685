"""The tracked head seen from the front, without its pose: what Tri²-plane is told about a moment.

The paper's motion map is the mean texture and the normals of the mesh in zero pose. This project adds where
every place of the expressing face would be on one fixed face: with that, a volume learnt once can be looked
up at any expression.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.head.model import HeadModel
from studio.head.normals import vertex_normals
from studio.head.pull_push import pull_push
from studio.head.rasterise import rasterise

OPEN_JAW = 0.2
"""Radians by which the canonical face opens its mouth."""
AROUND = (0.03, 0.05, 0.03, 0.03)
"""Metres that the maps show beyond the canonical face: left, below, right, above. A jaw may drop further."""


@dataclass(frozen=True, eq=False)
class FrontalGrid:
    """A square grid of pixels over a rectangle of head space as the viewer sees it: row 0 is at the top."""

    low: Floats
    """``[2]`` least x and y, metres."""
    high: Floats
    """``[2]`` greatest x and y, metres."""
    size: int
    """Pixels along either side."""

    def to_pixels(self, points: npt.NDArray[np.floating]) -> Floats:
        """Continuous pixel coordinates of points ``[..., 2 or 3]`` in metres; a depth stays in metres."""
        out = np.array(points, np.float32)
        out[..., 0] = (points[..., 0] - self.low[0]) * (self.size / (self.high[0] - self.low[0]))
        out[..., 1] = (self.high[1] - points[..., 1]) * (self.size / (self.high[1] - self.low[1]))
        return out

    def centres(self) -> Floats:
        """``[size, size, 2]`` x and y of the pixels' centres, metres."""
        share = (np.arange(self.size) + 0.5) / self.size
        x = self.low[0] + share * (self.high[0] - self.low[0])
        y = self.high[1] - share * (self.high[1] - self.low[1])
        return np.stack(np.meshgrid(x, y), -1).astype(np.float32)

    @staticmethod
    def around(face: npt.NDArray[np.floating], size: int) -> FrontalGrid:
        """The grid that holds a canonical face ``[V, 3]`` and, around it, room for its expressions."""
        left, below, right, above = AROUND
        low = face[:, :2].min(0) - np.array([left, below])
        high = face[:, :2].max(0) + np.array([right, above])
        return FrontalGrid(low.astype(np.float32), high.astype(np.float32), size)


@dataclass(frozen=True)
class ZeroPoseMaps:
    """Maps of T moments over a :class:`FrontalGrid` of G pixels a side."""

    motion_map: Floats
    """``[T, 6, G, G]`` mean texture, -1..1, then unit normals in head space; 0 outside of the face."""
    displacement: Floats
    """``[T, 3, G, G]`` metres from a place of the expressing face to the same place of the canonical one;
    known everywhere, fading to exactly 0 at the grid's border."""


def canonical_face(model: HeadModel, neutral: Floats) -> Floats:
    """The face that all expressions are led back to: ``[V, 3]`` from a neutral one ``[V, 3]``, metres.

    Its mouth is open and so are its eyes. Where lips touch, teeth and tongue have no place of their own: all
    of them would be squeezed into the line between the lips, and could not be told apart when the mouth
    opens. In an open mouth each has its place, and a mouth that closes merely hides it; so it is with what
    eyelids cover.
    """
    still = HeadMotion.neutral(1, np.ones(3, np.float32))
    opened = replace(still, jaw=np.array([[OPEN_JAW, 0.0, 0.0]], np.float32))
    return model.deform(neutral, opened)[0]


class ZeroPose:
    """Draws the maps of one person. Safe to use from one thread at a time."""

    def __init__(
        self,
        model: HeadModel,
        neutral: Floats,
        colours: npt.NDArray[np.floating],
        size: int,
        canonical: Floats | None = None,
        grid: FrontalGrid | None = None,
    ) -> None:
        """
        Args:
            model: what moves the face.
            neutral: ``[V, 3]`` the person's neutral face, metres.
            colours: ``[V, 3]`` mean colour of each vertex, 0..1.
            size: pixels along a map's side.
            canonical: ``[V, 3]`` face to lead back to; :func:`canonical_face` where absent.
            grid: what the maps cover, ``size`` pixels a side; :meth:`FrontalGrid.around` the canonical face
                where absent.
        """
        self._model, self._neutral = model, np.asarray(neutral, np.float32)
        self.canonical = canonical_face(model, self._neutral) if canonical is None else canonical
        """``[V, 3]`` metres."""
        self.grid = grid or FrontalGrid.around(self.canonical, size)
        """What the maps cover."""
        self._texture = np.asarray(colours, np.float32) * 2.0 - 1.0
        line = np.arange(size)
        inwards = np.minimum(line, size - 1 - line).astype(np.float32)
        self._inwards = np.minimum(inwards[:, None], inwards)

    def maps(self, motion: HeadMotion) -> ZeroPoseMaps:
        """The maps of T frames; their pose and camera do not matter."""
        size, triangles = self.grid.size, self._model.triangles
        faces = self._model.deform(self._neutral, motion)
        normals = vertex_normals(faces, triangles)
        motion_map = np.empty((len(motion), 6, size, size), np.float32)
        displacement = np.empty((len(motion), 3, size, size), np.float32)
        pixels = self.grid.to_pixels(faces)
        for t, face in enumerate(faces):
            seen = rasterise(pixels[t], triangles, size, size)
            drawn = seen.interpolate(
                np.concatenate([self._texture, normals[t], self.canonical - face], 1), triangles
            )
            normal, moved = drawn[..., 3:6], drawn[..., 6:]
            normal /= np.maximum(np.sqrt(np.square(normal).sum(-1, keepdims=True)), 1e-6)
            motion_map[t] = drawn[..., :6].transpose(2, 0, 1)
            known = seen.triangle >= 0
            filled = pull_push(moved, known) * self._fading(known)[..., None]
            displacement[t] = filled.transpose(2, 0, 1)
        return ZeroPoseMaps(motion_map, displacement)

    def _fading(self, known: npt.NDArray[np.bool_]) -> Floats:
        """``[G, G]`` 1 where the face is, falling evenly towards the border's 0: what moves with the face
        must not be torn from what stands still around the maps."""
        away = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        return np.asarray(self._inwards / np.maximum(self._inwards + away, 1e-6), np.float32)


def proxy_depth(
    vertices: npt.NDArray[np.floating], triangles: npt.NDArray[np.int32], grid: FrontalGrid
) -> Floats:
    """How near the viewer a mesh is all over a grid: a first guess of where a head's surface lies.

    Args:
        vertices: ``[V, 3]`` metres, head space: a face, usually with the shell that hangs on it.
        triangles: ``[F, 3]``; those that name vertices beyond V are left out.
        grid: the places asked for, P pixels a side.

    Returns:
        ``[P, P]`` greatest z at each place, metres; continued smoothly where the mesh is not.
    """
    inside = np.ascontiguousarray(triangles[(triangles < len(vertices)).all(1)])
    seen = rasterise(grid.to_pixels(vertices), inside, grid.size, grid.size)
    known = seen.triangle >= 0
    return pull_push(np.where(known, seen.depth, 0.0)[..., None], known)[..., 0]
