"""Landmark measures: how far the face in the rendering lies from the face in the real frame."""

from __future__ import annotations

import numpy as np

from studio.domain.camera import Floats
from studio.metrics.metric import Observed, Values

IBUG_68 = np.array(
    [
        *(127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356),  # 0-16 contour
        *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # 17-26 brows
        *(168, 197, 5, 4),  # 27-30 bridge of the nose, down to its tip
        *(98, 97, 2, 326, 327),  # 31-35 below the nose
        *(33, 160, 158, 133, 153, 144),  # 36-41 eye on the viewer's left
        *(362, 385, 387, 263, 373, 380),  # 42-47 eye on the viewer's right
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # 48-59 outer lips
        *(78, 82, 13, 312, 308, 317, 14, 87),  # 60-67 inner lips
    ],
    np.int64,
)
"""``[68]`` MediaPipe's 478 landmarks in the order of the 68 iBUG/dlib points. Tri2-plane publishes no map;
this one is ours: each iBUG point's namesake vertex, left and right mirrored."""

MOUTH = slice(48, 68)
"""The 20 lip points among the 68."""

REFERENCE_SIZE = 256
"""Side of the picture in whose pixels distances are stated, whatever the pictures' own size."""


def flmd(real: Observed, rendered: Observed) -> Values:
    """F-LMD (Tri2-plane): mean over the 68 points of ``|dx| + |dy|`` between real and rendered.

    Pixels of a 256² picture, lower is better. Both pictures are tracked anew by the same tracker.
    """
    return np.asarray(np.abs(_displacement(real, rendered)).sum(-1).mean(-1))


def flmd_normalised(real: Observed, rendered: Observed) -> Values:
    """F-LMD as a share of the real face's distance between the outer eye corners (points 36 and 45).

    Percent, lower is better; independent of how large the face stands in the picture.
    """
    points = sixty_eight(real)
    eyes = np.linalg.norm(points[:, 45] - points[:, 36], axis=-1) * REFERENCE_SIZE / real.size
    return np.asarray(100.0 * flmd(real, rendered) / eyes)


def akd(real: Observed, rendered: Observed) -> Values:
    """Average keypoint distance: mean Euclidean distance over the 68 points (Siarohin et al. 2019).

    Pixels of a 256² picture, lower is better. The papers track with another 68 point detector, so figures
    compare within this project only.
    """
    return np.asarray(np.linalg.norm(_displacement(real, rendered), axis=-1).mean(-1))


def akd_mouth(real: Observed, rendered: Observed) -> Values:
    """AKD over the 20 lip points (AKD-M of the controllable one-shot paper).

    Pixels of a 256² picture, lower is better.
    """
    return np.asarray(np.linalg.norm(_displacement(real, rendered)[:, MOUTH], axis=-1).mean(-1))


def found(real: Observed, rendered: Observed) -> Values:
    """Whether a face is found in the rendering, among frames where one is found in the real picture.

    0 or 1 a frame, so the mean is a share; higher is better.
    """
    seen = np.isfinite(sixty_eight(rendered)).all(axis=(1, 2)).astype(np.float64)
    return np.where(np.isfinite(sixty_eight(real)).all(axis=(1, 2)), seen, np.nan)


def sixty_eight(side: Observed) -> Floats:
    """``[T, 68, 2]`` the 68 points in picture pixels."""
    if side.landmarks is None:
        raise ValueError("this metric looks at landmarks, and a side has none")
    return np.asarray(side.landmarks[:, IBUG_68, :2])


def _displacement(real: Observed, rendered: Observed) -> Floats:
    """``[T, 68, 2]`` rendered minus real in pixels of a 256² picture."""
    a = sixty_eight(real) * (REFERENCE_SIZE / real.size)
    b = sixty_eight(rendered) * (REFERENCE_SIZE / rendered.size)
    return np.asarray(b - a)
