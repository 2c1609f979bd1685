"""What an engine draws around the face, laid over a picture: a correction of it, or a crop of its own.

The crop is a unit square; ``to_crop`` maps output pixels to it. Both ways fade out towards the crop's sides
with the same :func:`window`, so that no edge shows.
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
"""Levels or output pixels. A correction beyond this, or not finite, is of a network gone astray: it counts as
none."""
ONE, LANE, TWO_LANES = np.uint64(1), np.uint64(21), np.uint64(42)
"""Unsigned, because signed indices cost a test for negatives each."""
LANE_MASK = np.uint64((1 << 21) - 1)
"""Three channels share one word, 21 bits each: 8 of a byte and 13 of a bilinear weight."""
WHOLE = 1 << 13
"""What the four bilinear weights of an image's pixel sum to."""


def window(size: int) -> Floats:
    """``[size, size]`` how much of the crop shows at the centres of its pixels: 1 inside, falling to 0 as a
    smoothstep over the outer 8 % of each side (the product of both axes)."""
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
            0..255; then a flow (x, y) in crop sides: the colour shown at a place is the picture's at place +
            flow. It is read bilinearly, without averaging where it is finer than the output.
        to_crop: output pixels to the crop's unit square.
        strength: scales the correction; 0 leaves the picture as it is.

    Returns:
        ``[H, W, 3]``, a new array. Bit for bit the picture outside the crop and where the correction is zero.
        A flow that leads out of the picture finds its border continued.

    Raises:
        ValueError: arrays of other shapes, or a map or strength that is not finite.
    """
    _check(image, correction, 5, to_crop, strength)
    matrix = to_crop.matrix
    # A flow turns and grows as a difference of places does: without the shift.
    back = np.linalg.inv(matrix[:, :2].astype(np.float64)).astype(np.float32)
    table = np.empty(correction.shape, np.float32)
    _prepare_correction(np.ascontiguousarray(correction, np.float32), back, np.float32(strength), table)
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    packed = np.empty((height + 1, width + 1), np.uint64)
    _pack(image, packed)
    out = np.empty(image.shape, np.uint8)
    _lay_over(image, packed.ravel(), _planes(table), len(table), matrix, out)
    return out


def lay_picture(
    image: npt.NDArray[np.uint8], picture: Floats, to_crop: Similarity, cover: Floats | None = None
) -> npt.NDArray[np.uint8]:
    """Show a picture of the crop in place of what an image shows there.

    Where the picture has more pixels than its footprint in the image, it is first averaged over areas to the
    footprint's size (one texel for each output pixel; not to a power of two, which would blur by up to two),
    so that it does not flicker when the head moves. Colour is multiplied by cover before that, so that none
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
    _lay_picture(np.ascontiguousarray(image), _planes(table), len(table), to_crop.matrix, out)
    return out


def _planes(table: Floats) -> Floats:
    """``[R, R, C]`` to ``[C, (R + 1)²]``: last row and column twice, so that every texel has a next one."""
    side, _, channels = table.shape
    planes = np.empty((channels, (side + 1) ** 2), np.float32)
    _spread(table, planes)
    return planes


