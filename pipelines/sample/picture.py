"""Textures and drawing of the sample: what every pixel shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt

from pipelines.sample import expression, portrait, shape
from studio.domain.camera import Floats, project, rotation_from_angles
from studio.head.rasterise import rasterise

ZOOM = 4
"""Texture pixels per portrait pixel."""

Picture = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sheet:
    """A textured mesh in head space."""

    points: Floats
    """``[V, 3]`` metres."""
    triangles: npt.NDArray[np.int32]
    """``[F, 3]``."""
    texture: Floats
    """``[V, 2]`` position in ``picture``, in its pixels."""
    picture: Picture
    """``[H, W, 4]`` RGB 0..255 and alpha 0..1."""


def paint(
    canvas: Picture,
    points: npt.NDArray[np.floating],
    sheet: Sheet,
    light: npt.NDArray[np.floating] | None = None,
) -> None:
    """Draw a sheet over the canvas ``[H, W, 3]``; points ``[V, 3]`` in canvas pixels, z larger is nearer."""
    height, width = canvas.shape[:2]
    left, top = (max(0, int(np.floor(points[:, k].min())) - 1) for k in (0, 1))
    right = min(width, int(np.ceil(points[:, 0].max())) + 1)
    bottom = min(height, int(np.ceil(points[:, 1].max())) + 1)
    if right <= left or bottom <= top:
        return
    shifted = np.asarray(points, np.float32) - np.array([left, top, 0], np.float32)
    index, weights = rasterise(shifted, sheet.triangles, right - left, bottom - top)
    shade = np.ones(len(points), np.float32) if light is None else np.asarray(light, np.float32)
    _compose(canvas, index, weights, sheet.triangles, sheet.texture, shade, sheet.picture, left, top)


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _compose(
    canvas: Any, index: Any, weights: Any, triangles: Any, texture: Any, light: Any, picture: Any, left: int, top: int
) -> None:
    rows, columns = picture.shape[0], picture.shape[1]
    for y in range(index.shape[0]):
        for x in range(index.shape[1]):
            t = index[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            u, v = weights[y, x, 0], weights[y, x, 1]
            w = 1.0 - u - v
            px = u * texture[a, 0] + v * texture[b, 0] + w * texture[c, 0] - 0.5
            py = u * texture[a, 1] + v * texture[b, 1] + w * texture[c, 1] - 0.5
            px = min(max(px, 0.0), columns - 1.001)
            py = min(max(py, 0.0), rows - 1.001)
            x0, y0 = int(px), int(py)
            fx, fy = px - x0, py - y0
            shade = u * light[a] + v * light[b] + w * light[c]
            w00, w01, w10, w11 = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
            alpha = (
                w00 * picture[y0, x0, 3]
                + w01 * picture[y0, x0 + 1, 3]
                + w10 * picture[y0 + 1, x0, 3]
                + w11 * picture[y0 + 1, x0 + 1, 3]
            )
            for k in range(3):
                colour = (
                    w00 * picture[y0, x0, k]
                    + w01 * picture[y0, x0 + 1, k]
                    + w10 * picture[y0 + 1, x0, k]
                    + w11 * picture[y0 + 1, x0 + 1, k]
                )
                old = canvas[top + y, left + x, k]
                canvas[top + y, left + x, k] = old + alpha * (colour * shade - old)


def skin_texture() -> Picture:
    """The portrait enlarged, with eyes and mouth cut out (alpha) and their edges filled with lash and lip."""
    picture = portrait.portrait()
    large = cv2.resize(picture, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_LANCZOS4)
    soft = cv2.GaussianBlur(large, (0, 0), 3.0)
    large = cv2.addWeighted(large, 1.35, soft, -0.35, 0)
    hole = np.zeros(large.shape[:2], np.uint8)
    for upper, lower in openings():
        _fill(hole, np.concatenate([upper, lower[::-1]]), 255)
    grown = cv2.dilate(hole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    filled = cv2.inpaint(large, grown, 4, cv2.INPAINT_TELEA)
    alpha = 1 - cv2.GaussianBlur(hole, (0, 0), 1.1).astype(np.float32) / 255
    return np.dstack([filled.astype(np.float32), alpha])


def openings() -> tuple[tuple[Floats, Floats], ...]:
    """Upper and lower edge of each hole in the face: two eyes and the mouth."""
    return (
        *zip(portrait.UPPER_LIDS, portrait.LOWER_LIDS, strict=True),
        (portrait.UPPER_LIP, portrait.LOWER_LIP),
    )


def _fill(picture: npt.NDArray[Any], contour: npt.NDArray[np.floating], colour: Any) -> None:
    """Fill a contour in portrait pixels on an enlarged picture, with antialiasing."""
    points = np.round((contour * ZOOM - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(picture, [points], colour, cv2.LINE_AA, 4)


def plate() -> npt.NDArray[np.uint8]:
    """The portrait without head and neck, ``[512, 512, 3]``: studio wall, collar ring behind the neck, torso."""
    picture = portrait.portrait().astype(np.float32)
    person = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(person, [np.round(portrait.OUTLINE - 0.5).astype(np.int32)], 255)
    person[224:] = 0
    wide = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    # Wall pixels are light and nearly grey; the fill may only learn from those.
    light = picture.min(-1) > 130
    grey = picture.max(-1) - picture.min(-1) < 60
    known = (light & grey & (wide == 0)).astype(np.float32)
    known[190:] = 0
    wall = np.zeros_like(picture)
    have = np.zeros(picture.shape[:2], np.float32)
    for sigma in (4, 9, 20, 45):
        weight = cv2.GaussianBlur(known, (0, 0), sigma)
        fill = cv2.GaussianBlur(picture * known[..., None], (0, 0), sigma) / np.maximum(weight, 1e-6)[..., None]
        take = np.clip((weight - 0.02) / 0.1, 0, 1) * (1 - have)
        wall += fill * take[..., None]
        have += take
    wall = wall / np.maximum(have, 1e-6)[..., None]
    # Mottling and grain, borrowed from a clean patch of the wall, mirrored to size.
    patch = picture[20:120, 20:140] if False else picture[10:110, 60:140]
    detail = patch - cv2.GaussianBlur(patch, (0, 0), 9)
    tile = np.concatenate([detail, detail[:, ::-1]], 1)
    tile = np.concatenate([tile, tile[::-1]], 0)
    repeats = (int(np.ceil(512 / tile.shape[0])), int(np.ceil(512 / tile.shape[1])), 1)
    wall += np.tile(tile, repeats)[:512, :512]

    behind = wall
    columns = np.arange(512, dtype=np.float32)[None] + 0.5
    rows = np.arange(512, dtype=np.float32)[:, None] + 0.5
    arc = 149.0 + 0.005 * np.clip(columns - 183, 0, None) ** 2
    below = rows - arc
    rim = np.array([137, 127, 150], np.float32)
    shade = np.clip(1.1 - 0.07 * below, 0.5, 1.1)[..., None]
    inside = np.array([6, 4, 6], np.float32)
    behind = _mix(behind, rim * shade, np.clip(below + 0.5, 0, 1))
    behind = _mix(behind, inside, np.clip((below - 5.6) / 1.4, 0, 1))
    edge = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    # On the neck keep close to the trace: the ring around it is in focus.
    near = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    edge[146:] = near[146:]
    cover = cv2.GaussianBlur(edge, (0, 0), 1.0).astype(np.float32) / 255
    return np.clip(_mix(picture, behind, cover), 0, 255).astype(np.uint8)


def _mix(under: Picture, over: npt.NDArray[np.floating], alpha: npt.NDArray[np.floating]) -> Picture:
    return np.asarray(under + alpha[..., None] * (over - under), np.float32)


def _grid(columns: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Points ``[N, 2]`` of a regular grid and its triangles."""
    x, y = np.meshgrid(columns, rows)
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return np.stack([x.ravel(), y.ravel()], -1).astype(np.float32), triangles.astype(np.int32)


