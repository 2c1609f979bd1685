"""Rays through a volume on a processor: what ``Tri2Network.search`` and ``shade`` do, without torch.

Samples are worked on in lanes: a block of rays at a time, every layer of the small networks as loops over all
lanes of the block, which become vector instructions. Nothing leaves the first cache between a sample's place
and the ray's colour; torch would write each of some hundred numbers for each sample to memory and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.nn import functional

from studio.domain.camera import Floats
from studio.engines.tri2plane.canonical import FACE, NECK, PRIOR, SKIN, Canonical
from studio.engines.tri2plane.generator import SLOPE
from studio.engines.tri2plane.network import DENSITY, FLOOR, SPREAD, octaves
from studio.networks.volume.rays import Rays

LANES = 256
"""Samples of a block, at most, as long as that is at least one ray."""
NEGLIGIBLE = 5e-4
"""Weight below which a sample's colour is not looked up."""
EMPTY = 0.01
"""What a guide's weights sum to beyond their floor where nothing is worth following a ray for."""


@dataclass(frozen=True, eq=False)
class Decoders:
    """The density's and the colour's networks, laid out for lanes."""

    density_in: Floats
    """``[H, C]``."""
    density_bias: Floats
    """``[H]``."""
    density_out: Floats
    """``[H + 1]`` weights, then the bias."""
    colour_in: Floats
    """``[H, C]``, without what the viewing direction adds."""
    colour_out: Floats
    """``[F, H]``."""
    colour_bias: Floats
    """``[F]``."""

    @staticmethod
    def of(density: nn.Sequential, colour: nn.Sequential) -> Decoders:
        """From the network's own."""
        first, last = (_linear(density[i]) for i in (0, 2))
        into, out = (_linear(colour[i]) for i in (0, 2))
        features = first[0].shape[1]
        return Decoders(
            first[0],
            first[1],
            np.append(last[0][0], last[1]).astype(np.float32),
            np.ascontiguousarray(into[0][:, :features]),
            *out,
        )


def _linear(layer: nn.Module) -> tuple[Floats, Floats]:
    assert isinstance(layer, nn.Linear)
    return as_array(layer.weight), as_array(layer.bias)


def as_array(values: Tensor) -> Floats:
    """A tensor as a contiguous array of its own."""
    return np.array(values.detach().float().cpu().numpy(), np.float32, order="C")


@dataclass(frozen=True, eq=False)
class Space:
    """One moment's way from camera space to the tri-planes."""

    numbers: Floats
    """Matrices and bounds in the order in which ``_place`` reads them."""
    displacement: Floats
    """``[G, G, 4]`` metres, the last channel unused."""
    proxy: Floats
    """``[P, P]`` metres."""

    @staticmethod
    def of(
        canonical: Canonical,
        rotation: Floats,
        orbit: Floats | None,
        body: Floats,
        displacement: npt.NDArray[np.floating],
    ) -> Space:
        """
        Args:
            canonical: the person's.
            rotation, orbit: ``[3, 3]`` a camera's; see ``Cameras``.
            body: ``[2, 3]`` from the head's place to the body's.
            displacement: ``[3, G, G]`` metres.
        """
        rest = as_array(canonical.rest)
        flat = np.eye(3, dtype=np.float32)
        flat[:2, :2] = body[:, :2].T
        flat = flat @ rest
        low, high = as_array(canonical.low), as_array(canonical.high)
        map_low, map_high = as_array(canonical.map_low), as_array(canonical.map_high)
        numbers = np.concatenate(
            [
                rotation.ravel(),
                (flat if orbit is None else orbit @ flat).ravel(),
                np.append(body[:, 2], 0.0) @ rest,
                *(low, 1.0 / (high - low)),
                *(map_low, 1.0 / (map_high - map_low)),
                as_array(canonical.chin).ravel(),
            ]
        )
        moved = np.zeros((*displacement.shape[1:], 4), np.float32)
        moved[..., :3] = displacement.transpose(1, 2, 0)
        return Space(numbers.astype(np.float32), moved, as_array(canonical.proxy[0, 0]))


