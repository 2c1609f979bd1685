"""EG3D from its description, ray by ray and place by place in float64: the readable twin of
studio.networks.eg3d.

Backbone and super-resolution are of the steps in slow_stylegan2; everything else is written out here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.networks.slow_stylegan2 import (
    affine,
    correlate,
    filtered,
    layer,
    slow_styles,
    slow_synthesis,
    with_zeros,
)

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Look:
    """What a checkpoint says beside its tensors."""

    raw_side: int
    near: float
    far: float
    box: float
    coarse: int
    fine: int
    clamp: float
    pairs: tuple[tuple[int, int], ...] = ((0, 1), (0, 2), (2, 0))


def slow_latents(weights: Weights, z: Tensor, cameras: Tensor, rows: int) -> Tensor:
    """``[B, rows, w_dim]``."""
    out = []
    for noise, camera in zip(z.double(), cameras.double()):
        matrix = weights["backbone.mapping.embed.weight"].double()
        told = matrix @ camera / math.sqrt(25) + weights["backbone.mapping.embed.bias"].double()
        x = torch.cat([part / torch.sqrt((part**2).mean() + 1e-8) for part in (noise, told)])
        number = 0
        while f"backbone.mapping.fc{number}.weight" in weights:
            matrix = weights[f"backbone.mapping.fc{number}.weight"].double() * 0.01 / math.sqrt(len(x))
            x = matrix @ x + weights[f"backbone.mapping.fc{number}.bias"].double() * 0.01
            x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)
            number += 1
        out.append(x.expand(rows, -1))
    return torch.stack(out)


def slow_planes(weights: Weights, ws: Tensor, side: int) -> Tensor:
    """``[B, 3, F, P, P]``."""
    inside = {name.removeprefix("backbone."): value for name, value in weights.items()}
    drawn = slow_synthesis(inside, slow_styles(inside, ws, side), side)
    return drawn.view(len(ws), 3, -1, side, side)


def slow_raw(weights: Weights, planes: Tensor, cameras: Tensor, look: Look) -> tuple[Tensor, Tensor]:
    """Rays of every pixel: ``[B, C, r, r]`` of -1..1 and depths ``[B, r, r]``."""
    pictures, depths, reached = [], [], []
    for volume, camera in zip(planes.double(), cameras.double()):
        to_world, lens = camera[:16].view(4, 4), camera[16:].view(3, 3)
        rows = []
        for row in range(look.raw_side):
            for column in range(look.raw_side):
                u, v = (column + 0.5) / look.raw_side, (row + 0.5) / look.raw_side
                ahead = torch.stack(
                    [
                        (u - lens[0, 2]) / lens[0, 0],
                        (v - lens[1, 2]) / lens[1, 1],
                        torch.ones_like(lens[0, 0]),
                    ]
                )
                way = to_world[:3, :3] @ ahead
                rows.append(slow_ray(weights, volume, to_world[:3, 3], way / way.norm(), look))
        pictures.append(torch.stack([colour for colour, _, _ in rows]).T)
        depths.append(torch.stack([depth for _, depth, _ in rows]))
        reached += [t for _, _, t in rows]
    first, last = torch.cat(reached).min(), torch.cat(reached).max()
    side = look.raw_side
    picture = torch.stack(pictures).view(len(planes), -1, side, side)
    return picture, torch.stack(depths).view(-1, side, side).clamp(first, last)


def slow_ray(
    weights: Weights, volume: Tensor, eye: Tensor, way: Tensor, look: Look
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours ``[C]`` of -1..1, mean depth, and all depths that were looked at."""
    step = (look.far - look.near) / (look.coarse - 1)
    first = [look.near + step * (k + 0.5) for k in range(look.coarse)]
    seen = [slow_point(weights, volume, eye + t * way, look) for t in first]
    # A second look where the first one saw something: smoothed, half a stretch early, never in the last.
    share = stretches(first, [density for density, _ in seen])
    ends = [max(0.0 if k == 0 else share[k - 1], share[k]) for k in range(len(share))] + [share[-1]]
    soft = [(a + b) / 2 + 0.01 + 1e-5 for a, b in zip(ends, ends[1:])][1:-1]
    middles = [(a + b) / 2 for a, b in zip(first, first[1:])]
    more = []
    for k in range(look.fine):
        wanted, stretch, passed = (k + 0.5) / look.fine * sum(soft), 0, 0.0
        while passed + soft[stretch] <= wanted:
            passed += soft[stretch]
            stretch += 1
        into = (wanted - passed) / soft[stretch]
        more.append(middles[stretch] + into * (middles[stretch + 1] - middles[stretch]))
    seen += [slow_point(weights, volume, eye + t * way, look) for t in more]
    order = sorted(range(len(seen)), key=lambda k: (first + more)[k])
    depth = [(first + more)[k] for k in order]
    density, colour = [seen[k][0] for k in order], [seen[k][1] for k in order]
    weight = stretches(depth, density)
    total = torch.zeros_like(colour[0])
    mean = 0.0
    for k, part in enumerate(weight):
        total += part * (colour[k] + colour[k + 1]) / 2
        mean += part * (depth[k] + depth[k + 1]) / 2
    return total * 2 - 1, torch.tensor(mean / sum(weight)).double(), torch.tensor(depth).double()