def mouth_sheets() -> tuple[tuple[Sheet, bool], ...]:
    """What is seen between the lips, farthest first; True where it moves with the jaw."""
    large = cv2.resize(portrait.portrait(), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_LANCZOS4)
    left, right = float(portrait.UPPER_LIP[0, 0]), float(portrait.UPPER_LIP[-1, 0])
    middle, half = (left + right) / 2, (right - left) / 2

    def depth(pixels: Floats, behind: float) -> Floats:
        # The dental arch: as deep under the surface as the lips' own row, and curved like them.
        row = np.stack([pixels[:, 0], np.full(len(pixels), 147.0)], -1)
        return shape.face_depth(row) - np.float32(behind * shape.SCALE / 1000)

    def sheet(rows: tuple[float, float], wide: float, behind: float, colours: Picture) -> Sheet:
        pixels, triangles = _grid(
            np.linspace(middle - wide * half, middle + wide * half, 25), np.linspace(*rows, 13)
        )
        return Sheet(shape.to_head(pixels, depth(pixels, behind)), triangles, pixels * ZOOM, colours)

    size = large.shape[:2]
    cavity = np.zeros((*size, 4), np.float32)
    cavity[..., 3] = 1
    cavity[..., :3] = (34, 12, 12)

    lower = np.zeros((*size, 4), np.float32)
    mask = np.zeros(size, np.uint8)
    tongue = np.array([(middle + 11.5 * np.cos(a), 154.5 + 5.5 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 40)])
    _fill(mask, tongue, 255)
    y = (np.arange(size[0]) + 0.5)[:, None] / ZOOM
    x = (np.arange(size[1]) + 0.5)[None] / ZOOM
    shade = np.clip(1 - 0.09 * np.abs(y - 153.5), 0.5, 1) * (1 - 0.25 * np.exp(-(((x - middle) / 1.2) ** 2)))
    lower[..., :3] = np.array([142, 68, 66]) * shade[..., None]
    lower[..., 3] = cv2.GaussianBlur(mask, (0, 0), 3.0) / 255.0
    # Lower teeth: a curved row, dimmer than the upper ones, with thin gaps.
    across = np.clip((x - middle) / (0.72 * half), -1, 1)
    top = 151.6 - 1.6 * across**2 + 0 * y
    row = np.clip((y - top) * 1.6, 0, 1) * np.clip((top + 4.2 - y) * 1.2, 0, 1) * (np.abs(x - middle) < 0.7 * half)
    row = cv2.GaussianBlur(row.astype(np.float32), (0, 0), 1.0)
    gap = 1 - 0.16 * np.exp(-((np.mod((x - middle) + 0.0, 3.1) - 1.55) / 0.28) ** 2)
    tooth = np.array([186, 172, 158]) * (gap * (1 - 0.45 * across**2) * (1 + 0 * y))[..., None]
    lower[..., :3] += row[..., None] * (tooth - lower[..., :3])
    lower[..., 3] = np.maximum(lower[..., 3], row)

    hole = np.zeros(size, np.uint8)
    _fill(hole, np.concatenate([portrait.UPPER_LIP, portrait.LOWER_LIP[::-1]]), 255)
    inside = cv2.erode(hole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    upper = np.zeros((*size, 4), np.float32)
    upper[..., :3] = cv2.inpaint(large, 255 - cv2.dilate(inside, None, iterations=0), 3, cv2.INPAINT_TELEA) if False else large
    edge_upper, edge_lower = expression.lip_lines(x[0])
    # Above the lip's edge the gum goes on; below the teeth's edge there is nothing.
    gum = np.array([150, 82, 80], np.float32)
    above = np.clip((edge_upper[None] + 1.2 - y) / 1.2, 0, 1)[..., None]
    upper[..., :3] += above * (gum - upper[..., :3])
    reach = np.clip((edge_lower[None] - 1.1 - y) * 1.4, 0, 1) * np.clip((half - np.abs(x - middle)) / 1.5, 0, 1)
    upper[..., 3] = cv2.GaussianBlur(reach.astype(np.float32), (0, 0), 1.0)
    return (
        (sheet((132.0, 190.0), 1.05, 24.0, cavity), False),
        (sheet((146.0, 164.0), 0.95, 9.0, lower), True),
        (sheet((134.0, 154.0), 1.0, 6.5, upper), False),
    )


@dataclass(frozen=True)
class Eye:
    """One eyeball."""

    side: int
    """0 the viewer's left eye, 1 the viewer's right one."""
    centre: Floats
    """``[3]`` head space, metres."""
    ball: Sheet
    glint: Sheet
    landmarks: Floats
    """``[5, 3]`` MediaPipe's iris points in head space, looking as portrayed."""
    rows: Floats
    """``[V, 2]`` portrait pixels of the ball's vertices, for the lids' shadow."""

    def turned(self, points: Floats, gaze: npt.NDArray[np.floating]) -> Floats:
        """Points turned about the eye's centre by gaze yaw and pitch in degrees."""
        turn = rotation_from_angles(np.array([gaze[0], gaze[1], 0.0]))
        return np.asarray((points - self.centre) @ turn.T + self.centre, np.float32)

    def layers(self, fields: Floats) -> tuple[tuple[Sheet, float, Floats | None], ...]:
        """Sheets with the share of the gaze they follow and their light; the upper lid throws a shadow."""
        upper, lower = expression.lid_lines(self.rows[:, 0].astype(np.float64), self.side)
        lid = upper + fields[self.side] * (lower - upper) * 0.9
        light = 0.58 + 0.42 * np.clip((self.rows[:, 1] - lid + 0.6) / 2.6, 0, 1)
        return (self.ball, 1.0, light.astype(np.float32)), (self.glint, 0.4, None)


def eye_sheets() -> tuple[Eye, Eye]:
    """Both eyeballs, the viewer's left one first."""
    picture, glint = _eye_texture()
    side = picture.shape[0]
    radius = expression.EYEBALL * shape.SCALE / 1000
    eyes = []
    for number, iris in enumerate(portrait.IRISES):
        line = np.linspace(-0.92, 0.92, 27)
        flat, triangles = _grid(line, line)
        height = np.sqrt(np.clip(1 - (flat**2).sum(-1), 0.02, 1))
        surface = float(shape.face_depth(iris[None])[0]) - 0.5 * shape.SCALE / 1000
        pixels = iris + flat * radius
        points = shape.to_head(pixels, surface - radius + height * radius)
        centre = shape.to_head(iris[None], np.array([surface - radius]))[0]
        texture = ((flat + 1) * side / 2).astype(np.float32)
        # Iris landmarks as MediaPipe orders them: centre, right in the picture, top, left, bottom for 468..472;
        # centre, right, top, left, bottom for 473..477.
        ring = np.array([(0, 0), (1, 0), (0, -1), (-1, 0), (0, 1)]) * (5.85 / expression.EYEBALL)
        rise = np.sqrt(1 - (ring**2).sum(-1))
        landmarks = shape.to_head(iris + ring * radius, surface - radius + rise * radius)
        eyes.append(
            Eye(
                number,
                centre,
                Sheet(points, triangles, texture, picture),
                Sheet(points, triangles, texture, glint),
                landmarks,
                pixels.astype(np.float32),
            )
        )
    return eyes[0], eyes[1]


def _eye_texture() -> tuple[Picture, Picture]:
    """An eyeball seen from the front over ``[-1, 1]`` radii, and the lights reflected in it."""
    size = 192
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    r = np.hypot(x, y)
    around = np.arctan2(y, x)
    iris = 5.85 / expression.EYEBALL
    white = np.array([222, 211, 207]) * (1 - 0.30 * np.clip(r - iris, 0, 1))[..., None]
    white[..., 1:] -= (14 * np.clip((r - 0.6) / 0.4, 0, 1))[..., None]
    fibre = 1 + 0.10 * np.sin(around * 23) + 0.07 * np.sin(around * 41 + 1)
    lower_glow = 1 + 0.45 * np.clip(y / iris, -0.4, 1)
    brown = np.array([84, 54, 30]) * (fibre * lower_glow)[..., None]
    limbus = np.clip((r / iris - 0.72) / 0.28, 0, 1)[..., None]
    brown = brown * (1 - 0.62 * limbus)
    pupil = np.clip((0.42 - r / iris) / 0.10 + 0.5, 0, 1)[..., None]
    brown = brown + pupil * (np.array([14, 9, 7]) - brown)
    edge = np.clip((iris - r) / 0.075 + 0.5, 0, 1)[..., None]
    colour = white + edge * (brown - white)
    picture = np.dstack([colour, np.ones((size, size))]).astype(np.float32)

    light = np.zeros((size, size, 4), np.float32)
    light[..., :3] = 250
    main = np.exp(-((np.hypot(x + 0.07, y + 0.13) / 0.085) ** 4))
    second = 0.5 * np.exp(-((np.hypot(x - 0.30, y - 0.02) / 0.06) ** 4))
    light[..., 3] = np.maximum(main, second)
    return picture, light
