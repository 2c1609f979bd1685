"""Textures and drawing of the sample: what every pixel shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt

from pipelines.sample import expression, portrait, shape
from studio.domain.camera import Floats, rotation_from_angles
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
    seen = rasterise(shifted, sheet.triangles, right - left, bottom - top)
    shade = np.ones(len(points), np.float32) if light is None else np.asarray(light, np.float32)
    _compose(
        *(canvas, seen.triangle, seen.weights, sheet.triangles),
        *(sheet.texture, shade, sheet.picture, left, top),
    )


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _compose(
    canvas: Any,
    index: Any,
    weights: Any,
    triangles: Any,
    texture: Any,
    light: Any,
    picture: Any,
    left: int,
    top: int,
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


@cache
def skin_texture() -> Picture:
    """The portrait enlarged, with eyes and mouth cut out (alpha) and their edges filled with lash and lip."""
    picture = portrait.portrait()
    large = cv2.resize(picture, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_LANCZOS4)
    soft = cv2.GaussianBlur(large, (0, 0), 3.0)
    large = cv2.addWeighted(large, 1.35, soft, -0.35, 0)
    hole = np.zeros(large.shape[:2], np.uint8)
    filled = large.astype(np.float32)
    for number, (upper, lower) in enumerate(openings()):
        one = np.zeros_like(hole)
        _fill(one, np.concatenate([upper, lower[::-1]]), 255)
        hole = np.maximum(hole, one)
        if number < 2:
            _draw_lids(filled, upper, lower, one, number)
        else:
            grown = cv2.dilate(one, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
            lips = cv2.inpaint(large, grown, 4, cv2.INPAINT_TELEA)
            filled[grown > 0] = lips[grown > 0]
            # Where closed lips meet, a dark line.
            depth = cv2.GaussianBlur(one, (0, 0), 1.2)[..., None] / 255.0
            filled += 0.8 * depth * (np.array([104, 50, 48], np.float32) - filled)
    _calm_sides(filled)
    alpha = 1 - cv2.GaussianBlur(hole, (0, 0), 1.1).astype(np.float32) / 255
    return np.dstack([filled, alpha])


def _calm_sides(picture: Picture) -> None:
    """Smooth the skin along the edges of jaw and neck from row to row: turned into view, these columns are
    spread out, and every speck would become a streak."""
    top, bottom = 133 * ZOOM, 181 * ZOOM
    rows, left, right = portrait.SIDES.T.astype(np.float64)
    y = (np.arange(top, bottom) + 0.5) / ZOOM
    x = (np.arange(picture.shape[1]) + 0.5) / ZOOM
    inside = np.minimum(x - np.interp(y, rows, left)[:, None], np.interp(y, rows, right)[:, None] - x)
    skin = (inside > 4.5).astype(np.float32)
    strip = picture[top:bottom] * skin[..., None]
    weight = np.maximum(cv2.GaussianBlur(skin, (0, 0), sigmaX=9, sigmaY=9), 1e-3)
    # Seen from the side this skin is no longer grazed by the light, and so less grey.
    smooth = cv2.GaussianBlur(strip, (0, 0), sigmaX=9, sigmaY=9) / weight[..., None] * (1.09, 1.04, 1.0)
    share = 0.75 * np.clip((7.5 - inside) / 3.5, 0, 1)
    share *= np.clip((y - 133) / 4, 0, 1)[:, None]
    picture[top:bottom] += share[..., None].astype(np.float32) * (smooth - picture[top:bottom])


def _draw_lids(picture: Picture, upper: Floats, lower: Floats, hole: npt.NDArray[np.uint8], eye: int) -> None:
    """Fill an eye's opening, upper part with lash and lower part with skin, and trace the lash line."""
    lash, rim = np.array([44, 29, 22], np.float32), np.array([196, 150, 132], np.float32)
    rows = (np.arange(picture.shape[0], dtype=np.float32)[:, None] + 0.5) / ZOOM
    columns = (np.arange(picture.shape[1], dtype=np.float32) + 0.5) / ZOOM
    top, bottom = (np.interp(columns, *line.T) for line in (upper, lower))
    low = np.clip((rows - top) / np.maximum(bottom - top, 0.5) * 3 - 1, 0, 1)[..., None]
    inside = cv2.GaussianBlur(cv2.dilate(hole, np.ones((3, 3), np.uint8)), (0, 0), 1.0)[..., None] / 255.0
    picture += inside * (lash + low * (rim - lash) - picture)
    line = np.zeros(hole.shape, np.uint8)
    points = np.round(((upper - (0, 0.25)) * ZOOM - 0.5) * 16).astype(np.int32)
    cv2.polylines(line, [points], False, 255, 3, cv2.LINE_AA, 4)
    outwards = (columns - upper[0, 0]) / (upper[-1, 0] - upper[0, 0])
    outwards = np.clip(1 - outwards if eye == 0 else outwards, 0, 1).astype(np.float32)[None, :, None]
    strength = (0.15 + 0.5 * outwards) * cv2.GaussianBlur(line, (0, 0), 1.0)[..., None] / 255.0
    picture += strength * (lash - picture)


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


