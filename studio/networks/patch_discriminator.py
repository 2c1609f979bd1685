"""A discriminator of patches at several resolutions (Wang et al. 2018, pix2pixHD; FOMM's layers)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

SLOPE = 0.2
"""Of leaky rectifiers."""


@dataclass(frozen=True)
class Judgement:
    """What one resolution says of B pictures."""

    score: Tensor
    """``[B, 1, h, w]`` greater for patches that look real."""
    features: tuple[Tensor, ...]
    """What its layers felt, ``[B, C, h, w]`` each, fine to coarse."""


class PatchCritic(nn.Module):
    """One resolution: convolutions of 4×4, instance norm from the second on, halves between them."""

    def __init__(self, first: int, most: int, layers: int, spectral: bool = True) -> None:
        super().__init__()
        widths = [3, *(min(most, first << layer) for layer in range(layers))]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 4) for a, b in zip(widths, widths[1:]))
        self.norms = nn.ModuleList(nn.InstanceNorm2d(b, affine=True) for b in widths[2:])
        self.score = nn.Conv2d(widths[-1], 1, 1)
        if spectral:
            for layer in (*self.convs, self.score):
                parametrizations.spectral_norm(layer)

    def forward(self, picture: Tensor) -> Judgement:
        """Pictures ``[B, 3, H, W]`` in -1..1."""
        felt: list[Tensor] = []
        x = picture
        for index, conv in enumerate(self.convs):
            x = conv(x)
            if index:
                x = self.norms[index - 1](x)
            x = functional.leaky_relu(x, SLOPE)
            if index < len(self.convs) - 1:
                x = functional.avg_pool2d(x, 2)
            felt.append(x)
        return Judgement(self.score(x), tuple(felt))


class PatchDiscriminator(nn.Module):
    """The same at several resolutions, each with weights of its own."""

    def __init__(self, first: int, most: int, layers: int, scales: int, spectral: bool = True) -> None:
        super().__init__()
        self.critics = nn.ModuleList(PatchCritic(first, most, layers, spectral) for _ in range(scales))

    def forward(self, picture: Tensor) -> list[Judgement]:
        """Pictures ``[B, 3, H, W]`` in -1..1; what every resolution says, fine to coarse."""
        said = []
        for scale, critic in enumerate(self.critics):
            picture = functional.avg_pool2d(picture, 2) if scale else picture
            said.append(critic(picture))
        return said
