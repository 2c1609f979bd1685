"""The portrait as a puppet: one pose in, one picture and one set of true landmarks out."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.sample import expression, picture, portrait, shape
from pipelines.sample.pose import Pose
from studio.domain.camera import Floats, project, rotation_from_angles

SUPERSAMPLING = 2
"""Canvas pixels along each side of an output pixel while drawing."""


class Puppet:
    """The head, its eyes and mouth, and the picture behind it."""

    def __init__(self, width: int, height: int, zoom: float, corner: tuple[float, float]) -> None:
        """Output size in pixels; ``zoom`` output pixels per portrait pixel; ``corner`` the portrait pixel at
        the output's upper left."""
        self._size = width, height
        self._zoom = zoom
        surface = shape.head_surface()
        self._surface = surface
        self._points = shape.to_head(surface.pixels, surface.depth)
        self._skin = expression.skin_at(surface.pixels)
        back = ~surface.front
        self._skin.fields[:, back] = 0
        self._skin.jaw[back] = 0
        self._normals = _normals(self._points, surface)
        # What spans an opening lies deeper, lest it hide a lid that slides across it.
        deep = np.where(surface.front, expression.inside_openings(surface.pixels), 0)
        self._points[:, 2] -= (0.004 * np.clip(deep / 0.8, 0, 1)).astype(np.float32)
        self._sheet = picture.Sheet(
            self._points, surface.triangles, surface.texture * picture.ZOOM, picture.skin_texture()
        )
        self._rest = rotation_from_angles(np.array(shape.PORTRAIT_ANGLES))
        self.rest_camera = np.array(
            [shape.SCALE * zoom, (shape.ORIGIN[0] - corner[0]) * zoom, (shape.ORIGIN[1] - corner[1]) * zoom],
            np.float32,
        )
        """``[3]`` scale in output pixels per metre, and where the head's origin rests."""
        self._mouth = picture.mouth_sheets()
        self._eyes = picture.eye_sheets()
        self._plate = _crop(picture.plate(), corner, zoom, self._size)

        landmarks = portrait.portrait_landmarks()[:468]
        self.neutral = np.concatenate(
            [shape.to_head(landmarks, shape.face_depth(landmarks)), *(eye.landmarks for eye in self._eyes)]
        )
        """``[478, 3]`` the truth's vertices in head space, metres, as portrayed."""
        self._landmark_skin = expression.skin_at(expression.at_edges(landmarks))

    def camera(self, pose: Pose) -> Floats:
        """``[3]`` scale, cx, cy in output pixels (studio.domain.camera)."""
        move = np.array([0, pose.shift[0], -pose.shift[1]]) * self.rest_camera[0]
        return np.asarray(self.rest_camera + move, np.float32)

    def vertices(self, pose: Pose) -> Floats:
        """The 478 true vertices with expression, ``[478, 3]`` in head space, metres."""
        skin = self._landmark_skin.move(self.neutral[:468], pose.fields, pose.jaw)
        eyes = [eye.turned(eye.landmarks, pose.gaze) for eye in self._eyes]
        return np.concatenate([skin, *eyes])

    def landmarks(self, pose: Pose) -> Floats:
        """The 478 true vertices in the picture, ``[478, 3]`` in output pixels."""
        return project(self.vertices(pose), pose.angles, self.camera(pose))

    def draw(self, pose: Pose) -> npt.NDArray[np.uint8]:
        """The picture, ``[H, W, 3]``."""
        big = SUPERSAMPLING
        width, height = self._size
        canvas = self._plate.copy()
        camera = self.camera(pose) * big
        for sheet, share in self._mouth:
            inside = expression.Skin(np.zeros((6, len(share), 3), np.float32), share, self._skin.joint)
            points = project(inside.move(sheet.points, pose.fields, pose.jaw), pose.angles, camera)
            # Little light comes in between closing lips.
            dim = 1 - 0.62 * float(pose.fields[2]) ** 8
            picture.paint(canvas, points, sheet, np.full(len(points), dim, np.float32))
        for eye in self._eyes:
            for sheet, light in eye.layers(pose.fields, pose.gaze):
                picture.paint(canvas, project(sheet.points, pose.angles, camera), sheet, light)
        # Skull and torso pull the neck each with its share.
        moved = self._skin.move(self._points, pose.fields, pose.jaw)
        head = project(moved, pose.angles, camera)
        torso = project(self._points, np.array(shape.PORTRAIT_ANGLES), self.rest_camera * big)
        follow = self._surface.follow[:, None]
        blended = np.asarray(head * follow + torso * (1 - follow), np.float32)
        picture.paint(canvas, blended, self._sheet, self._light(pose.angles))
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        return np.clip(small + 0.5, 0, 255).astype(np.uint8)

    def _light(self, angles: Floats) -> Floats:
        """Brightness against the portrait: the light stays with the camera, surfaces turn through it."""
        towards = np.array([-0.15, 0.25, 0.96])
        now = self._normals @ (towards @ rotation_from_angles(angles))
        then = np.maximum(self._normals @ (towards @ self._rest), 0.45)
        now = np.where(self._surface.front, now, np.maximum(now, -0.2))
        ratio = (0.5 + 0.5 * np.maximum(now, -0.4)) / (0.5 + 0.5 * then)
        return np.asarray(np.clip(ratio, 0.55, 1.06) * self._surface.shade, np.float32)


def _normals(points: Floats, surface: shape.HeadSurface) -> Floats:
    """Outward unit normals ``[V, 3]`` in head space, smooth enough not to show the mesh."""
    out = []
    start = 0
    for (rays, rings), outward in zip(surface.grids, (1.0, -1.0), strict=True):
        grid = points[start : start + rays * rings].reshape(rays, rings, 3).astype(np.float64)
        start += rays * rings
        along = np.roll(grid, -1, 0) - np.roll(grid, 1, 0)
        outwards = np.gradient(grid, axis=1)
        normal = np.cross(outwards, along) * -outward
        normal *= np.sign((normal[:, rings // 2, 2] * outward).sum())
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
        edge = rays // 40
        wrapped = np.concatenate([normal[-edge:], normal, normal[:edge]])
        normal = cv2.GaussianBlur(wrapped, (0, 0), rays / 160)[edge:-edge]
        # At the outline both sheets look sideways.
        side = grid[:, -1] - grid[:, -1 - rings // 6]
        side[:, 2] = 0
        side /= np.linalg.norm(side, axis=-1, keepdims=True) + 1e-12
        share = np.clip((np.arange(rings) / (rings - 1) - 0.86) / 0.14, 0, 1)[None, :, None] ** 1.5
        normal = normal * (1 - share) + side[:, None] * share
        out.append((normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12)).reshape(-1, 3))
    return np.concatenate(out).astype(np.float32)


def _crop(
    source: npt.NDArray[np.uint8], corner: tuple[float, float], zoom: float, size: tuple[int, int]
) -> picture.Picture:
    scale = zoom * SUPERSAMPLING
    matrix = np.array(
        [[1 / scale, 0, corner[0] + 0.5 / scale - 0.5], [0, 1 / scale, corner[1] + 0.5 / scale - 0.5]]
    )
    width, height = (n * SUPERSAMPLING for n in size)
    out = cv2.warpAffine(
        source,
        matrix,
        (width, height),
        flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return out.astype(np.float32)