def _check(image: Any, drawn: Any, channels: int, to_crop: Similarity, strength: float) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    if drawn.ndim != 3 or drawn.shape[0] != drawn.shape[1] or drawn.shape[2] != channels or drawn.size == 0:
        raise ValueError(f"what is laid over must be [R, R, {channels}], not {list(drawn.shape)}")
    if not np.isfinite([*to_crop.to_array(), strength]).all() or to_crop.scale <= 0.0:
        raise ValueError(f"to_crop and strength must be finite and to_crop grow: {to_crop}, {strength}")


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _sane(value: Any) -> Any:
    """Itself, or 0 where it is not a number or out of all bounds. Not for fast mathematics."""
    return value if abs(value) < np.float32(LARGEST) else np.float32(0.0)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _prepare_correction(correction: Any, back: Any, strength: Any, table: Any) -> None:
    """To levels of 0..255 and output pixels, times strength."""
    side = correction.shape[0]
    levels = strength * np.float32(HALF_RANGE)
    xx, xy, yx, yy = (
        strength * back[0, 0],
        strength * back[0, 1],
        strength * back[1, 0],
        strength * back[1, 1],
    )
    for y in range(side):
        for x in range(side):
            for c in range(3):
                table[y, x, c] = _sane(levels * correction[y, x, c])
            dx, dy = correction[y, x, 3], correction[y, x, 4]
            table[y, x, 3] = _sane(xx * dx + xy * dy)
            table[y, x, 4] = _sane(yx * dx + yy * dy)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _prepare_picture(picture: Any, cover: Any, table: Any) -> None:
    """To levels of 0..255 multiplied by cover, and cover."""
    side = picture.shape[0]
    one = np.float32(1.0)
    for y in range(side):
        for x in range(side):
            amount = min(max(_sane(cover[y, x]), np.float32(0.0)), one)
            for c in range(3):
                colour = min(max(_sane(picture[y, x, c]), -one), one)
                table[y, x, c] = (colour + one) * np.float32(HALF_RANGE) * amount
            table[y, x, 3] = amount


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _spread(table: Any, planes: Any) -> None:
    side, channels = table.shape[0], table.shape[2]
    for y in range(side + 1):
        from_y = min(y, side - 1)
        for c in range(channels):
            for x in range(side):
                planes[c, y * (side + 1) + x] = table[from_y, x, c]
            planes[c, y * (side + 1) + side] = table[from_y, side - 1, c]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pack(image: Any, packed: Any) -> None:
    """Three channels to a word; the last row and column twice, so that every pixel has a next one."""
    height, width = image.shape[:2]
    for y in range(height + 1):
        from_y = min(y, height - 1)
        for x in range(width):
            red, green = np.uint64(image[from_y, x, 0]), np.uint64(image[from_y, x, 1])
            packed[y, x] = red | (green << LANE) | (np.uint64(image[from_y, x, 2]) << TWO_LANES)
        packed[y, width] = packed[y, width - 1]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _keep(source: Any, target: Any) -> None:
    """Copy pixels of a row. In parallel loops slices do so as fast, but take seconds to be compiled."""
    for x in range(len(target)):
        for c in range(3):
            target[x, c] = source[x, c]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _span(slope: float, start: float, width: int) -> tuple[int, int]:
    """Columns, up to two too many at either end, for which ``slope * x + start`` is within 0..1."""
    if abs(slope) * width < 1e-6:
        return (0, width) if -1e-6 <= start <= 1.0 + 1e-6 else (0, 0)
    a, b = -start / slope, (1.0 - start) / slope
    low, high = min(a, b) - 1.0, max(a, b) + 2.0
    return int(min(max(low, 0.0), float(width))), int(min(max(high, 0.0), float(width)))


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _crossing(matrix: Any, y: int, width: int) -> tuple[float, float, int, int]:
    """The crop's place of a row's first pixel centre, and the columns that may lie in the crop."""
    py = y + 0.5
    u = matrix[0, 0] * 0.5 + matrix[0, 1] * py + matrix[0, 2]
    v = matrix[1, 0] * 0.5 + matrix[1, 1] * py + matrix[1, 2]
    first, end = _span(matrix[0, 0], u, width)
    first_v, end_v = _span(matrix[1, 0], v, width)
    first = max(first, first_v)
    return u, v, first, max(min(end, end_v), first)


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


