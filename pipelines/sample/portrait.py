"""The portrait behind the sample: NASA's picture of Eileen Collins (public domain, in scikit-image's wheel).

The contours below were traced by hand on this one picture, in its pixels (512 x 512, continuous
coordinates). Tracing beats any detector here: the picture never changes.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

SIDE = 512
"""Pixels along each side of the portrait."""


def _trace(origin: tuple[float, float], zoom: float, points: str) -> Floats:
    """Contour traced on an enlargement, as ``[N, 2]`` portrait pixels."""
    pairs = [tuple(float(v) for v in p.split(",")) for p in points.split()]
    return (np.array(pairs) / zoom + origin).astype(np.float32)


OUTLINE = _trace(
    (140, 0),
    5,
    "69,350 70,325 84,298 114,256 153,223 202,194 246,173 261,153 292,129 341,110 400,97 440,88 480,85 "
    "520,93 568,110 628,135 677,169 732,208 766,262 791,320 799,370 802,420 796,470 781,530 752,573 "
    "722,608 708,628 690,660 655,679 637,684 629,718 620,757 609,785 594,808 587,825 584,850 579,882 "
    "573,910 572,930 590,960 610,1000 630,1050 640,1090 560,1120 420,1130 280,1115 205,1080 208,1000 "
    "215,950 229,905 231,870 227,770 216,720 211,662 196,656 178,640 160,596 142,583 108,543 85,500 "
    "78,450 75,400",
)
"""Head, neck and collar of the black undergarment: what is modelled in three dimensions."""

SKIN = _trace(
    (140, 0),
    5,
    "232,380 250,391 300,402 370,409 430,406 500,412 560,427 610,445 632,452 645,475 655,520 658,560 "
    "654,600 648,635 636,684 628,718 617,757 600,795 578,826 550,852 520,870 490,888 440,892 390,888 "
    "350,875 310,852 275,825 248,795 230,765 217,720 211,662 207,640 196,600 201,560 213,500 219,450 "
    "225,405",
)
"""Visible face: hairline, temples and jaw."""

UPPER_LIP = _trace(
    (190, 130), 12, "150,117 190,130 250,143 300,151 350,156 410,158 470,157 530,152 580,141 630,131 660,127"
)
"""Lower edge of the upper lip, from the viewer's left corner to the right one."""

LOWER_LIP = _trace(
    (190, 130),
    12,
    "150,117 180,148 215,180 250,205 300,225 350,234 400,237 450,236 500,228 540,212 580,190 620,160 660,127",
)
"""Upper edge of the lower lip, from the viewer's left corner to the right one."""

UPPER_LIDS = (
    _trace(
        (188, 84),
        11.82,
        "86,215 95,206 110,190 130,178 150,172 180,169 210,175 235,188 255,204 275,224 292,238",
    ),
    _trace(
        (188, 84),
        11.82,
        "566,250 578,243 592,231 612,219 640,207 670,200 700,198 725,203 755,216 785,234 806,248",
    ),
)
"""Edge of the upper lid under its lashes, of the viewer's left and right eye, from left to right."""

LOWER_LIDS = (
    _trace((188, 84), 11.82, "86,215 100,220 115,229 140,240 170,247 200,249 230,247 260,243 292,238"),
    _trace((188, 84), 11.82, "566,250 590,257 620,263 650,269 690,272 720,270 750,265 780,258 806,248"),
)
"""Edge of the lower lid of the viewer's left and right eye, from left to right."""

IRISES = _trace((188, 84), 11.82, "183,204 692,232")
"""Centres of the irises."""

SIDES = np.array(
    [
        *(
            (132, 181.0, 268.0),
            (144, 182.2, 265.5),
            (154, 184.0, 262.8),
            (160, 184.5, 259.0),
            (165, 185.0, 257.3),
        ),
        *(
            (175, 185.5, 256.0),
            (182, 184.5, 254.7),
            (190, 182.0, 257.0),
            (200, 180.5, 262.0),
            (218, 180.0, 267.0),
        ),
    ],
    np.float32,
)
"""Rows of the portrait with the columns of the left and right edge of jaw, neck and collar, ``[N, 3]``."""


@cache
def portrait() -> npt.NDArray[np.uint8]:
    """The portrait, ``[512, 512, 3]`` RGB."""
    from skimage import data

    picture: npt.NDArray[np.uint8] = data.astronaut()
    return picture


@cache
def portrait_landmarks() -> Floats:
    """MediaPipe's 478 landmarks of the portrait, ``[478, 2]`` in portrait pixels (its depth is not used)."""
    from studio.tracking.quiet import quiet

    left, top, size, zoom = 80, 0, 300, 4
    face = cv2.resize(
        portrait()[top : top + size, left : left + size],
        None,
        fx=zoom,
        fy=zoom,
        interpolation=cv2.INTER_LANCZOS4,
    )
    with quiet():
        import mediapipe as mp

        with mp.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
            found = mesh.process(face).multi_face_landmarks[0].landmark
    return np.array([[p.x * size + left, p.y * size + top] for p in found], np.float32)
