"""What a prior draws in the aligned crop, laid over a picture: as a correction of it, or as a crop of its own.

The crop is a unit square; ``to_crop`` maps output pixels to it. Both ways fade out towards the crop's sides with
the same :func:`window`, so that no edge shows.
"""

from __future__ import annotations

from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity

FADE = 0.08
"""Share of the crop's side over which the window falls to nothing."""
HALF_RANGE = 127.5
"""Levels of 0..255 for one unit of a picture in -1..1."""
LARGEST = 1e6
"""A correction beyond this, or not finite, is a network gone astray: it counts as none."""


def window(size: int) -> Floats:
    """``[size, size]`` how much of the crop shows at the centres of its pixels: 1 inside, falling as a smoothstep
    over the outer 8 % of each side (the product of both axes)."""
    place = (np.arange(size) + 0.5) / size
    t = np.clip(np.minimum(place, 1.0 - place) / FADE, 0.0, 1.0)
    rise = t * t * (3.0 - 2.0 * t)
    return np.outer(rise, rise).astype(np.float32)


def lay_over(
    image: npt.NDArray[np.uint8], correction: Floats, to_crop: Similarity, strength: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Move and recolour what a picture shows inside the crop.

    Args:
        image: ``[H, W, 3]`` RGB.
        correction: ``[R, R, 5]`` over the crop: what to add to red, green and blue, where 2 is the full range
            0..255; then a flow (x, y) in crop sides: the colour shown at a place is the picture's at place + flow.
            It is read bilinearly, without averaging where it is finer than the output.
        to_crop: output pixels to the crop's unit square.
        strength: scales the correction; 0 leaves the picture as it is.

    Returns:
        ``[H, W, 3]``, a new array. Bit for bit the picture outside the crop and where the correction is zero. A
        flow that leads out of the picture finds its border continued.

    Raises:
        ValueError: arrays of other shapes, or a map or strength that is not finite.
    """
    _check(image, correction, 5, to_crop, strength)
    out = np.empty(image.shape, np.uint8)
    matrix = to_crop.matrix
    # A flow turns and grows as a difference of places does: without the shift.
    back = np.linalg.inv(matrix[:, :2].astype(np.float64)).astype(np.float32)
    table = np.empty((*correction.shape[:2], 5), np.float32)
    _prepare_correction(np.ascontiguousarray(correction, np.float32), back, np.float32(strength), table)
    _lay_over(np.ascontiguousarray(image), table.ravel(), table.shape[0], matrix, out)
    return out


def lay_picture(
    image: npt.NDArray[np.uint8], picture: Floats, to_crop: Similarity, cover: Floats | None = None
) -> npt.NDArray[np.uint8]:
    """Show a picture of the crop in place of what an image shows there.

    Where the picture has more pixels than its footprint in the image, it is first averaged over areas to the
    footprint's size (one texel for each output pixel; not to the next power of two, which would blur by up to two),
    so that it does not flicker when the head moves. Colour is multiplied by cover before that, so that no colour
    bleeds in from where nothing is covered.

    Args:
        image: ``[H, W, 3]`` RGB.
        picture: ``[R, R, 3]`` RGB in -1..1 (what lies beyond is clamped) over the crop.
        to_crop: output pixels to the crop's unit square.
        cover: ``[R, R]`` 0..1, how much of the picture shows, on top of the window; None for all of it.

    Returns:
        ``[H, W, 3]``, a new array; bit for bit the image outside the crop and where nothing is covered.

    Raises:
        ValueError: arrays of other shapes, or a map that is not finite.
    """
    _check(image, picture, 3, to_crop, 1.0)
    side = picture.shape[0]
    if cover is not None and cover.shape != (side, side):
        raise ValueError(f"cover must be [{side}, {side}] like the picture, not {list(cover.shape)}")
    whole = np.ones((side, side), np.float32) if cover is None else np.ascontiguousarray(cover, np.float32)
    table = np.empty((side, side, 4), np.float32)
    _prepare_picture(np.ascontiguousarray(picture, np.float32), whole, table)
    footprint = max(1, round(1.0 / to_crop.scale))
    if footprint < side:
        table = cv2.resize(table, (footprint, footprint), interpolation=cv2.INTER_AREA)
    out = np.empty(image.shape, np.uint8)
    _lay_picture(np.ascontiguousarray(image), table.ravel(), table.shape[0], to_crop.matrix, out)
    return out


def _check(image: Any, drawn: Any, channels: int, to_crop: Similarity, strength: float) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    if drawn.ndim != 3 or drawn.shape[0] != drawn.shape[1] or drawn.shape[2] != channels or drawn.size == 0:
        raise ValueError(f"what is laid over must be [R, R, {channels}], not {list(drawn.shape)}")
    if not np.isfinite([*to_crop.to_array(), strength]).all() or to_crop.scale <= 0.0:
        raise ValueError(f"to_crop and strength must be finite and to_crop grow: {to_crop}, {strength}")


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _prepare_correction(correction: Any, back: Any, strength: Any, table: Any) -> None:
    """Levels of 0..255 and output pixels, times strength."""
    side = correction.shape[0]
    levels = strength * np.float32(HALF_RANGE)
    xx, xy, yx, yy = (
        strength * back[0, 0],
        strength * back[0, 1],
        strength * back[1, 0],
        strength * back[1, 1],
    )
    for y in numba.prange(side):
        for x in range(side):
            for c in range(3):
                table[y, x, c] = levels * _sane(correction[y, x, c])
            dx, dy = _sane(correction[y, x, 3]), _sane(correction[y, x, 4])
            table[y, x, 3] = xx * dx + xy * dy
            table[y, x, 4] = yx * dx + yy * dy


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _prepare_picture(picture: Any, cover: Any, table: Any) -> None:
    """Levels of 0..255 multiplied by cover, and cover."""
    side = picture.shape[0]
    one = np.float32(1.0)
    for y in numba.prange(side):
        for x in range(side):
            amount = min(max(_sane(cover[y, x]), np.float32(0.0)), one)
            for c in range(3):
                colour = min(max(_sane(picture[y, x, c]), -one), one)
                table[y, x, c] = (colour + one) * np.float32(HALF_RANGE) * amount
            table[y, x, 3] = amount


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _sane(value: Any) -> Any:
    """Itself, or 0 where it is not a number or out of all bounds; it then cannot lead out of an array."""
    return value if abs(value) < np.float32(LARGEST) else np.float32(0.0)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _span(slope: float, start: float, width: int) -> tuple[int, int]:
    """Columns, one too many at either end, whose ``slope * x + start`` is within 0..1."""
    if abs(slope) < 1e-12:
        return (0, width) if 0.0 <= start <= 1.0 else (0, 0)
    a, b = -start / slope, (1.0 - start) / slope
    low, high = min(a, b) - 1.0, max(a, b) + 2.0
    return int(min(max(low, 0.0), float(width))), int(min(max(high, 0.0), float(width)))


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _rise(place: Any) -> Any:
    """The window along one axis; 0 outside of 0..1."""
    one = np.float32(1.0)
    t = min(max(min(place, one - place) * np.float32(1.0 / FADE), np.float32(0.0)), one)
    return t * t * (np.float32(3.0) - np.float32(2.0) * t)


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _byte(value: Any) -> Any:
    """Rounded and kept within 0..255."""
    return np.uint8(min(max(value + np.float32(0.5), np.float32(0.0)), np.float32(255.0)))


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lay_over(image: Any, table: Any, side: int, matrix: Any, out: Any) -> None:
    height, width = image.shape[:2]
    none, half = np.float32(0.0), np.float32(0.5)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    last, texels = np.float32(side - 1), np.float32(side)
    mu, mv = matrix[0, 0], matrix[1, 0]
    for y in numba.prange(height):
        # The crop's place of column x is start + x * slope.
        py = y + 0.5
        u0 = matrix[0, 0] * 0.5 + matrix[0, 1] * py + matrix[0, 2]
        v0 = matrix[1, 0] * 0.5 + matrix[1, 1] * py + matrix[1, 2]
        first, end = _span(mu, u0, width)
        first_v, end_v = _span(mv, v0, width)
        first, end = max(first, first_v), min(end, end_v)
        if first >= end:
            out[y] = image[y]
            continue
        out[y, :first] = image[y, :first]
        out[y, end:] = image[y, end:]
        su, sv = np.float32(u0), np.float32(v0)
        for x in range(first, end):
            fx = np.float32(x)
            u, v = su + mu * fx, sv + mv * fx
            weight = _rise(u) * _rise(v)
            tx = min(max(u * texels - half, none), last)
            ty = min(max(v * texels - half, none), last)
            x0, y0 = np.int32(tx), np.int32(ty)
            tx -= np.float32(x0)
            ty -= np.float32(y0)
            x1, y1 = min(x0 + np.int32(1), np.int32(side - 1)), min(y0 + np.int32(1), np.int32(side - 1))
            a, b = np.uint64((y0 * side + x0) * 5), np.uint64((y0 * side + x1) * 5)
            c, d = np.uint64((y1 * side + x0) * 5), np.uint64((y1 * side + x1) * 5)
            wd = weight * ty
            wc = wd - wd * tx
            wd = wd * tx
            wb = weight - weight * ty
            wa = wb - wb * tx
            wb = wb * tx
            red = wa * table[a] + wb * table[b] + wc * table[c] + wd * table[d]
            one_ = np.uint64(1)
            green = wa * table[a + one_] + wb * table[b + one_] + wc * table[c + one_] + wd * table[d + one_]
            two_ = np.uint64(2)
            blue = wa * table[a + two_] + wb * table[b + two_] + wc * table[c + two_] + wd * table[d + two_]
            three_ = np.uint64(3)
            dx = (
                wa * table[a + three_]
                + wb * table[b + three_]
                + wc * table[c + three_]
                + wd * table[d + three_]
            )
            four_ = np.uint64(4)
            dy = wa * table[a + four_] + wb * table[b + four_] + wc * table[c + four_] + wd * table[d + four_]
            # Pixel centres are at halves on both sides, so that no flow gives whole numbers: no interpolation.
            sx = min(max(fx + dx, none), right)
            sy = min(max(np.float32(y) + dy, none), bottom)
            ix, iy = np.int32(sx), np.int32(sy)
            sx -= np.float32(ix)
            sy -= np.float32(iy)
            jx, jy = min(ix + np.int32(1), np.int32(width - 1)), min(iy + np.int32(1), np.int32(height - 1))
            qd = sx * sy
            qc = sy - qd
            qb = sx - qd
            qa = np.float32(1.0) - sx - qc
            red += (
                qa * image[iy, ix, 0] + qb * image[iy, jx, 0] + qc * image[jy, ix, 0] + qd * image[jy, jx, 0]
            )
            green += (
                qa * image[iy, ix, 1] + qb * image[iy, jx, 1] + qc * image[jy, ix, 1] + qd * image[jy, jx, 1]
            )
            blue += (
                qa * image[iy, ix, 2] + qb * image[iy, jx, 2] + qc * image[jy, ix, 2] + qd * image[jy, jx, 2]
            )
            out[y, x, 0] = _byte(red)
            out[y, x, 1] = _byte(green)
            out[y, x, 2] = _byte(blue)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lay_picture(image: Any, table: Any, side: int, matrix: Any, out: Any) -> None:
    pass
