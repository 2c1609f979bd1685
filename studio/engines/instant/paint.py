"""The inner loop: warp the chosen pivots onto the target mesh and blend them over the background."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _sample4(texture: Any, x: float, y: float) -> Any:
    """Bilinear RGBA at continuous coordinates, clamped to the edge."""
    h, w = texture.shape[0], texture.shape[1]
    x = min(max(x - 0.5, 0.0), w - 1.001)
    y = min(max(y - 0.5, 0.0), h - 1.001)
    x0, y0 = int(x), int(y)
    fx, fy = np.float32(x - x0), np.float32(y - y0)
    one = np.float32(1.0)
    a, b = (one - fx) * (one - fy), fx * (one - fy)
    c, d = (one - fx) * fy, fx * fy
    p, q = texture[y0, x0], texture[y0, x0 + 1]
    r, s = texture[y0 + 1, x0], texture[y0 + 1, x0 + 1]
    return (
        a * p[0] + b * q[0] + c * r[0] + d * s[0],
        a * p[1] + b * q[1] + c * r[1] + d * s[1],
        a * p[2] + b * q[2] + c * r[2] + d * s[2],
        a * p[3] + b * q[3] + c * r[3] + d * s[3],
    )


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _byte(value: float) -> Any:
    """Rounded and kept within 0..255."""
    return np.uint8(min(max(value + 0.5, 0.0), 255.0))


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def paint(
    triangle: Any,
    weights: Any,
    triangles: Any,
    region_weight: Any,
    textures: Any,
    chosen: Any,
    share: Any,
    meshes: Any,
    visible: Any,
    plate: Any,
    plate_map: Any,
    image: Any,
    alpha: Any,
) -> None:
    """Fill ``image`` and ``alpha``.

    Args:
        triangle: ``[H, W]`` int32 triangle seen at each pixel, -1 for none (from ``rasterise``).
        weights: ``[H, W, 2]`` barycentric weights of its first two vertices.
        triangles: ``[F, 3]`` int32 vertex indices.
        region_weight: ``[V, R]`` float32 share of each region at each vertex, rows sum to 1.
        textures: ``[N, S, S', 4]`` uint8 pivots: RGB and person mask.
        chosen: ``[R, K]`` int32 pivots to blend for each region, -1 for an empty place.
        share: ``[R, K]`` float32 blend weight of each.
        meshes: ``[N, V, 2]`` float32 mesh of each pivot in its texture's pixels.
        visible: ``[N, V]`` float32 how well each vertex is seen in each pivot, 0..1.
        plate: ``[S, S', 4]`` uint8 empty background; alpha 0 where the pivots' own surroundings are used.
        plate_map: ``[2, 3]`` float32 from output pixels to plate pixels.
        image: ``[H, W, 3]`` uint8, written.
        alpha: ``[H, W]`` uint8, written.
    """
    height, width = triangle.shape
    regions, places = chosen.shape
    one = np.float32(1.0)
    for y in numba.prange(height):
        for x in range(width):
            red = green = blue = cover = total = np.float32(0.0)
            t = triangle[y, x]
            if t >= 0:
                i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                u, v = weights[y, x, 0], weights[y, x, 1]
                w = one - u - v
                for r in range(regions):
                    part = u * region_weight[i, r] + v * region_weight[j, r] + w * region_weight[k, r]
                    if part < 0.004:
                        continue
                    region_total = np.float32(0.0)
                    rr = rg = rb = rc = np.float32(0.0)
                    for n in range(places):
                        p = chosen[r, n]
                        if p < 0:
                            continue
                        seen = u * visible[p, i] + v * visible[p, j] + w * visible[p, k]
                        amount = share[r, n] * (seen + np.float32(0.01))
                        if amount < 1e-5:
                            continue
                        sx = u * meshes[p, i, 0] + v * meshes[p, j, 0] + w * meshes[p, k, 0]
                        sy = u * meshes[p, i, 1] + v * meshes[p, j, 1] + w * meshes[p, k, 1]
                        c0, c1, c2, c3 = _sample4(textures[p], sx, sy)
                        rr += amount * c0
                        rg += amount * c1
                        rb += amount * c2
                        rc += amount * c3
                        region_total += amount
                    if region_total > 0.0:
                        scale = part / region_total
                        red += scale * rr
                        green += scale * rg
                        blue += scale * rb
                        cover += scale * rc
                        total += part
                if total > 0.0:
                    scale = one / total
                    red *= scale
                    green *= scale
                    blue *= scale
                    cover *= scale
            px, py = x + np.float32(0.5), y + np.float32(0.5)
            bx = plate_map[0, 0] * px + plate_map[0, 1] * py + plate_map[0, 2]
            by = plate_map[1, 0] * px + plate_map[1, 1] * py + plate_map[1, 2]
            a = cover * np.float32(1.0 / 255.0)
            if a < 0.999 or total <= 0.0:
                b0, b1, b2, b3 = _sample4(plate, bx, by)
                behind = one if total <= 0.0 else (one - a) * b3 * np.float32(1.0 / 255.0)
                red += behind * (b0 - red)
                green += behind * (b1 - green)
                blue += behind * (b2 - blue)
            image[y, x, 0] = _byte(red)
            image[y, x, 1] = _byte(green)
            image[y, x, 2] = _byte(blue)
            alpha[y, x] = _byte(cover)