@cache
def plate() -> npt.NDArray[np.uint8]:
    """The portrait without head and neck, ``[512, 512, 3]``: studio wall, collar ring, torso."""
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
        fill = (
            cv2.GaussianBlur(picture * known[..., None], (0, 0), sigma) / np.maximum(weight, 1e-6)[..., None]
        )
        take = np.clip((weight - 0.02) / 0.1, 0, 1) * (1 - have)
        wall += fill * take[..., None]
        have += take
    wall = wall / np.maximum(have, 1e-6)[..., None]
    # Mottling and grain, borrowed from a clean patch of the wall, mirrored to size.
    patch = picture[12:112, 312:368]
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


def _grid(
    columns: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]
) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Points ``[N, 2]`` of a regular grid and its triangles."""
    x, y = np.meshgrid(columns, rows)
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)]
    )
    return np.stack([x.ravel(), y.ravel()], -1).astype(np.float32), triangles.astype(np.int32)


@cache
def mouth_sheets() -> tuple[tuple[Sheet, Floats], ...]:
    """What is seen between the lips, farthest first, with each vertex's share ``[V]`` of the jaw's turn."""
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
    y = (np.arange(size[0]) + 0.5)[:, None] / ZOOM
    x = (np.arange(size[1]) + 0.5)[None] / ZOOM
    wide = np.clip(1 - ((x - middle) / (0.9 * half)) ** 2, 0, 1)
    down = np.clip((y - 137) / 16, 0, 1)
    cavity = np.ones((*size, 4), np.float32)
    cavity[..., :3] = (
        np.array([30, 10, 10]) + np.array([48, 17, 16]) * (wide * (0.25 + 0.75 * down**1.5))[..., None]
    )
    # A pouch behind the lips: its upper edge stays with the skull, its lower edge goes with the jaw.
    pixels, triangles = _grid(np.linspace(left + 0.5, right - 0.5, 25), np.linspace(137.0, 153.0, 17))
    u, v = (pixels[:, 0] - middle) / half, (pixels[:, 1] - 145.0) / 8.0
    behind = 4.0 + 20.0 * np.clip(1 - u**2, 0, 1) * np.clip(1 - v**2, 0, 1)
    lips = depth(pixels, 0.0) - (behind * shape.SCALE / 1000).astype(np.float32)
    pouch = Sheet(shape.to_head(pixels, lips), triangles, pixels * ZOOM, cavity)
    share = ((pixels[:, 1] - 137.0) / 16.0).astype(np.float32)

    lower = np.zeros((*size, 4), np.float32)
    mask = np.zeros(size, np.uint8)
    turn = np.linspace(0, 2 * np.pi, 40)
    _fill(mask, np.stack([middle + 12 * np.cos(turn), 151.5 + 5.0 * np.sin(turn)], -1), 255)
    shade = np.clip(1 - 0.085 * np.abs(y - 149.5), 0.5, 1) * (1 - 0.22 * np.exp(-(((x - middle) / 1.2) ** 2)))
    lower[..., :3] = np.array([150, 74, 72]) * shade[..., None]
    lower[..., 3] = cv2.GaussianBlur(mask, (0, 0), 3.0) / 255.0
    # Lower teeth: a curved row, dimmer than the upper ones, with thin gaps.
    across = np.clip((x - middle) / (0.72 * half), -1, 1)
    top = 148.6 - 2.2 * across**2 + 0 * y
    row = (
        np.clip((y - top) * 1.6, 0, 1)
        * np.clip((top + 4.6 - y) * 1.2, 0, 1)
        * (np.abs(x - middle) < 0.66 * half)
    )
    row = cv2.GaussianBlur(row.astype(np.float32), (0, 0), 1.2)
    gap = 1 - 0.09 * np.exp(-(((np.mod(x - middle, 3.1) - 1.55) / 0.28) ** 2))
    tooth = np.array([184, 166, 148]) * (gap * (1 - 0.5 * across**2) * (1 + 0 * y))[..., None]
    lower[..., :3] += row[..., None] * (tooth - lower[..., :3])
    lower[..., 3] = np.maximum(lower[..., 3], row)

    upper = np.zeros((*size, 4), np.float32)
    upper[..., :3] = large
    edge_upper, edge_lower = expression.lip_lines(x[0])
    # Above the lip's edge the gum goes on; below the teeth's edge there is nothing.
    gum = np.array([150, 82, 80], np.float32)
    above = np.clip((edge_upper[None] + 1.2 - y) / 1.2, 0, 1)[..., None]
    upper[..., :3] += above * (gum - upper[..., :3])
    reach = np.clip((edge_lower[None] - 1.1 - y) * 1.4, 0, 1) * np.clip(
        (half - np.abs(x - middle)) / 1.5, 0, 1
    )
    upper[..., 3] = cv2.GaussianBlur(reach.astype(np.float32), (0, 0), 1.0)
    teeth_below, teeth_above = sheet((145.0, 162.0), 0.85, 9.0, lower), sheet((136.0, 154.0), 1.0, 6.5, upper)
    return (
        (pouch, share),
        (teeth_below, np.ones(len(teeth_below.points), np.float32)),
        (teeth_above, np.zeros(len(teeth_above.points), np.float32)),
    )


IRIS = 5.4
"""Radius of an iris in millimetres."""


@dataclass(frozen=True)
class Eye:
    """One eyeball. What fills the socket stands still; the iris slides over it as the eye turns."""

    side: int
    """0 the viewer's left eye, 1 the viewer's right one."""
    centre: Floats
    """``[3]`` of the eyeball, head space, metres."""
    landmarks: Floats
    """``[5, 3]`` MediaPipe's iris points in head space, looking as portrayed."""
    ball: Sheet
    """Its texture positions are those of the eye looking as portrayed."""
    directions: Floats
    """``[V, 3]`` unit vectors from the eye's centre to the ball's vertices."""
    rows: Floats
    """``[V, 2]`` portrait pixels of the ball's vertices, for the lids' shadow."""
    glint: Picture
    """Lights reflected in the eye; they hardly move."""

    def turned(self, points: Floats, gaze: npt.NDArray[np.floating]) -> Floats:
        """Points turned about the eye's centre by gaze yaw and pitch in degrees."""
        turn = rotation_from_angles(np.array([gaze[0], gaze[1], 0.0]))
        return np.asarray((points - self.centre) @ turn.T + self.centre, np.float32)

    def layers(
        self, fields: Floats, gaze: npt.NDArray[np.floating]
    ) -> tuple[tuple[Sheet, Floats | None], tuple[Sheet, Floats | None]]:
        """Sheets from back to front, with their light: the upper lid throws a shadow."""
        upper, lower = expression.lid_lines(self.rows[:, 0].astype(np.float64), self.side)
        lid = upper + fields[self.side] * (lower - upper) * 0.9
        corner = np.clip((lower - upper) / 2.5, 0.0, 1)
        light = (0.6 + 0.4 * np.clip((self.rows[:, 1] - lid + 0.5) / 2.8, 0, 1)) * (0.82 + 0.18 * corner)

        def looking(share: float, colours: Picture) -> Sheet:
            turn = rotation_from_angles(np.array([gaze[0] * share, gaze[1] * share, 0.0]))
            seen = self.directions @ turn
            texture = (seen[:, :2] * (1, -1) + 1) * (colours.shape[0] / 2)
            return Sheet(self.ball.points, self.ball.triangles, texture.astype(np.float32), colours)

        light *= 1 - 0.7 * float(fields[self.side]) ** 2
        return (looking(1.0, self.ball.picture), light.astype(np.float32)), (looking(0.3, self.glint), None)


