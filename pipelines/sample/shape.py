"""The head of the sample as a closed surface: a plausible human depth under the portrait's pixels.

The depth of the face is a symmetric table of control points in millimetres, from measured and modelled
faces; no tracker took part in it. Hair, ears and neck are rounded off towards the outline.
The view is scaled orthographic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import gaussian_filter1d

from pipelines.sample import portrait
from studio.domain.camera import Floats, rotation_from_angles

PORTRAIT_ANGLES = (-1.0, -8.0, 2.7)
"""Yaw, pitch, roll of the head in the portrait, degrees: roll and yaw make the face symmetric; pitch makes
its proportions those of a face whose eyes, nose and chin stand as in MediaPipe's canonical face mesh."""

SCALE = 700.0
"""Portrait pixels per metre: 43 px between the pupils are 61.5 mm, a woman's average."""

ORIGIN = (224.0, 126.0, -82.0)
"""Origin of head space in the portrait: x and y in pixels, z in millimetres on the table's scale. It is the
joint between skull and spine, about which the head turns."""

# Landmark of the viewer's left half (or the middle), its mirror, depth in mm before the eyes' corners, at
# 61.5 mm between the pupils: rounded means of two independent geometries, MediaPipe's canonical face mesh and
# the mean scanned face of USC's ICT FaceKit, which agree within 3 mm except at lips and temples.
DEPTHS = (
    *((10, 10, 9), (151, 151, 14), (9, 9, 17), (8, 8, 16), (168, 168, 16), (6, 6, 21), (197, 197, 26.5)),
    *((195, 195, 31.5), (5, 5, 36.5), (4, 4, 40), (1, 1, 37.5), (2, 2, 25), (164, 164, 24), (0, 0, 25.5)),
    *((17, 17, 22), (18, 18, 17), (200, 200, 17.5), (199, 199, 17.5), (175, 175, 14.5), (152, 152, 7.5)),
    *(
        (33, 263, -2.5),
        (133, 362, 2.5),
        (145, 374, 4),
        (159, 386, 4),
        (70, 300, -8),
        (105, 334, 8),
        (107, 336, 16.5),
    ),
    *(
        (129, 358, 12),
        (98, 327, 16),
        (50, 280, 0),
        (205, 425, 5.5),
        (36, 266, 8.5),
        (61, 291, 9),
        (40, 270, 16.5),
    ),
    *((37, 267, 24.5), (84, 314, 21.5), (91, 321, 15), (117, 346, -5.5), (118, 347, 0), (101, 330, 5.5)),
    *((142, 371, 10), (126, 355, 13.5), (187, 411, -7), (207, 427, 0.5), (214, 434, -5.5), (212, 432, 3)),
    *(
        (192, 416, -14.5),
        (213, 433, -21.5),
        (234, 454, -54),
        (127, 356, -52),
        (162, 389, -44),
        (21, 251, -35),
    ),
    *((54, 284, -22), (103, 332, -10), (67, 297, 1), (109, 338, 6.5), (93, 323, -55), (132, 361, -50)),
    *((58, 288, -44), (172, 397, -36), (136, 365, -27), (150, 379, -16), (149, 378, -8), (176, 400, 0.5)),
    *((148, 377, 6),),
)

HAIR_THICKNESS = 7.0
"""Millimetres by which the fringe stands in front of the forehead."""

RIM = -82.0
"""Depth of the outline in millimetres: the plane in which the head is widest."""

BACK = 98.0
"""Millimetres from that plane to the back of the hair."""

RAYS, RINGS = 480, 100
"""Resolution of the front sheet: rays around the middle of the face, rings from the middle to the outline."""

BACK_STEP = 4
"""The back sheet takes every fourth ray and ring."""

CENTRE = (224.0, 118.0)
"""Portrait pixel from which the rays start; the whole outline is seen from it."""