# A row is drawn in several plain loops: those that only calculate become vector instructions (twice as fast
# in all), which one loop with the scattered reads in it does not.


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _places(u: Any, du: Any, v: Any, dv: Any, first: int, side: int, place: Any, weights: Any) -> None:
    """For each column from the first: the texel at its upper left, and the weights of the four around times
    the window."""
    none, half = np.float32(0.0), np.float32(0.5)
    texels, last, row = np.float32(side), np.float32(side - 1), np.int32(side + 1)
    for i in range(len(place)):
        x = np.float32(np.int32(first + i))
        at_u, at_v = u + du * x, v + dv * x
        weight = _rise(at_u) * _rise(at_v)
        tx = min(max(at_u * texels - half, none), last)
        ty = min(max(at_v * texels - half, none), last)
        x0, y0 = np.int32(tx), np.int32(ty)
        tx -= np.float32(x0)
        ty -= np.float32(y0)
        place[i] = y0 * row + x0
        lower = weight * ty
        upper = weight - lower
        weights[0, i] = upper - upper * tx
        weights[1, i] = upper * tx
        weights[2, i] = lower - lower * tx
        weights[3, i] = lower * tx


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _read(place: Any, weights: Any, side: int, planes: Any, drawn: Any) -> None:
    below = np.uint64(side + 1)
    for c in range(len(planes)):
        plane = planes[c]
        for i in range(len(place)):
            a = np.uint64(np.uint32(place[i]))
            upper = weights[0, i] * plane[a] + weights[1, i] * plane[a + ONE]
            drawn[c, i] = upper + weights[2, i] * plane[a + below] + weights[3, i] * plane[a + below + ONE]


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _sources(y: int, first: int, width: int, height: int, drawn: Any, place: Any, weights: Any) -> None:
    """Where the flow leads from each column: the pixel at its upper left, and the weights of the four around.

    Pixel centres are at halves here and there, so no flow gives whole numbers, and one weight is all."""
    none, whole = np.float32(0.0), np.float32(WHOLE)
    right, bottom, row = np.float32(width - 1), np.float32(height - 1), np.int32(width + 1)
    dx, dy, at_y = drawn[3], drawn[4], np.float32(y)
    for i in range(len(place)):
        sx = min(max(np.float32(np.int32(first + i)) + dx[i], none), right)
        sy = min(max(at_y + dy[i], none), bottom)
        x0, y0 = np.int32(sx), np.int32(sy)
        sx -= np.float32(x0)
        sy = (sy - np.float32(y0)) * whole
        place[i] = y0 * row + x0
        # Cut, not rounded: so no weight is negative.
        both = np.int32(sx * sy)
        lower, later = np.int32(sy), np.int32(sx * whole)
        weights[0, i] = np.int32(WHOLE) - lower - later + both
        weights[1, i] = later - both
        weights[2, i] = lower - both
        weights[3, i] = both


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _show(place: Any, weights: Any, packed: Any, width: int, drawn: Any, out: Any) -> None:
    below, unit = np.uint64(width + 1), np.float32(1.0 / WHOLE)
    for i in range(len(place)):
        a = np.uint64(np.uint32(place[i]))
        c = a + below
        wa, wb = np.uint64(np.uint32(weights[0, i])), np.uint64(np.uint32(weights[1, i]))
        wc, wd = np.uint64(np.uint32(weights[2, i])), np.uint64(np.uint32(weights[3, i]))
        colour = wa * packed[a] + wb * packed[a + ONE] + wc * packed[c] + wd * packed[c + ONE]
        out[i, 0] = _byte(drawn[0, i] + unit * np.float32(np.int32(colour & LANE_MASK)))
        out[i, 1] = _byte(drawn[1, i] + unit * np.float32(np.int32((colour >> LANE) & LANE_MASK)))
        out[i, 2] = _byte(drawn[2, i] + unit * np.float32(np.int32(colour >> TWO_LANES)))


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lay_over(image: Any, packed: Any, planes: Any, side: int, matrix: Any, out: Any) -> None:
    height, width = image.shape[:2]
    for y in numba.prange(height):
        u, v, first, end = _crossing(matrix, y, width)
        _keep(image[y, :first], out[y, :first])
        _keep(image[y, end:], out[y, end:])
        count = end - first
        if count > 0:
            place = np.empty(count, np.int32)
            weights = np.empty((4, count), np.float32)
            parts = np.empty((4, count), np.int32)
            drawn = np.empty((5, count), np.float32)
            du, dv = matrix[0, 0], matrix[1, 0]
            _places(np.float32(u), du, np.float32(v), dv, first, side, place, weights)
            _read(place, weights, side, planes, drawn)
            _sources(y, first, width, height, drawn, place, parts)
            _show(place, parts, packed, width, drawn, out[y, first:end])


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lay_picture(image: Any, planes: Any, side: int, matrix: Any, out: Any) -> None:
    height, width = image.shape[:2]
    for y in numba.prange(height):
        u, v, first, end = _crossing(matrix, y, width)
        _keep(image[y, :first], out[y, :first])
        _keep(image[y, end:], out[y, end:])
        count = end - first
        if count > 0:
            place = np.empty(count, np.int32)
            weights = np.empty((4, count), np.float32)
            drawn = np.empty((4, count), np.float32)
            du, dv = matrix[0, 0], matrix[1, 0]
            _places(np.float32(u), du, np.float32(v), dv, first, side, place, weights)
            _read(place, weights, side, planes, drawn)
            for i in range(count):
                clear = np.float32(1.0) - drawn[3, i]
                for c in range(3):
                    out[y, first + i, c] = _byte(clear * image[y, first + i, c] + drawn[c, i])
