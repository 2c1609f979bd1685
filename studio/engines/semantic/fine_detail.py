"""The detail of the source picture beyond the network's resolution, on a processor: the fast twin of
:func:`studio.engines.semantic.live_picture.with_detail`.

OpenCV enlarges and warps, and one loop joins all of it: half the time of the same in torch, which makes a
picture of full size for every step between.
"""

from __future__ import annotations

from typing import Any

import cv2
import numba
import numpy as np
from torch import Tensor

from studio.domain.camera import Floats
from studio.engines.semantic.network import SemanticOutput


class FineDetail:
    """One person's picture at D² pixels, to be laid over pictures of S²."""

    def __init__(self, fine: Tensor, behind: Tensor | None) -> None:
        """
        Args:
            fine: ``[1, 3, D, D]`` the source picture in -1..1, or ``[1, 4, D, D]`` with the outline.
            behind: ``[1, 3, D, D]`` its surroundings; None where there is no outline.
        """
        self._fine = _rows(fine)
        side = self._side = len(self._fine)
        # Without an outline the whole picture is carried, before nothing.
        self._behind = np.zeros((side, side, 3), np.float32) if behind is None else _rows(behind)
        self._outlined = behind is not None and self._fine.shape[2] == 4
        centres = np.arange(side, dtype=np.float32)
        self._places = np.stack(np.meshgrid(centres, centres), 2)

    def added(self, out: SemanticOutput) -> Floats:
        """A drawn picture with the detail, ``[D, D, 3]``; see the twin. ``out`` is of one example."""
        if out.picture_flow is None or out.warped is None or out.share is None:
            raise ValueError("only a network that paints over the source has a flow to carry detail")
        moved = self._carried(out.picture_flow)
        if out.mirrored is not None:
            share = self._enlarged(out.mirrored.share)
            if share.any():
                _mix(moved, self._carried(out.mirrored.flow), share)
        still = not bool((out.picture_flow != 0.0).any())
        return _joined(
            self._enlarged(out.picture, cv2.INTER_CUBIC),
            self._enlarged(out.warped, cv2.INTER_CUBIC),
            self._enlarged(out.share),
            moved,
            self._behind,
            self._outlined and not still,
        )

    def _carried(self, flow: Tensor) -> Floats:
        """``[D, D, C]`` the source as a flow ``[1, 2, S, S]`` in half sides carries it."""
        side = self._side
        places = self._places + (0.5 * side) * self._enlarged(flow)
        # Fixed point in OpenCV: a place is right to a sixty-fourth of a pixel.
        return np.asarray(
            cv2.remap(self._fine, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    def _enlarged(self, values: Tensor, how: int = cv2.INTER_LINEAR) -> Floats:
        size = (self._side, self._side)
        return np.asarray(cv2.resize(_rows(values), size, interpolation=how), np.float32)


def _rows(values: Tensor) -> Floats:
    """``[1, C, H, W]`` to ``[H, W, C]``."""
    return np.ascontiguousarray(values[0].permute(1, 2, 0).float().cpu().numpy())


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _mix(moved: Any, other: Any, share: Any) -> None:
    """Lay the face's other half over what is carried, in place."""
    height, width, channels = moved.shape
    for y in numba.prange(height):
        for x in range(width):
            for c in range(channels):
                moved[y, x, c] += share[y, x] * (other[y, x, c] - moved[y, x, c])


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _joined(picture: Any, warped: Any, share: Any, moved: Any, behind: Any, outlined: bool) -> Any:
    """``picture + (1 - share) · (laid - warped)``, the person laid before what is behind them."""
    height, width = share.shape
    out = np.empty((height, width, 3), np.float32)
    one, half = np.float32(1.0), np.float32(0.5)
    for y in numba.prange(height):
        for x in range(width):
            clear = one - share[y, x]
            cover = one
            if outlined:
                cover = min(max(half + half * moved[y, x, 3], np.float32(0.0)), one)
            for c in range(3):
                back = behind[y, x, c]
                laid = back + cover * (moved[y, x, c] - back)
                out[y, x, c] = picture[y, x, c] + clear * (laid - warped[y, x, c])
    return out
