"""The inner loop: warp the chosen pivots onto the target mesh and blend them over the background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity
from studio.head.rasterise import Visibility

SHIFT = 3
"""Texel coordinates shifted right by this are block coordinates."""
EDGE = 12
"""Texels from a pivot's edge from which it counts fully."""
BLOCK = 1 << SHIFT
"""Side, in texels, of the blocks for which it is noted whether any of the person is in or near them."""


ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT = (np.uint64(i) for i in range(1, 9))
"""Offsets into a row of the source table. Unsigned, because signed indices cost a test for negatives each."""


@dataclass(frozen=True)
class Textures:
    """N pivots made ready to be sampled fast."""

    packed: npt.NDArray[np.uint32]
    """``[N, H, W]`` red in the lowest byte, then green, blue, coverage; colour is multiplied by coverage.
    Every system that this runs on keeps the lowest byte first, so :meth:`shrunk` sees four channels."""
    person: npt.NDArray[np.bool_]
    """``[N, ceil(H / 8), ceil(W / 8)]`` whether anything but nothing is sampled from a point in a block."""

    @staticmethod
    def pack(pictures: npt.NDArray[np.uint8], whole: bool = False) -> Textures:
        """From ``[N, H, W, 4]`` RGB and coverage, not multiplied; ``whole`` takes coverage as complete."""
        count, height, width = pictures.shape[:3]
        packed = np.empty((count, height, width), np.uint32)
        person = np.empty((count, -(-height // BLOCK), -(-width // BLOCK)), np.bool_)
        for n in range(count):  # one at a time, so that memory does not double
            _pack(pictures[n], whole, packed[n])
            _mark_person(packed[n], person[n])
        return Textures(packed, person)

    def shrunk(self, width: int, height: int) -> Textures:
        """The same at a smaller size. Coverage is multiplied in, so no background bleeds into hair."""
        count = len(self.packed)
        packed = np.empty((count, height, width), np.uint32)
        person = np.empty((count, -(-height // BLOCK), -(-width // BLOCK)), np.bool_)
        for n in range(count):
            channels = self.packed[n].view(np.uint8).reshape(*self.packed.shape[1:], 4)
            small = cv2.resize(channels, (width, height), interpolation=cv2.INTER_AREA)
            packed[n] = small.view(np.uint32)[..., 0]
            _mark_person(packed[n], person[n])
        return Textures(packed, person)


@dataclass(frozen=True)
class Pivots:
    """What a chosen set of pivots contributes."""

    chosen: npt.NDArray[np.int32]
    """``[R, K]`` pivots to blend for each region, -1 for an empty place."""
    share: Floats
    """``[R, K]`` blend weight of each."""
    meshes: Floats
    """``[N, V, 2]`` mesh of each pivot in its texture's pixels."""
    visible: Floats
    """``[N, V]`` how well each vertex is seen in each pivot, 0..1."""


def paint(
    seen: Visibility,
    triangles: npt.NDArray[np.int32],
    region_weight: Floats,
    textures: Textures,
    pivots: Pivots,
    plate: npt.NDArray[np.uint8] | None,
    to_plate: Similarity | None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draw the mesh with blended pivots.

    Args:
        seen: what is seen of the mesh at each of ``[H, W]`` pixels.
        triangles: ``[F, 3]`` vertex indices.
        region_weight: ``[V, R]`` share of each region at each vertex, rows sum to 1.
        textures: the pivots' pictures.
        pivots: which of them to blend where.
        plate: ``[H', W', 3]`` background; None for black.
        to_plate: output pixels to plate pixels.

    Returns:
        ``[H, W, 3]`` picture and ``[H, W]`` coverage.
    """
    image = np.empty((*seen.triangle.shape, 3), np.uint8)
    alpha = np.empty(seen.triangle.shape, np.uint8)
    table = np.empty((len(triangles), *pivots.chosen.shape, 9), np.float32)
    _source_table(triangles, pivots.chosen, pivots.share, pivots.meshes, pivots.visible, table)
    behind = np.zeros((2, 2, 3), np.uint8) if plate is None else plate
    matrix = np.zeros((2, 3), np.float32) if to_plate is None else to_plate.matrix
    _paint(
        *(seen.triangle, seen.weights, region_weight[triangles], table.ravel(), pivots.chosen),
        *(textures.packed.ravel(), textures.person.ravel(), textures.packed.shape[1:]),
        *(behind, matrix, image, alpha),
    )
    return image, alpha


def soften_silhouettes(
    image: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8], depth: Floats, step: float
) -> npt.NDArray[np.uint8]:
    """Smooth the stairs where one part of the head ends before another: pixels of the person beside a jump in
    depth larger than ``step`` become the mean of their 3 x 3 neighbours."""
    out = image.copy()
    _soften(image, alpha, depth, np.float32(step), out)
    return out


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=False)  # type: ignore[untyped-decorator]
def _soften(image: Any, alpha: Any, depth: Any, step: Any, out: Any) -> None:
    height, width = depth.shape
    for y in numba.prange(1, height - 1):
        for x in range(1, width - 1):
            if alpha[y, x] == 0:
                continue
            here = depth[y, x]
            across = max(abs(here - depth[y, x - 1]), abs(here - depth[y, x + 1]))
            down = max(abs(here - depth[y - 1, x]), abs(here - depth[y + 1, x]))
            if max(across, down) > step:
                for c in range(3):
                    total = 4
                    for dy in range(-1, 2):
                        for dx in range(-1, 2):
                            total += image[y + dy, x + dx, c]
                    out[y, x, c] = total // 9


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pack(picture: Any, whole: bool, packed: Any) -> None:
    height, width = packed.shape
    for y in range(height):
        for x in range(width):
            a = np.uint32(255) if whole else np.uint32(picture[y, x, 3])
            value = a << np.uint32(24)
            for c in range(3):
                colour = (np.uint32(picture[y, x, c]) * a + np.uint32(127)) // np.uint32(255)
                value |= colour << np.uint32(8 * c)
            packed[y, x] = value


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mark_person(packed: Any, person: Any) -> None:
    height, width = packed.shape
    person[:] = False
    for y in range(height):
        for x in range(width):
            if packed[y, x] >> np.uint32(24) > 0:
                # Bilinear sampling reaches one texel further.
                for by in range(max(0, y - 1) // BLOCK, min(height - 1, y + 1) // BLOCK + 1):
                    for bx in range(max(0, x - 1) // BLOCK, min(width - 1, x + 1) // BLOCK + 1):
                        person[by, bx] = True


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _source_table(triangles: Any, chosen: Any, share: Any, meshes: Any, visible: Any, table: Any) -> None:
    """For each triangle and chosen pivot: x, y and blend amount as value at the third corner and slopes."""
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        for r in range(chosen.shape[0]):
            for n in range(chosen.shape[1]):
                p = chosen[r, n]
                if p < 0:
                    continue
                row = table[t, r, n]
                for c in range(2):
                    last = meshes[p, k, c]
                    row[3 * c] = last - np.float32(0.5)  # texel centres are at halves
                    row[3 * c + 1] = meshes[p, i, c] - last
                    row[3 * c + 2] = meshes[p, j, c] - last
                amount = share[r, n]
                # A little is left to pivots that do not see a triangle, for where none does.
                row[6] = amount * (visible[p, k] + np.float32(0.01))
                row[7] = amount * (visible[p, i] - visible[p, k])
                row[8] = amount * (visible[p, j] - visible[p, k])


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _byte(value: float) -> Any:
    """Rounded and kept within 0..255."""
    return np.uint8(min(max(value + 0.5, 0.0), 255.0))


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _paint(
    triangle: Any,
    weights: Any,
    region: Any,
    table: Any,
    chosen: Any,
    packed: Any,
    person: Any,
    size: tuple[int, int],
    plate: Any,
    matrix: Any,
    image: Any,
    alpha: Any,
) -> None:
    height, width = triangle.shape
    regions, places = chosen.shape
    rows, columns = size
    block_rows, block_columns = -(-rows // BLOCK), -(-columns // BLOCK)
    down = np.uint64(columns)
    none, half_one, sixteen = np.float32(0.0), np.float32(0.5), np.float32(16.0)
    right, bottom = np.float32(columns - 1.001), np.float32(rows - 1.001)
    eight = np.uint32(8)
    edge, unknown = np.float32(1.0 / EDGE), np.float32(0.002)
    plate_rows, plate_columns = plate.shape[0], plate.shape[1]
    one = np.float32(1.0)
    low = np.uint32(0x00FF00FF)
    half = np.uint32(0xFFFF)
    for y in numba.prange(height):
        for x in range(width):
            red = green = blue = cover = np.float32(0.0)
            t = triangle[y, x]
            if t >= 0:
                u, v = weights[y, x, 0], weights[y, x, 1]
                w = one - u - v
                parts = np.float32(0.0)
                for r in range(regions):
                    part = u * region[t, 0, r] + v * region[t, 1, r] + w * region[t, 2, r]
                    if part < 0.004:
                        continue
                    total = np.float32(0.0)
                    rr = rg = rb = ra = np.float32(0.0)
                    row = np.uint64((t * regions + r) * places * 9)
                    for n in range(places):
                        p = chosen[r, n]
                        if p < 0:
                            break
                        at = row + np.uint64(9 * n)
                        amount = table[at + SIX] + u * table[at + SEVEN] + v * table[at + EIGHT]
                        sx = table[at] + u * table[at + ONE] + v * table[at + TWO]
                        sy = table[at + THREE] + u * table[at + FOUR] + v * table[at + FIVE]
                        # What lies beyond a pivot's edge was not filmed: others know better.
                        inside = min(sx, sy, right - sx, bottom - sy) * edge
                        amount *= min(max(inside, unknown), one)
                        total += amount
                        sx = min(max(sx, none), right)
                        sy = min(max(sy, none), bottom)
                        x0, y0 = np.int32(sx), np.int32(sy)
                        block = (p * block_rows + (y0 >> SHIFT)) * block_columns + (x0 >> SHIFT)
                        if not person[np.uint64(block)]:
                            continue
                        # Two channels at a time in the halves of one word, in 8.8 fixed point.
                        fx = np.uint32((sx - x0) * sixteen + half_one)
                        fy = np.uint32((sy - y0) * sixteen + half_one)
                        wb = fx * (np.uint32(16) - fy)
                        wc = (np.uint32(16) - fx) * fy
                        wd = fx * fy
                        wa = np.uint32(256) - wb - wc - wd
                        texel = np.uint64((p * rows + y0) * columns + x0)
                        ta, tb = packed[texel], packed[texel + ONE]
                        tc, td = packed[texel + down], packed[texel + down + ONE]
                        even = np.uint32(
                            wa * (ta & low) + wb * (tb & low) + wc * (tc & low) + wd * (td & low)
                        )
                        odd = np.uint32(
                            wa * ((ta >> eight) & low)
                            + wb * ((tb >> eight) & low)
                            + wc * ((tc >> eight) & low)
                            + wd * ((td >> eight) & low)
                        )
                        rr += amount * np.float32(even & half)
                        rb += amount * np.float32(even >> np.uint32(16))
                        rg += amount * np.float32(odd & half)
                        ra += amount * np.float32(odd >> np.uint32(16))
                    if total > 0.0:
                        parts += part
                        scale = part / (total * np.float32(256.0))
                        red += scale * rr
                        green += scale * rg
                        blue += scale * rb
                        cover += scale * ra
                if parts > 0.0:
                    scale = one / parts
                    red *= scale
                    green *= scale
                    blue *= scale
                    cover *= scale
            if cover < np.float32(254.5):
                clear = one - cover * np.float32(1.0 / 255.0)
                px, py = x + np.float32(0.5), y + np.float32(0.5)
                bx = matrix[0, 0] * px + matrix[0, 1] * py + matrix[0, 2] - np.float32(0.5)
                by = matrix[1, 0] * px + matrix[1, 1] * py + matrix[1, 2] - np.float32(0.5)
                bx = min(max(bx, np.float32(0.0)), np.float32(plate_columns - 1.001))
                by = min(max(by, np.float32(0.0)), np.float32(plate_rows - 1.001))
                x0, y0 = np.int32(bx), np.int32(by)
                gx, gy = bx - x0, by - y0
                a, b = (one - gx) * (one - gy) * clear, gx * (one - gy) * clear
                c, d = (one - gx) * gy * clear, gx * gy * clear
                red += a * plate[y0, x0, 0] + b * plate[y0, x0 + 1, 0]
                red += c * plate[y0 + 1, x0, 0] + d * plate[y0 + 1, x0 + 1, 0]
                green += a * plate[y0, x0, 1] + b * plate[y0, x0 + 1, 1]
                green += c * plate[y0 + 1, x0, 1] + d * plate[y0 + 1, x0 + 1, 1]
                blue += a * plate[y0, x0, 2] + b * plate[y0, x0 + 1, 2]
                blue += c * plate[y0 + 1, x0, 2] + d * plate[y0 + 1, x0 + 1, 2]
            image[y, x, 0] = _byte(red)
            image[y, x, 1] = _byte(green)
            image[y, x, 2] = _byte(blue)
            alpha[y, x] = _byte(cover)
