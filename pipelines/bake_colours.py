"""Edits of colour made part of the pictures that warping reads, so that they cost nothing when it draws.

Live, a finished picture is recoloured; here every pivot's is, where its own mesh lies. For one pivot that is
the same thing. It is not quite the same where several are blended, because a mask depends on the colour it
sees; and a light stays where it was when its pivot was filmed, so between pivots it turns a little with the
head. A painter sees the new colours and corrects them as it would the old ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Similarity
from studio.domain.controls import ControlState
from studio.domain.edits import Edit, EditStack
from studio.domain.progress import Progress, silent
from studio.warping.parts import WarpParts, pivot_positions
from studio.warping.recolour import Behind, Drawn, Recolourer


def textures_recoloured(
    parts: WarpParts, chosen: Sequence[tuple[Edit, float]], progress: Progress = silent
) -> npt.NDArray[np.uint8]:
    """``[N, H, W, 4]`` the pivots' pictures with edits in them, coverage as it was.

    Args:
        parts: what warping draws with.
        chosen: edits of colour and their strengths.
        progress: told of every pivot; may raise Interrupted.
    """
    names = tuple(edit.control_name for edit, _ in chosen)
    state = ControlState(names, np.array([strength for _, strength in chosen], np.float32))
    recolourer = Recolourer(parts, EditStack(tuple(edit for edit, _ in chosen)))
    behind = None
    if parts.plate.still:
        behind = Behind(np.ascontiguousarray(parts.plate.image[..., :3]), Similarity(1.0, 0.0, 0.0, 0.0))
    out = parts.textures.copy()
    for pivot in range(len(out)):
        progress(pivot, len(out), "Recolouring pictures")
        motion = parts.motion.take(slice(pivot, pivot + 1))
        positions = pivot_positions(parts.mesh, motion, parts.shell[pivot : pivot + 1])[0]
        texture = parts.textures[pivot]
        image, cover = np.ascontiguousarray(texture[..., :3]), np.ascontiguousarray(texture[..., 3])
        points = parts.stage.placement.apply(positions)
        out[pivot, ..., :3] = recolourer.apply(state, Drawn(image, cover, behind, points, motion))
    return out