@cache
def eye_sheets() -> tuple[Eye, Eye]:
    """Both eyeballs, the viewer's left one first."""
    picture, glint = _eye_texture()
    radius = expression.EYEBALL * shape.SCALE / 1000
    eyes = []
    for number, iris in enumerate(portrait.IRISES):
        flat, triangles = _grid(np.linspace(-1.45, 1.45, 41), np.linspace(-0.85, 0.85, 25))
        # Wider than a ball, so that it fills the corners too.
        height = np.sqrt(np.clip(1 - (flat[:, 0] / 1.6) ** 2 - flat[:, 1] ** 2, 0.04, 1))
        surface = float(shape.face_depth(iris[None])[0]) - 0.5 * shape.SCALE / 1000
        pixels = iris + flat * radius
        points = shape.to_head(pixels, surface - radius + height * radius)
        centre = shape.to_head(iris[None], np.array([surface - radius]))[0]
        # As portrayed, the iris looks at the camera: directions are counted from there.
        away = np.stack([flat[:, 0], -flat[:, 1], height], -1)
        directions = away / np.linalg.norm(away, axis=1, keepdims=True)
        # MediaPipe's order: centre, then right, top, left and bottom of the iris in the picture.
        ring = np.array([(0, 0), (1, 0), (0, -1), (-1, 0), (0, 1)]) * (IRIS / expression.EYEBALL)
        rise = np.sqrt(1 - (ring**2).sum(-1))
        landmarks = shape.to_head(iris + ring * radius, surface - radius + rise * radius)
        ball = Sheet(points, triangles, np.zeros_like(flat), picture)
        eyes.append(
            Eye(
                number,
                centre,
                landmarks,
                ball,
                directions.astype(np.float32),
                pixels.astype(np.float32),
                glint,
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
    iris = IRIS / expression.EYEBALL
    white = np.array([226, 214, 208]) * (1 - 0.22 * np.clip((r - iris) / 0.5, 0, 1))[..., None]
    white[..., 1:] -= (16 * np.clip((r - 0.65) / 0.35, 0, 1))[..., None]
    fibre = 1 + 0.10 * np.sin(around * 23) + 0.07 * np.sin(around * 41 + 1)
    lower_glow = 1 + 0.5 * np.clip(y / iris, -0.5, 1)
    brown = np.array([66, 42, 22]) * (fibre * lower_glow)[..., None]
    limbus = np.clip((r / iris - 0.68) / 0.32, 0, 1)[..., None]
    brown = brown * (1 - 0.6 * limbus)
    pupil = np.clip((0.46 - r / iris) / 0.22 + 0.5, 0, 1)[..., None]
    brown = brown + pupil * (np.array([17, 11, 8]) - brown)
    edge = np.clip((iris - r) / 0.13 + 0.5, 0, 1)[..., None]
    colour = white + edge * (brown - white)
    colour = cv2.GaussianBlur(colour, (0, 0), 2.2)
    picture = np.dstack([colour, np.ones((size, size))]).astype(np.float32)

    light = np.zeros((size, size, 4), np.float32)
    light[..., :3] = 250
    main = 0.95 * np.exp(-((np.hypot(x + 0.05, y + 0.10) / 0.085) ** 3))
    second = 0.4 * np.exp(-((np.hypot(x - 0.28, y - 0.01) / 0.06) ** 3))
    light[..., 3] = np.maximum(main, second)
    return picture, light
