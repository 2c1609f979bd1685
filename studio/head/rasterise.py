"""Which triangle of a mesh is seen at each pixel."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats


def rasterise(
    points: Floats, triangles: npt.NDArray[np.int32], width: int, height: int
) -> tuple[npt.NDArray[np.int32], Floats]:
    """Z-buffered visibility of a triangle mesh, sampled at pixel centres.

    Args:
        points: ``[V, 3]`` x, y in pixels (continuous coordinates), z larger is nearer.
        triangles: ``[F, 3]`` vertex indices, either winding.
        width: picture width in pixels.
        height: picture height in pixels.

    Returns:
        ``[H, W]`` int32 triangle index, -1 where nothing is seen, and ``[H, W, 2]`` float32 barycentric
        weights of the triangle's first two vertices (the third is one minus their sum).
    """
    index = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    depth = np.full((height, width), -np.inf, np.float32)
    _fill(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(triangles, np.int32),
        index,
        weights,
        depth,
    )
    return index, weights


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _fill(points: Any, triangles: Any, index: Any, weights: Any, depth: Any) -> None:
    height, width = index.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        cx, cy = points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-8:
            continue
        left = max(0, int(np.floor(min(ax, bx, cx) - 0.5)))
        right = min(width - 1, int(np.ceil(max(ax, bx, cx) - 0.5)))
        top = max(0, int(np.floor(min(ay, by, cy) - 0.5)))
        bottom = min(height - 1, int(np.ceil(max(ay, by, cy) - 0.5)))
        inverse = 1.0 / area
        for y in range(top, bottom + 1):
            py = y + 0.5
            for x in range(left, right + 1):
                px = x + 0.5
                u = ((bx - px) * (cy - py) - (cx - px) * (by - py)) * inverse
                v = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) * inverse
                w = 1.0 - u - v
                # A hair of tolerance, so that no pixel falls between two neighbours.
                if u < -1e-5 or v < -1e-5 or w < -1e-5:
                    continue
                z = u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
                if z > depth[y, x]:
                    depth[y, x] = z
                    index[y, x] = t
                    weights[y, x, 0] = u
                    weights[y, x, 1] = v
