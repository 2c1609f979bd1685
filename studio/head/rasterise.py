"""Which triangle of a mesh is seen at each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

BANDS = 8
"""Bands of rows filled side by side; each walks all triangles, so many bands cost more than they gain."""


@dataclass(frozen=True)
class Visibility:
    """What is seen of a mesh at each pixel."""

    triangle: npt.NDArray[np.int32]
    """``[H, W]`` triangle index, -1 where nothing is seen."""
    weights: Floats
    """``[H, W, 2]`` barycentric weights of the triangle's first two vertices; the third is one minus both."""
    depth: Floats
    """``[H, W]`` z of the surface, larger is nearer; minus infinity where nothing is seen."""

    def interpolate(self, values: Floats, triangles: npt.NDArray[np.int32]) -> Floats:
        """Values at vertices ``[V, ...]`` to pixels ``[H, W, ...]``; 0 where nothing is seen."""
        out = np.zeros((*self.triangle.shape, *values.shape[1:]), np.float32)
        inside = self.triangle >= 0
        corner = triangles[self.triangle[inside]]
        u, v = (w.reshape(-1, *(1,) * (values.ndim - 1)) for w in self.weights[inside].T)
        first, second, third = (values[corner[:, i]] for i in range(3))
        out[inside] = u * first + v * second + (1.0 - u - v) * third
        return out


def rasterise(points: Floats, triangles: npt.NDArray[np.int32], width: int, height: int) -> Visibility:
    """Z-buffered visibility of a triangle mesh, sampled at pixel centres.

    Args:
        points: ``[V, 3]`` x, y in pixels (continuous coordinates), z larger is nearer.
        triangles: ``[F, 3]`` vertex indices, either winding.
        width: picture width in pixels.
        height: picture height in pixels.
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
    return Visibility(index, weights, depth)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _fill(points: Any, triangles: Any, index: Any, weights: Any, depth: Any) -> None:
    height, width = index.shape
    one, none = np.float32(1.0), np.float32(-1e-5)  # a hair of tolerance: no pixel between two neighbours
    for band in numba.prange(BANDS):
        first, last = height * band // BANDS, height * (band + 1) // BANDS - 1
        for t in range(triangles.shape[0]):
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            ay, by, cy = points[a, 1], points[b, 1], points[c, 1]
            top = max(first, int(np.floor(min(ay, by, cy) - 0.5)))
            bottom = min(last, int(np.ceil(max(ay, by, cy) - 0.5)))
            if top > bottom:
                continue
            ax, bx, cx = points[a, 0], points[b, 0], points[c, 0]
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            if abs(area) < 1e-8:
                continue
            left = max(0, int(np.floor(min(ax, bx, cx) - 0.5)))
            right = min(width - 1, int(np.ceil(max(ax, bx, cx) - 0.5)))
            inverse = one / area
            u_step, v_step = (by - cy) * inverse, (cy - ay) * inverse
            za, zb, zc = points[a, 2], points[b, 2], points[c, 2]
            for y in range(top, bottom + 1):
                px, py = left + np.float32(0.5), y + np.float32(0.5)
                u0 = ((bx - px) * (cy - py) - (cx - px) * (by - py)) * inverse
                v0 = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) * inverse
                for x in range(left, right + 1):
                    along = np.float32(x - left)
                    u, v = u0 + along * u_step, v0 + along * v_step
                    w = one - u - v
                    if u < none or v < none or w < none:
                        continue
                    z = u * za + v * zb + w * zc
                    if z > depth[y, x]:
                        depth[y, x] = z
                        index[y, x] = t
                        weights[y, x, 0] = u
                        weights[y, x, 1] = v
