"""From a moment of the head to the tri-planes that show it: encoder, mapping and the cascaded generator."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.tri2plane.shape import Tri2Shape

SLOPE = 0.2
"""Of the leaky rectifiers."""
MAPS = 6
"""Channels of the motion map: mean texture and normals."""
PLACED = MAPS + 3
"""Channels that enter in place: the motion map and the displacement."""
DRIVE = 57
"""Numbers that drive a face: 50 expression coefficients, jaw 3, eyelids 2, gaze 2."""
DISPLACED = 0.02
"""Metres of displacement that count as one."""
SMALLEST = 4
"""Side of the generator's first block."""


class MotionEncoder(nn.Module):
    """Motion map ``[B, 6, G, G]`` to ``[B, encoded]``."""

    def __init__(self, shape: Tri2Shape, size: int) -> None:
        super().__init__()
        widths = [MAPS, *(shape.encoder_base * 2**i for i in range(4))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.InstanceNorm2d(after), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(widths[-1] * ((size + 15) // 16) ** 2, shape.encoded)
        self.norm = nn.LayerNorm(shape.encoded)

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        encoded: Tensor = self.norm(self.out(self.layers(maps).flatten(1)))
        return encoded


class ModulatedConv(nn.Module):
    """3×3 convolution whose input channels a style scales and whose output is brought back to unit size
    (Karras et al. 2020), computed without a kernel for each example."""

    def __init__(self, before: int, after: int, style: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, 3, 3) / (before * 9) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = nn.Linear(style, before)
        nn.init.normal_(self.scale.weight, std=0.05)
        nn.init.zeros_(self.scale.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """``[B, before, H, W]`` and ``[B, style]`` to ``[B, after, H, W]``."""
        scale = 1.0 + self.scale(style)
        size = scale.square() @ self.weight.square().sum((2, 3)).mT
        x = functional.conv2d(x * scale[:, :, None, None], self.weight, padding=1)
        return x * (size + 1e-8).rsqrt()[:, :, None, None] + self.bias[:, None, None]


class Block(nn.Module):
    """Modulated convolutions at one resolution, with a way around them."""

    def __init__(self, before: int, after: int, shape: Tri2Shape) -> None:
        super().__init__()
        widths = [before, *(after,) * shape.convolutions]
        self.convolutions = nn.ModuleList(ModulatedConv(a, b, shape.style) for a, b in pairwise(widths))
        self.around = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """``[B, before, H, W]`` to ``[B, after, H, W]``."""
        around = self.around(x)
        for convolution in self.convolutions:
            x = functional.leaky_relu(convolution(x, style), SLOPE)
        return (x + around) * 0.5**0.5


class ToTriPlane(nn.Module):
    """Features ``[B, channels, S, S]`` to a tri-plane ``[B, 3, F, S, S]``, zero at first.

    All convolutions but the first see, beside a place of their own plane, the means along the lines through
    that place on the two other planes: what belongs together in the volume meets.
    """

    def __init__(self, channels: int, shape: Tri2Shape) -> None:
        super().__init__()
        self.features = shape.features
        self.first = nn.Conv2d(channels, 3 * shape.features, 3, padding=1)
        count = shape.plane_convolutions - 1
        self.further = nn.ModuleList(
            nn.Conv2d(9 * shape.features, 3 * shape.features, 3, padding=1, groups=3) for _ in range(count)
        )
        last = self.further[-1] if count else self.first
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        planes: Tensor = self.first(x).unflatten(1, (3, self.features))
        for convolution in self.further:
            seen = along(functional.leaky_relu(planes, SLOPE))
            planes = convolution(seen.flatten(1, 2)).unflatten(1, (3, self.features))
        return planes


def along(planes: Tensor) -> Tensor:
    """Each plane with what the other two have on the lines through its places: ``[B, 3, F, S, S]`` to
    ``[B, 3, 3F, S, S]``. Planes are x·y, x·z and z·y (column, row)."""
    front, top, side = planes.unbind(1)
    shape = front.shape

    def by_column(values: Tensor) -> Tensor:
        return values[:, :, None, :].expand(shape)

    def by_row(values: Tensor) -> Tensor:
        return values[:, :, :, None].expand(shape)

    fronts = [front, by_column(top.mean(2)), by_row(side.mean(3))]
    tops = [top, by_column(front.mean(2)), by_row(side.mean(2))]
    sides = [side, by_column(top.mean(3)), by_row(front.mean(3))]
    return torch.stack([torch.cat(three, 1) for three in (fronts, tops, sides)], 1)


class PlaneGenerator(nn.Module):
    """Style and placed maps to the pyramid of tri-planes, coarse to fine.

    Each level is the one before, enlarged, with detail added (a feature pyramid's way down), so that one look
    into the finest level sees the sum of all.
    """

    def __init__(self, shape: Tri2Shape) -> None:
        super().__init__()
        self.shape = shape
        self.begin = nn.Parameter(torch.randn(1, shape.channels(SMALLEST), SMALLEST, SMALLEST))
        placed = PLACED if shape.lateral else 0
        self.blocks, self.to_planes = nn.ModuleList(), nn.ModuleList()
        self.standing = nn.ParameterList()
        before, side = shape.channels(SMALLEST), SMALLEST
        while side <= shape.sides[-1]:
            after = shape.channels(side)
            self.blocks.append(Block(before + placed, after, shape))
            if side in shape.sides:
                self.to_planes.append(ToTriPlane(after, shape))
                if shape.standing:
                    size = (1, 3, shape.features, side, side)
                    first = torch.randn(size) * 0.05 if side == shape.plane else torch.zeros(size)
                    self.standing.append(nn.Parameter(first))
            before, side = after, side * 2

    def forward(self, style: Tensor, placed: Tensor, grids: list[Tensor], levels: int) -> list[Tensor]:
        """The pyramid's first levels.

        Args:
            style: ``[B, style]``.
            placed: ``[B, 9, G, G]`` motion map and displacement.
            grids: for each block ``[1, S, S, 2]``: where in ``placed`` its places are.
            levels: how many tri-planes are wanted.

        Returns:
            ``[B, 3, F, S, S]`` for each level.
        """
        x = self.begin.expand(len(style), -1, -1, -1)
        pyramid: list[Tensor] = []
        for block, grid in zip(self.blocks, grids):
            side = grid.shape[1]
            if side > SMALLEST:
                x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            if self.shape.lateral:
                here = grid.expand(len(x), -1, -1, -1)
                seen = functional.grid_sample(placed, here, mode="bilinear", align_corners=False)
                x = torch.cat([x, seen], 1)
            x = block(x, style)
            if side in self.shape.sides:
                level = len(pyramid)
                planes = self.to_planes[level](x)
                if self.shape.standing:
                    planes = planes + self.standing[level]
                if pyramid:
                    planes = planes + enlarged(pyramid[-1])
                pyramid.append(planes)
                if len(pyramid) == levels:
                    break
        return pyramid


def enlarged(planes: Tensor) -> Tensor:
    """A tri-plane at twice its resolution."""
    batch, three, features, side, _ = planes.shape
    flat = planes.flatten(1, 2)
    flat = functional.interpolate(flat, scale_factor=2.0, mode="bilinear", align_corners=False)
    return flat.view(batch, three, features, 2 * side, 2 * side)