def stretches(depth: list[float], logit: list[float]) -> list[float]:
    """How much each stretch between two depths is seen."""
    light, out = 1.0, []
    for k in range(len(depth) - 1):
        density = math.log1p(math.exp((logit[k] + logit[k + 1]) / 2 - 1))
        stopped = 1 - math.exp(-density * (depth[k + 1] - depth[k]))
        out.append(light * stopped)
        light *= 1 - stopped
    return out


def slow_point(weights: Weights, volume: Tensor, point: Tensor, look: Look) -> tuple[float, Tensor]:
    """Logit of density, and colours ``[C]``."""
    place = point * 2 / look.box
    found = torch.stack(
        [bilinear(plane, place[c], place[r]) for plane, (c, r) in zip(volume, look.pairs)]
    ).mean(0)
    hidden = weights["decoder.net.0.weight"].double() @ found / math.sqrt(len(found))
    hidden = torch.log1p(torch.exp(hidden + weights["decoder.net.0.bias"].double()))
    out = weights["decoder.net.2.weight"].double() @ hidden / math.sqrt(len(hidden))
    out = out + weights["decoder.net.2.bias"].double()
    return float(out[0]), torch.sigmoid(out[1:]) * 1.002 - 0.001


def bilinear(plane: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """A plane ``[F, P, P]`` at -1..1; pixels' centres are half a pixel inside, beyond them is nothing."""
    side = plane.shape[1]
    x, y = (float(column) + 1) * side / 2 - 0.5, (float(row) + 1) * side / 2 - 0.5
    total = plane.new_zeros(len(plane))
    for i in (math.floor(x), math.floor(x) + 1):
        for j in (math.floor(y), math.floor(y) + 1):
            if 0 <= i < side and 0 <= j < side:
                total += (1 - abs(x - i)) * (1 - abs(y - j)) * plane[:, j, i]
    return total


def slow_sharp(weights: Weights, features: Tensor, ws: Tensor, start: int, clamp: float) -> Tensor:
    """``[B, C, r, r]`` to ``[B, 3, S, S]``; r is at most ``start``."""
    pictures = []
    for x, w in zip(features, ws[:, -1].double()):
        x = enlarged(x, start)
        picture, block = x[:3], 0
        while f"superresolution.block{block}.torgb.weight" in weights:
            name = f"superresolution.block{block}"
            for part in ("conv0", "conv1"):
                style = affine(weights, f"{name}.{part}", w)
                x = layer(weights, f"{name}.{part}", x, style, False, clamp)
            style = affine(weights, f"{name}.torgb", w) / math.sqrt(len(x))
            kernel = weights[f"{name}.torgb.weight"].double() * style[:, None, None]
            rgb = correlate(x, kernel, 0) + weights[f"{name}.torgb.bias"].double()[:, None, None]
            picture = filtered(with_zeros(picture), before=2, after=1) + rgb.clamp(-clamp, clamp)
            block += 1
        pictures.append(picture)
    return torch.stack(pictures)


def enlarged(x: Tensor, side: int) -> Tensor:
    """``[C, r, r]`` bilinearly, the rim repeated."""
    before = x.shape[1]
    out = x.new_zeros(len(x), side, side)
    for i in range(side):
        for j in range(side):
            y = min(max((i + 0.5) * before / side - 0.5, 0.0), before - 1.0)
            z = min(max((j + 0.5) * before / side - 0.5, 0.0), before - 1.0)
            for a in (math.floor(y), min(math.floor(y) + 1, before - 1)):
                for b in (math.floor(z), min(math.floor(z) + 1, before - 1)):
                    share = _share(y, a, before) * _share(z, b, before)
                    out[:, i, j] += share * x[:, a, b]
    return out


def _share(at: float, pixel: int, count: int) -> float:
    """Of a pixel, halved where both neighbours are the same last one."""
    last = math.floor(at) == count - 1
    return 0.5 if last else 1 - abs(at - pixel)
