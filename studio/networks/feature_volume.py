"""A picture as a volume of features: face-vid2vid's appearance extractor (Wang et al. 2021, figure 10)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from studio.networks.lone_volume import convolved
from studio.networks.norms import Norm, norm
from studio.networks.recomputed import recomputed


class DownBlock(nn.Module):
    """Convolution, norm, rectifier, then half the side. ``[B, C, h, w]`` to ``[B, C', h/2, w/2]``."""

    def __init__(self, inside: int, outside: int, kind: Norm, light: bool = False) -> None:
        """``light`` lets the convolution do the halving: a quarter of the work."""
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, stride=2 if light else 1, padding=1)
        self.norm = norm(kind, outside)
        self.light = light

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = functional.relu(self.norm(self.conv(x)))
        return x if self.light else functional.avg_pool2d(x, 2)


class ResidualBlock3d(nn.Module):
    """Two convolutions of a volume ``[B, C, d, h, w]``, each after norm and rectifier, added to it."""

    def __init__(self, channels: int, kind: Norm) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(kind, channels, 3), norm(kind, channels, 3)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y = convolved(self.conv1, functional.relu(self.norm1(x)))
        return x + convolved(self.conv2, functional.relu(self.norm2(y)))


class AppearanceExtractor(nn.Module):
    """Pictures to volumes. One wide convolution, halvings, a 1×1 convolution whose channels are laid out as
    depth, and residual blocks that make it a volume."""

    def __init__(
        self,
        halvings: int,
        first: int,
        most: int,
        channels: int,
        depth: int,
        blocks: int,
        kind: Norm = "batch",
        light: bool = False,
        inside: int = 3,
    ) -> None:
        """
        Args:
            halvings: how often the side is halved.
            first: channels of the first layer; they double at each halving.
            most: up to this many.
            channels: of the volume.
            depth: layers of the volume.
            blocks: residual blocks.
            kind: how to normalise.
            light: strided convolutions.
            inside: channels of a picture.
        """
        super().__init__()
        widths = [min(most, first << level) for level in range(halvings + 1)]
        self.first = nn.Conv2d(inside, widths[0], 3, padding=1)
        self.first_norm = norm(kind, widths[0])
        self.downs = nn.ModuleList(DownBlock(a, b, kind, light) for a, b in zip(widths, widths[1:]))
        self.lift = nn.Conv2d(widths[-1], channels * depth, 1)
        self.blocks = nn.ModuleList(ResidualBlock3d(channels, kind) for _ in range(blocks))
        self.channels, self.depth, self.recompute = channels, depth, False

    def forward(self, picture: Tensor) -> Tensor:
        """``[B, inside, S, S]`` in -1..1 to ``[B, C, D, S >> halvings, S >> halvings]``."""
        x = functional.relu(self.first_norm(self.first(picture)))
        for down in self.downs:
            x = down(x)
        volume: Tensor = self.lift(x).unflatten(1, (self.channels, self.depth))
        for block in self.blocks:
            volume = recomputed(block, self.recompute, volume)
        return volume
