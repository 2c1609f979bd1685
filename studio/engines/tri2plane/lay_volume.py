"""What a volume shows in its window, laid over what warping draws around it.

The window is a unit square; ``to_window`` maps output pixels to it. Towards its sides it gives way, so that
no edge shows. Within it the warped person does not show through: behind the volume is the empty background.
"""

from __future__ import annotations

from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity

FADE = 0.06
"""Share of the window's side over which it gives way to what is around it."""
ENLARGED = 1.25
"""Output pixels for a drawn one from which it is enlarged smoothly first: bilinear reading shows squares."""
Picture = npt.NDArray[np.uint8]


def fills(view_size: tuple[int, int], to_window: Similarity) -> bool:
    """Whether a picture (width, height) lies so far inside the window that nothing around it shows."""
    width, height = view_size
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float32)
    places = to_window.apply(corners)
    return bool((places >= FADE).all() and (places <= 1.0 - FADE).all())


def lay_volume(
    around: Picture,
    around_cover: Picture | None,
    behind: Picture | None,
    drawn: Floats,
    to_window: Similarity,
) -> tuple[Picture, Picture | None]:
    """Lay a drawn window into a picture.

    Where it has more pixels than its footprint in the picture it is first averaged over areas, so that it
    does not flicker when the head moves; where it has far fewer it is enlarged by cubics.

    Args:
        around: ``[H, W, 3]`` what shows beyond the window.
        around_cover: ``[H, W]`` coverage there; None where it is not known.
        behind: ``[H, W, 3]`` what is behind the volume; None for what is around it.
        drawn: ``[R, R, 4]`` red, green, blue 0..1 multiplied by coverage, and coverage.
        to_window: output pixels to the window's unit square.

    Returns:
        ``[H, W, 3]`` and the coverage ``[H, W]``, None where it was.
    """
    side = len(drawn)
    table = np.ascontiguousarray(drawn, np.float32)
    footprint = max(1, round(1.0 / to_window.scale))
    if footprint < side:
        table = cv2.resize(table, (footprint, footprint), interpolation=cv2.INTER_AREA)
    elif footprint > ENLARGED * side:
        large = min(footprint, 2 * side)
        table = cv2.resize(table, (large, large), interpolation=cv2.INTER_CUBIC)
    image = np.empty(around.shape, np.uint8)
    cover = np.empty(around.shape[:2] if around_cover is not None else (0, 0), np.uint8)
    _lay(
        np.ascontiguousarray(around),
        cover if around_cover is None else np.ascontiguousarray(around_cover),
        np.ascontiguousarray(around if behind is None else behind),
        *(np.ascontiguousarray(table), to_window.matrix, image, cover),
    )
    return image, None if around_cover is None else cover


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _rise(place: Any) -> Any:
    """How much of the window shows along one axis; 0 outside of 0..1."""
    one = np.float32(1.0)
    t = min(max(min(place, one - place) * np.float32(1.0 / FADE), np.float32(0.0)), one)
    return t * t * (np.float32(3.0) - np.float32(2.0) * t)


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _byte(value: Any) -> Any:
    """Rounded and kept within 0..255."""
    return np.uint8(min(max(value + np.float32(0.5), np.float32(0.0)), np.float32(255.0)))


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lay(
    around: Any, around_cover: Any, behind: Any, table: Any, matrix: Any, image: Any, cover: Any
) -> None:
    height, width = around.shape[:2]
    side = table.shape[0]
    covers = cover.size > 0
    none, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    most = np.float32(255.0)
    for y in numba.prange(height):
        for x in range(width):
            px, py = np.float32(x) + half, np.float32(y) + half
            u = matrix[0, 0] * px + matrix[0, 1] * py + matrix[0, 2]
            v = matrix[1, 0] * px + matrix[1, 1] * py + matrix[1, 2]
            shown = _rise(u) * _rise(v)
            if shown <= none:
                for c in range(3):
                    image[y, x, c] = around[y, x, c]
                if covers:
                    cover[y, x] = around_cover[y, x]
                continue
            tx = min(max(u * np.float32(side) - half, none), np.float32(side - 1))
            ty = min(max(v * np.float32(side) - half, none), np.float32(side - 1))
            x0, y0 = np.int32(tx), np.int32(ty)
            x1, y1 = min(x0 + 1, side - 1), min(y0 + 1, side - 1)
            tx -= np.float32(x0)
            ty -= np.float32(y0)
            b, c_, d = tx * (one - ty), (one - tx) * ty, tx * ty
            a = one - b - c_ - d
            amount = (
                a * table[y0, x0, 3] + b * table[y0, x1, 3] + c_ * table[y1, x0, 3] + d * table[y1, x1, 3]
            )
            amount = min(max(amount, none), one)
            for c in range(3):
                colour = (
                    a * table[y0, x0, c] + b * table[y0, x1, c] + c_ * table[y1, x0, c] + d * table[y1, x1, c]
                )
                inside = most * colour + (one - amount) * np.float32(behind[y, x, c])
                outside = np.float32(around[y, x, c])
                image[y, x, c] = _byte(outside + shown * (inside - outside))
            if covers:
                outside = np.float32(around_cover[y, x])
                cover[y, x] = _byte(outside + shown * (most * amount - outside))