@dataclass(frozen=True, eq=False)
class RayGrid:
    """Rays row by row over a window, N = rows · columns."""

    plane: Floats
    """``[N, 2]`` where they pierce the head's plane, metres."""
    slope: Floats
    """``[N, 2]`` metres sideways for each metre of depth."""
    enter: float
    """Depth at which all of them begin, metres behind the head's plane."""
    leave: float
    """Depth at which all of them end."""
    rows: int
    """Rows of rays."""
    columns: int
    """Rays in a row."""


def view_bias(colour: nn.Sequential, view_octaves: int, rays: Rays) -> Floats:
    """``[N, H]`` bias of the colour's hidden layer with what the viewing direction adds to it; ``[1, H]``
    where that is the same for all rays."""
    layer = colour[0]
    assert isinstance(layer, nn.Linear)
    if not view_octaves:
        return as_array(layer.bias[None])
    seen = octaves(rays.directions()[0], view_octaves)
    if not rays.cameras.nearness.any():
        seen = seen[:1]
    return as_array(functional.linear(seen, layer.weight[:, -seen.shape[-1] :], layer.bias))


def planes_in_lanes(planes: Tensor) -> Floats:
    """Tri-plane ``[1, 3, C, S, S]`` as ``[3, S, S, C]``."""
    return as_array(planes[0].permute(0, 2, 3, 1))


def search(planes: Floats, space: Space, decoders: Decoders, rays: RayGrid, count: int) -> Floats:
    """``[rows, columns, count]`` how likely a sample is wanted in equal parts of the rays' depth."""
    weights = np.empty((len(rays.plane), count), np.float32)
    _search(
        *(planes.ravel(), np.array(planes.shape, np.int64), space.numbers),
        *(space.displacement.ravel(), space.displacement.shape[0], space.proxy.ravel(), space.proxy.shape[0]),
        *(decoders.density_in, decoders.density_bias, decoders.density_out),
        *(rays.plane, rays.slope, np.float32(rays.enter), np.float32(rays.leave), weights),
    )
    return weights.reshape(rays.rows, rays.columns, count)


def shade(
    planes: Floats,
    space: Space,
    decoders: Decoders,
    rays: RayGrid,
    guide: Floats,
    count: int,
    bias: Floats,
) -> tuple[Floats, Floats, Floats]:
    """What rays see.

    Args:
        planes: ``[3, S, S, C]``.
        space: the moment's.
        decoders: the person's.
        rays: to follow.
        guide: ``[rows', columns', K]`` from :func:`search`, of as many rays or of fewer: between these the
            guide is interpolated, and rays around which it found nothing are not followed.
        count: samples of a ray.
        bias: from :func:`view_bias`.

    Returns:
        Features ``[rows, columns, F]`` multiplied by coverage; coverage ``[rows, columns]``; mean depth of
        what is seen alone, ``[rows, columns]``, the end of the ray's where nothing is.
    """
    total = len(rays.plane)
    values = np.empty((total, len(decoders.colour_bias)), np.float32)
    cover, depth = np.empty(total, np.float32), np.empty(total, np.float32)
    _shade(
        *(planes.ravel(), np.array(planes.shape, np.int64), space.numbers),
        *(space.displacement.ravel(), space.displacement.shape[0], space.proxy.ravel(), space.proxy.shape[0]),
        *(decoders.density_in, decoders.density_bias, decoders.density_out),
        *(decoders.colour_in, decoders.colour_out, decoders.colour_bias, bias),
        *(rays.plane, rays.slope, np.float32(rays.enter), np.float32(rays.leave), rays.columns),
        *(np.ascontiguousarray(guide), count, values, cover, depth),
    )
    shape = (rays.rows, rays.columns)
    return values.reshape(*shape, -1), cover.reshape(shape), depth.reshape(shape)


# Everything below is for numba.

