"""Where on a person's chart skin, hair, lips and eyes are to be expected, before any colour was looked at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from studio.domain.camera import Floats
from studio.head.topology import EYE_CORNERS, LOWER_LIDS, UPPER_LIDS
from studio.head.topology import IRISES as IRIS_POINTS
from studio.warping.face_chart import INNER_LIPS, OUTER_LIPS, SIDE, FaceChart, eye_polygon
from studio.warping.mesh import PersonMesh

BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
"""MediaPipe's outlines of the eyebrows."""
BARE = (50, 280, 101, 330, 36, 266, 205, 425, 6, 197, 195, 5, 4, 9)
"""Points of cheeks, nose and between the brows, where skin is seldom covered by anything."""
BARE_RADIUS = 7.0
"""Millimetres around them that count."""
SOFT = 0.8
"""Gaussian sigma, in millimetres, of the edges of lips and eyes."""
SHUT = 1.5
"""Millimetres around lips and eyes that are not skin for sure."""
BROWED = 0.85
"""Share of what an eyebrow's outline holds that is not skin."""
NARROW, OFF = 0.15, 1e3
"""Share of its height to which an iris may be narrowed by a turn, and where one lies that is not shown."""
SHUT_GAP = (0.45, 0.95)
"""Gap between the lids, in radii of the iris, up to which nothing of it shows, and from which it counts."""
SKULL = (1.2, 1.75)
"""Scale of the shell, like its rings', between which hair above the brows is looked for."""


@dataclass(frozen=True)
class Places:
    """Shares 0..1 over a chart, ``[S, S]`` each, of whichever size."""

    skin: Floats
    """Face and neck; brows only a little."""
    hair: Floats
    """Above and beside the face, and at its upper rim."""
    lips: Floats
    """Between the outer and the inner lip line."""
    mouth: Floats
    """Between the lips."""
    eyes: Floats
    """Between the lids."""
    hairy: Floats
    """Where there may be hair at all: not on cheeks, nose and chin. Beards are none of the regions."""
    features: Floats
    """Brows, lips and eyes with a little around them: neither skin nor hair."""
    bare: npt.NDArray[np.bool_]
    """Skin for sure."""
    flesh: npt.NDArray[np.bool_]
    """Mostly skin: cheeks, temples and nose, and under the chin."""
    crown: npt.NDArray[np.bool_]
    """Hair for sure, if there is any."""
    body: npt.NDArray[np.bool_]
    """Below the chin: neck or clothes."""


def places_on(mesh: PersonMesh, chart: FaceChart, side: int = SIDE) -> Places:
    """What is where on a person's chart, drawn ``side`` pixels large."""
    zoom = side / SIDE
    at = chart.places[:, :2] * np.float32(zoom)
    millimetre = chart.scale * zoom / 1000.0
    middle = chart.middle * zoom
    y, x = np.mgrid[:side, :side] + 0.5

    def filled(vertices: npt.ArrayLike) -> Floats:
        return _filled(at[np.asarray(vertices)], side)

    def rise(value: npt.NDArray[np.float64], start: float, length: float) -> npt.NDArray[np.float64]:
        """0 up to a start, 1 from a length behind it, both in pixels."""
        return np.clip((value - start) / length, 0.0, 1.0)

    face = filled(mesh.rim)
    inwards = cv2.distanceTransform((face > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / millimetre
    eye_line = float(at[np.ravel(EYE_CORNERS), 1].mean())
    brow_line = float(at[[105, 334, 66, 296], 1].mean())
    mouth_line, chin_line = float(at[[61, 291], 1].mean()), float(at[152, 1])
    half = 0.5 * float(np.ptp(at[mesh.rim, 0]))
    aside = np.abs(x - middle[0])
    soft = 10.0 * millimetre

    above = rise(eye_line - y, -0.5 * soft, soft)
    below = rise(y - chin_line, -0.5 * soft, soft)
    beside = (1.0 - above) * (1.0 - below)
    aloof = rise(aside, 0.75 * half, 0.35 * half)
    throat = 1.0 - rise(aside, 0.95 * half, 0.3 * half)
    lower = rise(y - eye_line, 0.0, chin_line - eye_line)
    skin = 0.05 * above + (0.35 + 0.45 * lower * throat) * beside + (0.10 + 0.60 * throat) * below
    hair = 0.90 * above + (0.50 - 0.35 * lower) * beside + 0.35 * below * aloof
    # A fringe and sideburns grow into the face from its rim.
    fringe = rise(brow_line - y, 6.0 * millimetre, soft) * (0.12 + 0.5 * np.clip(1 - inwards / 18.0, 0, 1))
    reach = 20.0 - 14.0 * rise(y, brow_line, mouth_line - brow_line)
    temple = (
        np.clip(1.0 - inwards / reach, 0, 1)
        * rise(mouth_line - y, 0.0, soft)
        * rise(y - brow_line, -soft, soft)
    )
    grown = np.maximum(fringe, 0.25 * temple)
    smooth = rise(y - eye_line, -soft, soft) * np.clip((inwards - 8.0) / 10.0, 0, 1)
    inside = gaussian_filter(face, 2.0 * millimetre)
    skin = inside * (0.94 - grown) + (1.0 - inside) * skin
    hair = inside * grown + (1.0 - inside) * hair
    brows = gaussian_filter(np.maximum(*(filled(b) for b in BROWS)), 1.5 * millimetre)
    outline, between = filled(OUTER_LIPS), filled(INNER_LIPS)
    opening = np.maximum(filled(eye_polygon(0)), filled(eye_polygon(1)))
    shut = np.maximum(outline, opening)
    grown_by = 2 * int(np.ceil(SHUT * millimetre)) + 1
    shut = cv2.dilate(shut, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grown_by, grown_by)))
    shut = gaussian_filter(shut, SOFT * millimetre)
    features = np.maximum(shut, BROWED * brows)
    ring = np.hypot(x - middle[0], y - middle[1])
    rim = _radius_at(at[mesh.rim] - middle, x - middle[0], y - middle[1])
    bare = np.zeros((side, side), np.uint8)
    for vertex in BARE:
        centre = (int(at[vertex, 0]), int(at[vertex, 1]))
        cv2.circle(bare, centre, max(1, round(BARE_RADIUS * millimetre)), 1, -1)
    flesh = (inwards > 3.0) & (y > brow_line) & (y < mouth_line)
    flesh |= (y > chin_line) & (y < chin_line + 25.0 * millimetre) & (aside < 0.6 * half)
    low, high = SKULL
    return Places(
        skin=np.asarray(skin * (1.0 - features), np.float32),
        hair=np.asarray(hair * (1.0 - features), np.float32),
        lips=gaussian_filter(np.clip(outline - between, 0.0, 1.0), SOFT * millimetre),
        mouth=between,
        eyes=gaussian_filter(opening, 0.5 * SOFT * millimetre),
        hairy=np.asarray(1.0 - smooth, np.float32),
        features=np.asarray(features, np.float32),
        bare=(bare > 0) & (shut < 0.05),
        flesh=flesh & (features < 0.05),
        crown=(ring > low * rim) & (ring < high * rim) & (y < brow_line),
        body=below > 0.5,
    )