@dataclass(frozen=True)
class HeadSurface:
    """The head in neutral pose (as portrayed). V vertices on a front and a back sheet."""

    pixels: Floats
    """``[V, 2]`` where each vertex stands in the portrait."""
    depth: Floats
    """``[V]`` depth in portrait pixels in the portrait's own view; larger is nearer, 0 at the neck joint."""
    texture: Floats
    """``[V, 2]`` portrait pixel whose colour the vertex shows; not ``pixels`` near the outline and behind."""
    follow: Floats
    """``[V]`` 1 where a vertex moves with the skull, falling to 0 where it belongs to the torso."""
    front: npt.NDArray[np.bool_]
    """``[V]`` on the front sheet."""
    triangles: npt.NDArray[np.int32]
    """``[F, 3]``."""
    shade: Floats
    """``[V]`` brightness that the portrait's light does not give: it is dim under the jaw."""
    grids: tuple[tuple[int, int], tuple[int, int]]
    """Rays and rings of the front and the back sheet."""


def face_depth(pixels: npt.NDArray[np.floating]) -> Floats:
    """Depth in portrait pixels, in the portrait's view, of the face under pixels ``[N, 2]``."""
    return depth_in_view(pixels, _table_depth(pixels))


def depth_in_view(pixels: npt.NDArray[np.floating], millimetres: npt.NDArray[np.floating]) -> Floats:
    """Millimetres of the table, along the head's own axis, to depth in the portrait's tilted view."""
    r = rotation_from_angles(np.array(PORTRAIT_ANGLES)).astype(np.float64)
    z = (np.asarray(millimetres, np.float64) - ORIGIN[2]) / 1000 * SCALE
    x, y = pixels[:, 0] - ORIGIN[0], -(pixels[:, 1] - ORIGIN[1])
    # Row 2 of the rotation, with head x and y eliminated: view = R head, head z known, view x and y known.
    head = np.linalg.solve(r[:2, :2], np.stack([x, y]) - r[:2, 2:] * z)
    return (r[2, :2] @ head + r[2, 2] * z).astype(np.float32)


def to_head(pixels: npt.NDArray[np.floating], depth: npt.NDArray[np.floating]) -> Floats:
    """Portrait pixels ``[..., 2]`` and view depth ``[...]``, pixels, to head space ``[..., 3]``, metres."""
    view = np.stack([pixels[..., 0] - ORIGIN[0], ORIGIN[1] - pixels[..., 1], depth], -1) / SCALE
    return (view @ rotation_from_angles(np.array(PORTRAIT_ANGLES)).astype(np.float64)).astype(np.float32)