_DENSITY, _SLOPE, _SPREAD, _FLOOR = (np.float32(v) for v in (DENSITY, SLOPE, SPREAD, FLOOR))
_NECK_BEGIN, _NECK_OVER = np.float32(NECK[0]), np.float32(1.0 / NECK[1])
_FACE_BEGIN, _FACE_OVER = np.float32(FACE[0]), np.float32(1.0 / FACE[1])
_PRIOR_LOW, _PRIOR_HIGH, _PER_SKIN = np.float32(PRIOR[0]), np.float32(PRIOR[1]), np.float32(1.0 / SKIN)
_NEGLIGIBLE = np.float32(NEGLIGIBLE)
_NONE, _HALF, _ONE, _TWO, _THREE = (np.float32(v) for v in (0.0, 0.5, 1.0, 2.0, 3.0))


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _smooth(x: Any) -> Any:
    x = min(max(x, _NONE), _ONE)
    return x * x * (_THREE - _TWO * x)


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _texel(place: Any, size: Any) -> Any:
    """A place 0..1 as the texel before it, the step to the next (0 at the end), and how far it is on."""
    at = min(max(place * np.float32(size) - _HALF, _NONE), np.float32(size - 1))
    first = np.int32(at)
    step = np.int32(1) if first < size - 1 else np.int32(0)
    return first, step, at - np.float32(first)


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _place(
    planes: Any,
    shape: Any,
    q: Any,
    moved: Any,
    grid: int,
    proxy: Any,
    proxy_side: int,
    u: Any,
    v: Any,
    su: Any,
    sv: Any,
    depth: Any,
    count: int,
    first_lane: int,
    found: Any,
    logit: Any,
    texel: Any,
) -> None:
    """One ray's samples: what the tri-planes hold goes into ``found[:, lanes]``, the prior into ``logit``."""
    side, channels = shape[1], shape[3]
    plane_size = np.uint64(side * side * channels)
    row = side * channels
    for s in range(count):
        d = depth[s]
        cx, cy, cz = u + su * d, v + sv * d, -d
        x = cx * q[0] + cy * q[3] + cz * q[6]
        y = cx * q[1] + cy * q[4] + cz * q[7]
        z = cx * q[2] + cy * q[5] + cz * q[8]
        low = _smooth((q[31] + _NECK_BEGIN - y) * _NECK_OVER)
        if low > _NONE:
            x += low * (cx * q[9] + cy * q[12] + cz * q[15] + q[18] - x)
            y += low * (cx * q[10] + cy * q[13] + cz * q[16] + q[19] - y)
            z += low * (cx * q[11] + cy * q[14] + cz * q[17] + q[20] - z)
        front = _smooth((z - _FACE_BEGIN) * _FACE_OVER)
        if front > _NONE:
            mx, next_x, fx = _texel((x - q[27]) * q[29], grid)
            my, next_y, fy = _texel(_ONE - (y - q[28]) * q[30], grid)
            a = np.uint64((my * grid + mx) * 4)
            b, below = a + np.uint64(4 * next_x), np.uint64(4 * grid * next_y)
            wb, wc, wd = fx * (_ONE - fy), (_ONE - fx) * fy, fx * fy
            wa = _ONE - wb - wc - wd
            x += front * (wa * moved[a] + wb * moved[b] + wc * moved[a + below] + wd * moved[b + below])
            a += np.uint64(1)
            b += np.uint64(1)
            y += front * (wa * moved[a] + wb * moved[b] + wc * moved[a + below] + wd * moved[b + below])
            a += np.uint64(1)
            b += np.uint64(1)
            z += front * (wa * moved[a] + wb * moved[b] + wc * moved[a + below] + wd * moved[b + below])
        x01, y01, z01 = (x - q[21]) * q[24], _ONE - (y - q[22]) * q[25], (z - q[23]) * q[26]
        px, next_x, fx = _texel(x01, proxy_side)
        py, next_y, fy = _texel(y01, proxy_side)
        a = np.uint64(py * proxy_side + px)
        b, below = a + np.uint64(next_x), np.uint64(proxy_side * next_y)
        upper = proxy[a] + fx * (proxy[b] - proxy[a])
        lower = proxy[a + below] + fx * (proxy[b + below] - proxy[a + below])
        surface = upper + fy * (lower - upper)
        logit[first_lane + s] = min(max((surface - z) * _PER_SKIN, _PRIOR_LOW), _PRIOR_HIGH)
        ix, jx, tx = _texel(x01, side)
        iy, jy, ty = _texel(y01, side)
        iz, jz, tz = _texel(z01, side)
        for plane in range(3):
            # Column and row of front (x, y), top (x, z) and side (z, y).
            if plane == 0:
                column, right, fx, line, down, fy = ix, jx, tx, iy, jy, ty
            elif plane == 1:
                column, right, fx, line, down, fy = ix, jx, tx, iz, jz, tz
            else:
                column, right, fx, line, down, fy = iz, jz, tz, iy, jy, ty
            a = np.uint64(plane) * plane_size + np.uint64(line * row + column * channels)
            b = a + np.uint64(right * channels)
            c = a + np.uint64(down * row)
            e = b + np.uint64(down * row)
            wb, wc, we = fx * (_ONE - fy), (_ONE - fx) * fy, fx * fy
            wa = _ONE - wb - wc - we
            if plane == 0:
                for k in range(channels):
                    n = np.uint64(k)
                    texel[k] = (
                        wa * planes[a + n] + wb * planes[b + n] + wc * planes[c + n] + we * planes[e + n]
                    )
            else:
                for k in range(channels):
                    n = np.uint64(k)
                    texel[k] += (
                        wa * planes[a + n] + wb * planes[b + n] + wc * planes[c + n] + we * planes[e + n]
                    )
        for k in range(channels):
            found[k, first_lane + s] = texel[k]


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _neurons(weights: Any, x: Any, lanes: int, out: Any) -> None:
    """``out[lanes] += weights @ x[:, lanes]``, four inputs at a time."""
    inputs = len(weights)
    whole = inputs - inputs % 4
    for c in range(0, whole, 4):
        a, b, d, e = weights[c], weights[c + 1], weights[c + 2], weights[c + 3]
        xa, xb, xd, xe = x[c], x[c + 1], x[c + 2], x[c + 3]
        for i in range(lanes):
            out[i] += a * xa[i] + b * xb[i] + d * xd[i] + e * xe[i]
    for c in range(whole, inputs):
        a, xa = weights[c], x[c]
        for i in range(lanes):
            out[i] += a * xa[i]


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _exponentials(x: Any, lanes: int, bits: Any, out: Any) -> None:
    """e to the x, within 3e-7 of its size, for -87..87; ``bits`` is the memory of ``out`` as int32."""
    for i in range(lanes):
        at = min(max(x[i], np.float32(-87.0)), np.float32(87.0)) * np.float32(1.4426950408889634)
        whole = np.floor(at + _HALF)
        t = (at - whole) * np.float32(0.6931471805599453)
        series = np.float32(1.0 / 120.0) + t * np.float32(1.0 / 720.0)
        series = np.float32(1.0 / 24.0) + t * series
        series = np.float32(1.0 / 6.0) + t * series
        series = _HALF + t * series
        x[i] = _ONE + t * (_ONE + t * series)
        bits[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    for i in range(lanes):
        out[i] *= x[i]


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _densities(
    d_in: Any, d_bias: Any, d_out: Any, found: Any, lanes: int, hidden: Any, logit: Any, bits: Any, power: Any
) -> None:
    """From what was found, and the prior in ``logit``, to densities per metre in ``logit``."""
    inputs = len(d_bias)
    for j in range(inputs):
        bias, out = d_bias[j], d_out[j]
        for i in range(lanes):
            hidden[i] = bias
        _neurons(d_in[j], found, lanes, hidden)
        for i in range(lanes):
            logit[i] += out * max(hidden[i], _SLOPE * hidden[i])
    bias = d_out[inputs]
    for i in range(lanes):
        logit[i] += bias
        hidden[i] = -abs(logit[i])
    _exponentials(hidden, lanes, bits, power)
    for i in range(lanes):
        # softplus; log(1 + t) for t of 0..1 as the series of the area hyperbolic tangent.
        t = power[i] / (_TWO + power[i])
        s = t * t
        series = np.float32(1.0 / 7.0) + s * (np.float32(1.0 / 9.0) + s * np.float32(1.0 / 11.0))
        series = _ONE + s * (np.float32(1.0 / 3.0) + s * (np.float32(0.2) + s * series))
        logit[i] = _DENSITY * (max(logit[i], _NONE) + _TWO * t * series)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _search(
    planes: Any,
    shape: Any,
    q: Any,
    moved: Any,
    grid: int,
    proxy: Any,
    proxy_side: int,
    d_in: Any,
    d_bias: Any,
    d_out: Any,
    plane: Any,
    slope: Any,
    enter: Any,
    leave: Any,
    weights: Any,
) -> None:
    total, count = weights.shape
    at_once = max(1, LANES // count)
    step = (leave - enter) / np.float32(count)
    for block in numba.prange((total + at_once - 1) // at_once):
        found = np.empty((shape[3], at_once * count), np.float32)
        logit, hidden = np.empty(at_once * count, np.float32), np.empty(at_once * count, np.float32)
        power = np.empty(at_once * count, np.float32)
        bits = power.view(np.int32)
        depth, texel = np.empty(count, np.float32), np.empty(shape[3], np.float32)
        for s in range(count):
            depth[s] = enter + step * (np.float32(s) + _HALF)
        begin, end = block * at_once, min(total, (block + 1) * at_once)
        for ray in range(begin, end):
            _place(
                *(planes, shape, q, moved, grid, proxy, proxy_side),
                *(plane[ray, 0], plane[ray, 1], slope[ray, 0], slope[ray, 1]),
                *(depth, count, (ray - begin) * count, found, logit, texel),
            )
        lanes = (end - begin) * count
        _densities(d_in, d_bias, d_out, found, lanes, hidden, logit, bits, power)
        for ray in range(begin, end):
            su, sv = slope[ray, 0], slope[ray, 1]
            length = step * np.sqrt(_ONE + su * su + sv * sv)
            sum_before = _NONE
            for s in range(count):
                lane = (ray - begin) * count + s
                hidden[lane] = -sum_before
                sum_before += logit[lane] * length
                logit[lane] = -sum_before
        _exponentials(hidden, lanes, bits, power)
        for i in range(lanes):
            hidden[i] = power[i]
        _exponentials(logit, lanes, bits, power)
        for ray in range(begin, end):
            lane = (ray - begin) * count
            for s in range(count):
                here = hidden[lane + s] - power[lane + s]
                beside = _NONE
                if s > 0:
                    beside += hidden[lane + s - 1] - power[lane + s - 1]
                if s < count - 1:
                    beside += hidden[lane + s + 1] - power[lane + s + 1]
                weights[ray, s] = here + _SPREAD * beside + _FLOOR


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _guided(guide: Any, row: Any, line: Any, share: Any) -> None:
    """The guide of a ray: row and line are places 0..1 in it."""
    rows, columns, parts = guide.shape
    y, down, fy = _texel(row, rows)
    x, right, fx = _texel(line, columns)
    wb, wc, wd = fx * (_ONE - fy), (_ONE - fx) * fy, fx * fy
    wa = _ONE - wb - wc - wd
    a, b = guide[y, x], guide[y, x + right]
    c, d = guide[y + down, x], guide[y + down, x + right]
    for s in range(parts):
        share[s] = wa * a[s] + wb * b[s] + wc * c[s] + wd * d[s]


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _choose_depths(share: Any, enter: Any, leave: Any, count: int, depth: Any) -> None:
    """``compositing.important`` without chance."""
    parts = len(share)
    total = _NONE
    for s in range(parts):
        share[s] += np.float32(1e-5)
        total += share[s]
    width = (leave - enter) / np.float32(parts)
    part, low, high = 0, _NONE, share[0]
    for i in range(count):
        at = total * (np.float32(i) + _HALF) / np.float32(count)
        while high <= at and part < parts - 1:
            part += 1
            low = high
            high += share[part]
        on = min(max((at - low) / max(high - low, np.float32(1e-9)), _NONE), _ONE)
        depth[i] = enter + width * (np.float32(part) + on)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _shade(
    planes: Any,
    shape: Any,
    q: Any,
    moved: Any,
    grid: int,
    proxy: Any,
    proxy_side: int,
    d_in: Any,
    d_bias: Any,
    d_out: Any,
    c_in: Any,
    c_out: Any,
    c_bias: Any,
    view_bias: Any,
    plane: Any,
    slope: Any,
    enter: Any,
    leave: Any,
    columns: int,
    guide: Any,
    count: int,
    values: Any,
    cover: Any,
    seen_depth: Any,
) -> None:
    total, features = values.shape
    channels, neurons = shape[3], c_in.shape[0]
    rows = total // columns
    at_once = max(1, LANES // count)
    most = at_once * count
    own_view = len(view_bias) > 1
    trusting = guide.shape[0] < rows
    nothing = np.float32(EMPTY) + np.float32(guide.shape[2]) * _FLOOR
    for block in numba.prange((total + at_once - 1) // at_once):
        found, kept = np.empty((channels, most), np.float32), np.empty((channels, most), np.float32)
        inner, out = np.empty((neurons, most), np.float32), np.empty((features, most), np.float32)
        logit, hidden = np.empty(most, np.float32), np.empty(most, np.float32)
        power = np.empty(most, np.float32)
        bits = power.view(np.int32)
        depths, texel = np.empty((at_once, count), np.float32), np.empty(channels, np.float32)
        share = np.empty(guide.shape[2], np.float32)
        owner, weight = np.empty(most, np.int32), np.empty(most, np.float32)
        begin, end = block * at_once, min(total, (block + 1) * at_once)
        first_lane = np.empty(at_once, np.int32)  # -1: not followed
        lanes = 0
        for ray in range(begin, end):
            y, x = ray // columns, ray % columns
            _guided(
                guide,
                (np.float32(y) + _HALF) / np.float32(rows),
                (np.float32(x) + _HALF) / np.float32(columns),
                share,
            )
            if trusting and share.sum() < nothing:
                first_lane[ray - begin] = -1
                continue
            depth = depths[ray - begin]
            _choose_depths(share, enter, leave, count, depth)
            _place(
                *(planes, shape, q, moved, grid, proxy, proxy_side),
                *(plane[ray, 0], plane[ray, 1], slope[ray, 0], slope[ray, 1]),
                *(depth, count, lanes, found, logit, texel),
            )
            first_lane[ray - begin] = lanes
            lanes += count
        _densities(d_in, d_bias, d_out, found, lanes, hidden, logit, bits, power)
        for ray in range(begin, end):
            if first_lane[ray - begin] < 0:
                continue
            su, sv = slope[ray, 0], slope[ray, 1]
            length = np.sqrt(_ONE + su * su + sv * sv)
            depth = depths[ray - begin]
            optical, before = _NONE, enter
            for s in range(count):
                after = leave if s == count - 1 else _HALF * (depth[s] + depth[s + 1])
                lane = first_lane[ray - begin] + s
                optical += logit[lane] * max(after - before, _NONE) * length
                hidden[lane] = -optical
                before = after
        _exponentials(hidden, lanes, bits, power)
        wanted = 0
        for ray in range(begin, end):
            left, deep = _ONE, _NONE
            depth = depths[ray - begin]
            followed = count if first_lane[ray - begin] >= 0 else 0
            for s in range(followed):
                lane = first_lane[ray - begin] + s
                here = left - power[lane]
                left = power[lane]
                deep += here * depth[s]
                if here > _NEGLIGIBLE:
                    owner[wanted], weight[wanted] = ray, here
                    for c in range(channels):
                        kept[c, wanted] = found[c, lane]
                    wanted += 1
            cover[ray] = _ONE - left
            seen_depth[ray] = deep / (_ONE - left) if left < np.float32(0.999999) else leave
            values[ray] = _NONE
        if wanted == 0:
            continue
        for j in range(neurons):
            now = inner[j]
            if own_view:
                for i in range(wanted):
                    now[i] = view_bias[owner[i], j]
            else:
                for i in range(wanted):
                    now[i] = view_bias[0, j]
            _neurons(c_in[j], kept, wanted, now)
            for i in range(wanted):
                now[i] = max(now[i], _SLOPE * now[i])
        for f in range(features):
            now = out[f]
            for i in range(wanted):
                now[i] = c_bias[f]
            _neurons(c_out[f], inner, wanted, now)
            if f < 3:
                for i in range(wanted):
                    hidden[i] = -now[i]
                _exponentials(hidden, wanted, bits, power)
                for i in range(wanted):
                    now[i] = np.float32(1.002) / (_ONE + power[i]) - np.float32(0.001)
        for i in range(wanted):
            for f in range(features):
                values[owner[i], f] += weight[i] * out[f, i]
