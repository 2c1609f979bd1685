"""GFPGAN: worn faces restored with what a generator knows of faces (Wang et al. 2021), in its clean form
(``GFPGANv1Clean``, versions 1.2 to 1.4).

A U-Net reads a picture into a W+ latent and, for each side, a scale and a shift of half of a StyleGAN2's
features. Names and shapes of the state dict are those of the published checkpoints; what only their training
needs (``toRGB``, ``style_mlp``) is left out. This StyleGAN2 enlarges bilinearly and scales its weights
beforehand, so it is no :mod:`studio.networks.stylegan2`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Of the leaky rectifiers."""
GAIN = math.sqrt(2.0)
"""Of a modulated convolution, before noise and bias."""
EPSILON = 1e-8
"""Under the root of demodulation."""


@dataclass(frozen=True)
class GfpganConfig:
    """Shape of the network; the defaults are the published ones."""

    widths: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64)
    """Channels of the generator at 4, 8, 16 … pixels, even numbers; the U-Net has half of them."""
    w_dim: int = 512
    """Numbers in a row of W+."""

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or any(width < 2 or width % 2 for width in self.widths):
            raise ValueError(f"GFPGAN's widths are two even numbers at least, not {self.widths}")

    @property
    def side(self) -> int:
        """Side of the pictures, pixels."""
        return 2 << len(self.widths)

    @property
    def num_ws(self) -> int:
        """Rows of W+."""
        return 2 * len(self.widths)

    @property
    def narrow(self) -> tuple[int, ...]:
        """Channels of the U-Net at 4, 8, 16 … pixels."""
        return tuple(width // 2 for width in self.widths)


class ResizingBlock(nn.Module):
    """Two convolutions, between which the side is halved or doubled, beside a way around."""

    def __init__(self, inputs: int, outputs: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs, s, s]`` to ``[B, outputs, s / 2 or 2 s, …]``."""
        resized = _doubled if self.up else _halved
        y = resized(functional.leaky_relu(self.conv1(x), SLOPE))
        y = functional.leaky_relu(self.conv2(y), SLOPE)
        out: Tensor = y + self.skip(resized(x))
        return out


class ModulatedConvolution(nn.Module):
    """A convolution without bias whose inputs a style scales."""

    def __init__(self, inputs: int, outputs: int, size: int, w_dim: int, demodulated: bool) -> None:
        super().__init__()
        self.demodulated = demodulated
        self.modulation = nn.Linear(w_dim, inputs)
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, size, size) / math.sqrt(inputs * size**2))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """``[B, inputs, s, s]`` and ``[B, w_dim]`` to ``[B, outputs, s, s]``."""
        scale, weight = self.modulation(w), self.weight[0]
        x = functional.conv2d(x * scale[..., None, None], weight, padding=weight.shape[-1] // 2)
        if self.demodulated:
            energy = weight.square().sum((2, 3))
            x = x * (scale.square() @ energy.T + EPSILON).rsqrt()[..., None, None]
        return x


class StyleLayer(nn.Module):
    """A modulated convolution with noise, bias and rectifier; ``up`` doubles the side before it."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.modulated_conv = ModulatedConvolution(inputs, outputs, 3, w_dim, demodulated=True)
        self.weight = nn.Parameter(torch.zeros(1))  # strength of the noise
        self.bias = nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """``[B, inputs, s, s]``, ``[B, w_dim]`` and noise ``[B or 1, 1, r, r]`` to ``[B, outputs, r, r]``."""
        x = GAIN * self.modulated_conv(_doubled(x) if self.up else x, w)
        return functional.leaky_relu(x + self.weight * noise + self.bias, SLOPE)


class ToRgb(nn.Module):
    """Features to what they add to the picture."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConvolution(inputs, 3, 1, w_dim, demodulated=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """``[B, inputs, s, s]`` and ``[B, w_dim]`` to ``[B, 3, s, s]``."""
        out: Tensor = self.modulated_conv(x, w) + self.bias
        return out


class ConstantInput(nn.Module):
    """Where the generator begins."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, width, 4, 4))


class StoredNoise(nn.Module):
    """A picture of noise for each layer, ``noise0``, ``noise1`` …"""

    def __init__(self, sides: list[int]) -> None:
        super().__init__()
        for number, side in enumerate(sides):
            self.register_buffer(f"noise{number}", torch.randn(1, 1, side, side))


class Decoder(nn.Module):
    """The generator: W+, and scales and shifts of half of its features, to pictures."""

    def __init__(self, config: GfpganConfig) -> None:
        super().__init__()
        first, w_dim = config.widths[0], config.w_dim
        self.constant_input = ConstantInput(first)
        self.style_conv1 = StyleLayer(first, first, w_dim, up=False)
        self.to_rgb1 = ToRgb(first, w_dim)
        self.style_convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for before, after in zip(config.widths, config.widths[1:]):
            self.style_convs.append(StyleLayer(before, after, w_dim, up=True))
            self.style_convs.append(StyleLayer(after, after, w_dim, up=False))
            self.to_rgbs.append(ToRgb(after, w_dim))
        sides = [4, *(4 << step for step in range(1, len(config.widths)) for _ in range(2))]
        self.noises = StoredNoise(sides)

    def forward(
        self, ws: Tensor, conditions: list[tuple[Tensor, Tensor]], chance: torch.Generator | None
    ) -> Tensor:
        """
        Args:
            ws: ``[B, num_ws, w_dim]``.
            conditions: scale and shift ``[B, C / 2, s, s]`` of the latter half of the channels at 8, 16 …
            chance: draws fresh noise; None for the stored one.

        Returns:
            ``[B, 3, S, S]``.
        """

        def noise(number: int) -> Tensor:
            stored: Tensor = self.noises.get_buffer(f"noise{number}")
            if chance is None:
                return stored
            shape = (len(ws), *stored.shape[1:])
            return torch.randn(shape, generator=chance, device=stored.device, dtype=stored.dtype)

        x = self.constant_input.weight.expand(len(ws), -1, -1, -1)
        x = self.style_conv1(x, ws[:, 0], noise(0))
        picture: Tensor = self.to_rgb1(x, ws[:, 1])
        for step, (scale, shift) in enumerate(conditions):
            row = 1 + 2 * step  # the last row of one side is the first of the next
            x = self.style_convs[2 * step](x, ws[:, row], noise(row))
            same, felt = x.chunk(2, 1)
            x = torch.cat([same, felt * scale + shift], 1)
            x = self.style_convs[2 * step + 1](x, ws[:, row + 1], noise(row + 1))
            picture = _doubled(picture) + self.to_rgbs[step](x, ws[:, row + 2])
        return picture


class Gfpgan(nn.Module):
    """Worn faces to restored ones."""

    def __init__(self, config: GfpganConfig) -> None:
        super().__init__()
        self.config = config
        narrow, count = config.narrow, len(config.widths)
        self.conv_body_first = nn.Conv2d(3, narrow[-1], 1)
        self.conv_body_down = nn.ModuleList(
            ResizingBlock(narrow[step], narrow[step - 1], up=False) for step in range(count - 1, 0, -1)
        )
        self.final_conv = nn.Conv2d(narrow[0], narrow[0], 3, padding=1)
        self.conv_body_up = nn.ModuleList(
            ResizingBlock(before, after, up=True) for before, after in zip(narrow, narrow[1:])
        )
        self.final_linear = nn.Linear(narrow[0] * 16, config.num_ws * config.w_dim)
        self.stylegan_decoder = Decoder(config)
        self.condition_scale = nn.ModuleList(_condition(width) for width in narrow[1:])
        self.condition_shift = nn.ModuleList(_condition(width) for width in narrow[1:])

    def forward(self, pictures: Tensor, chance: torch.Generator | None = None) -> Tensor:
        """Restore faces.

        Args:
            pictures: ``[B, 3, S, S]`` -1..1, faces as FFHQ cuts them.
            chance: draws fresh noise, as the authors' own program does; None for the stored noise, which
                gives the same picture each time.

        Returns:
            The same shape, about -1..1 but not clipped.

        Raises:
            ValueError: pictures of another side.
        """
        side = self.config.side
        if pictures.shape[1:] != (3, side, side):
            raise ValueError(f"pictures are [B, 3, {side}, {side}], got {list(pictures.shape)}")
        x = functional.leaky_relu(self.conv_body_first(pictures), SLOPE)
        seen = []
        for block in self.conv_body_down:
            x = block(x)
            seen.append(x)
        x = functional.leaky_relu(self.final_conv(x), SLOPE)
        ws = self.final_linear(x.flatten(1)).unflatten(1, (self.config.num_ws, self.config.w_dim))
        conditions = []
        for step, block in enumerate(self.conv_body_up):
            x = block(x + seen.pop())
            conditions.append((self.condition_scale[step](x), self.condition_shift[step](x)))
        restored: Tensor = self.stylegan_decoder(ws, conditions, chance)
        return restored


def _condition(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(width, width, 3, padding=1)
    )


def _halved(x: Tensor) -> Tensor:
    """Bilinear at half the side: means of two by two pixels."""
    return functional.avg_pool2d(x, 2)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