def _table_depth(pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    landmarks = portrait.portrait_landmarks()
    depth: dict[int, float] = {}
    for left, right, value in DEPTHS:
        depth[int(left)] = depth[int(right)] = float(value)
    ids = np.array(sorted(depth))
    table = RBFInterpolator(
        landmarks[ids], np.array([depth[i] for i in ids]), kernel="thin_plate_spline", smoothing=0.3
    )
    return np.asarray(table(np.asarray(pixels, np.float64)))


def _radius(contour: Floats, angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance from CENTRE to a closed contour along each ray, smoothed a little."""
    dense = np.concatenate(
        [np.linspace(a, b, 24, endpoint=False) for a, b in zip(contour, np.roll(contour, -1, 0), strict=True)]
    )
    d = dense - CENTRE
    angle, length = np.arctan2(d[:, 1], d[:, 0]), np.hypot(d[:, 0], d[:, 1])
    order = np.argsort(angle)
    radius = np.interp(angles, angle[order], length[order], period=2 * np.pi)
    return gaussian_filter1d(radius, len(angles) / 360 * 0.8, mode="wrap")


def _rough(radius: npt.NDArray[np.float64], degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The outline with the tracing's corners rounded off along the hair, and locks standing out a little."""
    round_off = gaussian_filter1d(radius, len(radius) / 360 * 2.5, mode="wrap")
    locks = gaussian_filter1d(np.random.default_rng(3).normal(0, 1, len(radius)), 1.6, mode="wrap")
    hair = _smooth_step((-degrees + 2) / 12) * _smooth_step((degrees + 180) / 10)
    return radius + hair * (round_off - radius + 0.75 * locks)


@cache
def head_surface() -> HeadSurface:
    """Build the surface; about a second, the same every time."""
    angles = np.linspace(-np.pi, np.pi, RAYS, endpoint=False)
    outer = _rough(_radius(portrait.OUTLINE, angles), np.rad2deg(angles))
    inner = np.minimum(_radius(portrait.SKIN, angles), outer - 1.0)
    direction = np.stack([np.cos(angles), np.sin(angles)], -1)
    # Rings crowd towards the outline, where the surface turns away.
    share = np.linspace(0, 1, RINGS + 1)[1:] ** 0.9
    pixels = np.asarray(CENTRE) + direction[:, None] * outer[:, None, None] * share[None, :, None]
    flat = pixels.reshape(-1, 2)

    skin = _table_depth(
        np.asarray(CENTRE)
        + direction[:, None].repeat(RINGS, 1).reshape(-1, 2)
        * np.minimum(outer[:, None] * share, inner[:, None] - 0.5).reshape(-1, 1)
    )
    skin = skin.reshape(RAYS, RINGS)
    distance = outer[:, None] * share - inner[:, None]
    t = np.clip(distance / (outer - inner)[:, None], 0, 1)

    # Which rays leave the face into hair (upwards, sideways), which into the neck (downwards).
    degrees = np.rad2deg(angles)
    downward = _smooth_step((degrees - 38) / 14) * _smooth_step((142 - degrees) / 14)
    hairy = 1 - _smooth_step((degrees - 10) / 3) * _smooth_step((179 - degrees) / 3)
    rise = HAIR_THICKNESS * hairy[:, None] * _smooth_step((distance + 0.6) / 2.2)
    dome = np.sqrt(np.clip(1 - t**2, 0, 1))
    hair = RIM + (skin + rise - RIM) * dome

    half = np.interp(flat[:, 1], [140, 165, 180, 190, 200, 225], [44, 37, 35, 38, 43, 44])
    middle = np.interp(flat[:, 1], [140, 185, 225], [224, 220, 224])
    across = np.clip(np.abs(flat[:, 0] - middle) / half, 0, 1).reshape(RAYS, RINGS)
    throat = RIM + 58.0 * np.sqrt(1 - across**2)
    wall = _smooth_step(distance / 5.0)
    neck = np.where(distance > 0, skin + (np.minimum(throat, skin) - skin) * wall, skin)
    closing = np.sqrt(np.clip(1 - ((share - 0.9) / 0.1).clip(0, 1) ** 2, 0, 1))[None]
    neck = RIM + (neck - RIM) * np.where(distance > 0, closing, 1.0)
    front = hair * (1 - downward[:, None]) + neck * downward[:, None]

    # Below the ears the back of the head draws in to the nape.
    nape = _smooth_step((degrees - 2) / 30) * _smooth_step((178 - degrees) / 30)
    depth_back = BACK * (1 - nape) + 42 * nape
    profile = np.sqrt(np.clip(1 - share**2, 0, 1))
    back = RIM - depth_back[:, None] * profile[None]

    follow = 1 - _smooth_step((flat[:, 1].reshape(RAYS, RINGS) - 176) / 42) * (distance > 0)
    follow = np.where(distance > 0, follow, 1.0)

    # Dim under the jaw and behind its angle: where the surface falls back from the face.
    rows = flat[:, 1].reshape(RAYS, RINGS)
    fallen = _smooth_step((skin - front - 6) / 16.0) * (1 - hairy[:, None]) * _smooth_step((rows - 134) / 5)
    shade = 1 - 0.18 * fallen * np.exp(-np.clip(distance, 0, None) / 16.0)

    texture_front, texture_back = _texture(angles, outer, inner, share, hairy)
    # Counted from the outline, where both sheets must meet.
    some = np.ix_(np.arange(0, RAYS, BACK_STEP), np.arange(RINGS - 1, -1, -BACK_STEP)[::-1])
    both = np.concatenate([flat, pixels[some].reshape(-1, 2)])
    millimetres = np.concatenate([front.ravel(), back[some].ravel()])
    rays, rings = back[some].shape
    behind = _triangles(rays, rings) + front.size
    return HeadSurface(
        pixels=both.astype(np.float32),
        depth=depth_in_view(both, millimetres),
        texture=np.concatenate([texture_front.reshape(-1, 2), texture_back[some].reshape(-1, 2)]).astype(
            np.float32
        ),
        follow=np.concatenate([follow.ravel(), follow[some].ravel()]).astype(np.float32),
        shade=np.concatenate(
            [shade.ravel(), np.minimum(shade[some], 1 - 0.30 * (1 - hairy[some[0]])).ravel()]
        ).astype(np.float32),
        front=np.arange(len(both)) < len(flat),
        triangles=np.concatenate([_triangles(RAYS, RINGS), behind]).astype(np.int32),
        grids=((RAYS, RINGS), (rays, rings)),
    )


def _texture(
    angles: npt.NDArray[np.float64],
    outer: npt.NDArray[np.float64],
    inner: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    hairy: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Colours near the outline would be stretched when turned into view: mirror the hair instead, as an angle
    around the head that runs to and fro between two bounds."""
    turn = np.arcsin(np.clip(share, 0, 1))[None].repeat(len(angles), 0)
    low = np.arcsin(np.clip((inner + 2.5) / outer, 0, 0.93))[:, None]
    high = np.maximum(np.arcsin(np.clip(1 - 4.0 / outer, 0, 1))[:, None], low + 0.08)

    def fold(turned: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        # Not all of it: seldomer mirrored hair looks less like a kaleidoscope.
        turned = np.where(turned > high, high + 0.55 * (turned - high), turned)
        span = high - low
        phase = np.mod(turned - low, 2 * span)
        folded = low + np.where(phase > span, 2 * span - phase, phase)
        return np.where(turned < low, turned, folded)

    # Rays through ears and jaw have no hair of their own: behind the ears they borrow the nearest hair.
    degrees = np.rad2deg(angles)
    borrow = (hairy < 0.5) & ((degrees < 21) | (degrees > 161))
    source = np.where(borrow, np.deg2rad(np.where(np.abs(degrees) > 90, -179.0, 8.0)), angles)

    def place(turned: npt.NDArray[np.float64], along: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        reach = np.interp(along, angles, outer, period=2 * np.pi)
        way = np.stack([np.cos(along), np.sin(along)], -1)
        return np.asarray(CENTRE) + way[:, None] * (reach[:, None] * np.sin(turned))[..., None]

    plain, hair_front, hair_back = (
        place(turn, angles),
        place(fold(turn), angles),
        place(fold(np.pi - turn), source),
    )
    # Jaw and neck keep their rows; columns stay off the outline, where wall and ring shine in.
    rows, left, right = portrait.SIDES.T.astype(np.float64)
    low_x, high_x = np.interp(plain[..., 1], rows, left) + 3.0, np.interp(plain[..., 1], rows, right) - 3.0
    held = plain.copy()
    beside = np.clip(plain[..., 0], low_x, high_x)
    ear = ((degrees > 176) | (degrees < 26) | (degrees > 154))[:, None] & (plain[..., 1] < 140)
    held[..., 0] = np.where(ear, plain[..., 0], beside)
    skin_back = plain.copy()
    skin_back[..., 0] = np.where(plain[..., 0] < CENTRE[0], low_x + 0.8, high_x - 0.8)
    bare = (hairy < 0.5)[:, None, None]
    return np.where(bare, held, hair_front), np.where(bare & ~borrow[:, None, None], skin_back, hair_back)


def _triangles(rays: int, rings: int) -> npt.NDArray[np.int64]:
    ray, ring = np.meshgrid(np.arange(rays), np.arange(rings - 1), indexing="ij")
    a = ray * rings + ring
    b = ((ray + 1) % rays) * rings + ring
    sheet = [np.stack([a, b, a + 1], -1).reshape(-1, 3), np.stack([b, b + 1, a + 1], -1).reshape(-1, 3)]
    middle = np.stack(
        [np.zeros(rays - 2, int), np.arange(1, rays - 1) * rings, np.arange(2, rays) * rings], -1
    )
    return np.concatenate([*sheet, middle])


def _smooth_step(x: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    x = np.clip(np.asarray(x, np.float64), 0, 1)
    return x * x * (3 - 2 * x)