def irises_at(positions: Floats) -> Floats:
    """``[2, 7]`` for the viewer's left and right eye: the map from the picture to a disc of radius 1, which
    is the iris as it is seen, an ellipse in a turned face (``u = m0 x + m1 y + m2``,
    ``v = m3 x + m4 y + m5``); and whether the lids are open, 0..1.

    Args:
        positions: ``[V, 2]`` or ``[V, 3]`` vertices in the picture.
    """
    discs = np.zeros((2, 7), np.float32)
    discs[:, 2] = OFF
    rims = np.asarray(positions[_IRIS_ORDER, :2], np.float64)
    lids = np.asarray(positions[_LID_MIDDLES, :2], np.float64)
    for disc, (centre, right, top, left, bottom), (upper, lower) in zip(discs, rims, lids, strict=True):
        across, down = 0.5 * (right - left), 0.5 * (bottom - top)
        wide, tall = float(np.hypot(*across)), float(np.hypot(*down))
        if tall < wide and tall > 0.0:
            down *= wide / tall  # lids squeeze the model's iris; the real one goes on behind them
        (ax, ay), (bx, by) = across, down
        area = ax * by - ay * bx
        if abs(area) < NARROW * max(wide, tall) ** 2 or wide * tall == 0.0:
            continue  # seen from the side there is none
        # The inverse of what takes the unit circle's axes to the iris's.
        inverse = np.array([(by, -bx), (-ay, ax)]) / area
        disc[[0, 1, 3, 4]] = inverse.ravel()
        disc[[2, 5]] = -inverse @ centre
        gap = float(np.hypot(*(lower - upper))) / max(wide, tall)
        disc[6] = np.clip((gap - SHUT_GAP[0]) / (SHUT_GAP[1] - SHUT_GAP[0]), 0.0, 1.0)
    return discs


_IRIS_ORDER = np.array(IRIS_POINTS)
_LID_MIDDLES = np.array([(UPPER_LIDS[side][3], LOWER_LIDS[side][3]) for side in (0, 1)])


def _filled(polygon: Floats, side: int) -> Floats:
    drawn = np.zeros((side, side), np.uint8)
    cv2.fillPoly(drawn, [np.round((polygon - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return drawn.astype(np.float32) / np.float32(255.0)


def _radius_at(
    rim: Floats, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance of a closed rim ``[B, 2]`` from the origin in the direction of each place."""
    angle = np.arctan2(rim[:, 1], rim[:, 0])
    return np.interp(np.arctan2(y, x), angle, np.hypot(*rim.T), period=2 * np.pi)
