"""A discriminator that is told the camera: StyleGAN2-ADA's, its condition projected (Karras et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Of leaky rectifiers."""
GROUP = 4
"""Pictures of a batch whose spread is compared."""
LAST = 4
"""Side of the map that the verdict is made of."""


class Halving(nn.Module):
    """Two convolutions, half the side, and a way around them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, before, 3, padding=1)
        self.second = nn.Conv2d(before, after, 3, padding=1)
        self.around = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, before, h, w]`` to ``[B, after, h/2, w/2]``."""
        inner = functional.leaky_relu(self.first(x), SLOPE)
        inner = functional.leaky_relu(functional.avg_pool2d(self.second(inner), 2), SLOPE)
        out: Tensor = (inner + self.around(functional.avg_pool2d(x, 2))) * 0.5**0.5
        return out


class CameraDiscriminator(nn.Module):
    """Pictures and the numbers of their cameras to logits: is it real, and is it seen from there?

    The condition is projected (Miyato & Koyama 2018): the verdict is the scalar product of what was seen with
    what the camera's numbers, normalised after two layers, let expect.
    """

    def __init__(self, side: int, first: int, most: int, numbers: int = 25, channels: int = 3) -> None:
        """
        Args:
            side: of the pictures, pixels, a power of two from 8.
            first: channels at that side; they double with every halving…
            most: …up to this many.
            numbers: of a camera.
            channels: of the pictures.
        """
        super().__init__()
        halvings = (side // LAST).bit_length() - 1
        widths = [min(most, first << step) for step in range(halvings + 1)]
        self.begin = nn.Conv2d(channels, widths[0], 1)
        self.halvings = nn.ModuleList(Halving(a, b) for a, b in zip(widths, widths[1:]))
        last = widths[-1]
        self.end = nn.Conv2d(last + 1, last, 3, padding=1)
        self.gather = nn.Linear(last * LAST**2, last)
        self.seen = nn.Linear(last, last)
        self.expected = nn.Sequential(nn.Linear(numbers, last), nn.LeakyReLU(SLOPE), nn.Linear(last, last))

    def forward(self, pictures: Tensor, cameras: Tensor) -> Tensor:
        """Pictures ``[B, channels, S, S]`` in -1..1 and cameras ``[B, 25]`` to logits ``[B]``.

        Cameras' numbers should be about one in size: those of ``camera_numbers`` from EG3D's distance.
        """
        x = functional.leaky_relu(self.begin(pictures), SLOPE)
        for halving in self.halvings:
            x = halving(x)
        x = functional.leaky_relu(self.end(torch.cat([x, _spread(x)], 1)), SLOPE)
        x = self.seen(functional.leaky_relu(self.gather(x.flatten(1)), SLOPE))
        expected = self.expected(cameras)
        expected = expected * (expected.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        return (x * expected).sum(1) / x.shape[1] ** 0.5


def _spread(x: Tensor) -> Tensor:
    """How much the pictures of a group differ from each other, the same number everywhere: ``[B, 1, h, w]``.

    One picture alone does not differ.
    """
    group = next(size for size in range(min(GROUP, len(x)), 0, -1) if len(x) % size == 0)
    apart = x.reshape(group, -1, *x.shape[1:]).float()
    deviation = (apart.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:]).to(x.dtype)
