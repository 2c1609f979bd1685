"""StyleGAN2, config f with skip connections, in plain PyTorch operations (Karras et al. 2020).

Names and shapes of the state dict are those of NVIDIA's ADA-PyTorch, and so are the semantics: weights
converted from there (or from anything convertible to it) render the same picture. Three entry points: z
through the mapping network, W+ through :class:`SynthesisNetwork`, and StyleSpace (the affine outputs; Wu et
al. 2021) through :meth:`SynthesisNetwork.from_styles`.

Modulation scales the activations before a convolution and after it, which equals scaling the weights of
every sample and works for batches, in half precision and under autocast alike. Styles and demodulation are
always computed in at least float32. On a processor, ``to(memory_format=torch.channels_last)`` is faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Noise = Literal["const", "none", "random"]

SLOPE = 0.2
"""Of the leaky rectifier."""
GAIN = math.sqrt(2.0)
"""After the leaky rectifier: it keeps the variance."""
EPSILON = 1e-8
"""Under the root of demodulation and of the latent's second moment."""
MAPPING_RATE = 0.01
"""Learning rate of the mapping network relative to the others, as a factor in its weights."""
FIR = (1.0, 3.0, 3.0, 1.0)
"""Low-pass filter of up-sampling, per axis, before normalisation."""


@dataclass(frozen=True)
class StyleGan2Config:
    """Shape of a generator; the defaults are those of FFHQ config f at 1024."""

    resolution: int
    """Side of the picture in pixels: a power of two from 8 to 1024."""
    w_dim: int = 512
    """Numbers in a style latent w."""
    z_dim: int = 512
    """Numbers in a random latent z."""
    channel_base: int = 32768
    """Channels at a resolution are this over the resolution (``channel_max`` at most)."""
    channel_max: int = 512
    """Channels at most."""
    mapping_layers: int = 8
    """Layers of the mapping network."""
    img_channels: int = 3
    """Channels of the output."""
    conv_clamp: float | None = None
    """Activations are clamped to ± this after every layer; None: never. NVIDIA trained its half-precision
    networks with 256, and then it belongs to every block, whatever precision it runs in."""

    def __post_init__(self) -> None:
        if self.resolution not in {2**power for power in range(3, 11)}:
            raise ValueError(
                f"StyleGAN2's resolution is a power of two from 8 to 1024, not {self.resolution}"
            )
        if self.channel_base < self.resolution:
            raise ValueError(
                f"channel_base {self.channel_base} leaves no channel at {self.resolution} pixels"
            )

    @property
    def num_ws(self) -> int:
        """Rows of a W+ latent: one a convolution and one for the last toRGB."""
        return 2 * self.resolution.bit_length() - 4

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Sides of the blocks: 4, 8 … ``resolution``."""
        return tuple(2**power for power in range(2, self.resolution.bit_length()))

    def channels(self, resolution: int) -> int:
        """Channels of the activations at a resolution."""
        return min(self.channel_base // resolution, self.channel_max)


class FullyConnected(nn.Module):
    """A linear layer with an equalised learning rate: stored weights are unit normal, scaled when used."""

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0, bias: float = 0.0) -> None:
        """``rate`` scales the learning rate; ``bias`` is where the bias starts."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.weight_gain = rate / math.sqrt(inputs)
        self.bias_gain = rate

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` to ``[..., outputs]``."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.linear(x, weight * self.weight_gain, bias * self.bias_gain)


class MappingNetwork(nn.Module):
    """z to w; unconditional.

    Unlike in adversarial training, ``w_avg`` does not move in training mode: it belongs to the prior.
    """

    w_avg: Tensor

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.num_ws, self.layers = config.num_ws, config.mapping_layers
        for layer in range(config.mapping_layers):
            inputs = config.z_dim if layer == 0 else config.w_dim
            self.add_module(f"fc{layer}", FullyConnected(inputs, config.w_dim, MAPPING_RATE))
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """Style latents of random ones.

        Args:
            z: ``[B, z_dim]``, normal.
            truncation: 1 leaves w alone, 0 makes it ``w_avg``, and between them they are mixed.

        Returns:
            ``[B, num_ws, w_dim]``, all rows of a sample equal.
        """
        w = self.w(z)
        if truncation != 1.0:
            w = self.w_avg.to(w.dtype).lerp(w, truncation)
        return w[:, None].repeat(1, self.num_ws, 1)

    def w(self, z: Tensor) -> Tensor:
        """``[B, z_dim]`` to ``[B, w_dim]``, without truncation."""
        with _full_precision(z):
            x = z.to(_wide(self.w_avg.dtype))
            x = x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()
            for layer in range(self.layers):
                x = F.leaky_relu(self.get_submodule(f"fc{layer}")(x), SLOPE) * GAIN
        return x


class SynthesisLayer(nn.Module):
    """A modulated 3×3 convolution with noise, bias and leaky rectifier; optionally up-sampling by two."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, resolution: int, config: StyleGan2Config, up: bool) -> None:
        """``resolution`` is that of the output; ``up`` says that the input has half of it."""
        super().__init__()
        self.up, self.clamp, self.resolution = up, config.conv_clamp, resolution
        self.affine = FullyConnected(config.w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("resample_filter", low_pass())

    def forward(self, x: Tensor, style: Tensor, noise: Noise) -> Tensor:
        """Activations ``[B, inputs, h, h]`` and style ``[B, inputs]`` to ``[B, outputs, r, r]``."""
        weight: Tensor = self.weight
        half = torch.float16 in (x.dtype, _autocast_dtype(x))
        with _full_precision(x):
            scale = style.to(_wide(style.dtype))
            if half:
                # Demodulation takes these factors out again; in between, half floats do not overflow.
                largest = weight.abs().amax((1, 2, 3), keepdim=True)
                weight = weight / (largest * math.sqrt(weight[0].numel()))
                scale = scale / scale.abs().amax(1, keepdim=True)
            energy = weight.to(scale.dtype).square().sum((2, 3))
            # √2 moves from behind the rectifier to before it, where it costs no pass over the activations.
            after = GAIN * (scale.square() @ energy.T + EPSILON).rsqrt()
        x = _scaled(x, scale)
        if self.up:
            x = upsampling_convolution(x, weight.to(x.dtype), self.resample_filter)
        else:
            x = F.conv2d(x, weight.to(x.dtype), padding=1)
        x = _scaled(x, after) + (GAIN * self.bias).to(x.dtype)[:, None, None]
        if noise != "none":
            x = x + (GAIN * self.noise_strength * self._noise(x, noise)).to(x.dtype)
        x = F.leaky_relu(x, SLOPE)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)

    def _noise(self, x: Tensor, noise: Noise) -> Tensor:
        if noise == "const":
            return self.noise_const
        return torch.randn(len(x), 1, *x.shape[2:], dtype=self.noise_const.dtype, device=x.device)


class ToRgb(nn.Module):
    """A modulated 1×1 convolution without demodulation, to the output's channels."""

    def __init__(self, inputs: int, config: StyleGan2Config) -> None:
        super().__init__()
        self.clamp = config.conv_clamp
        self.affine = FullyConnected(config.w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))
        self.weight_gain = 1.0 / math.sqrt(inputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Activations ``[B, inputs, r, r]`` and style ``[B, inputs]`` to ``[B, img_channels, r, r]``."""
        x = F.conv2d(_scaled(x, style * self.weight_gain), self.weight.to(x.dtype))
        x = x + self.bias.to(x.dtype)[:, None, None]
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """The layers of one resolution."""

    resample_filter: Tensor

    def __init__(self, resolution: int, config: StyleGan2Config) -> None:
        super().__init__()
        channels = config.channels(resolution)
        self.resolution = resolution
        self.const: nn.Parameter | None = None
        self.conv0: SynthesisLayer | None = None
        if resolution == 4:
            self.const = nn.Parameter(torch.randn(channels, 4, 4))
        else:
            before = config.channels(resolution // 2)
            self.conv0 = SynthesisLayer(before, channels, resolution, config, up=True)
        self.conv1 = SynthesisLayer(channels, channels, resolution, config, up=False)
        self.torgb = ToRgb(channels, config)
        self.register_buffer("resample_filter", low_pass())

    @property
    def layers(self) -> tuple[SynthesisLayer | ToRgb, ...]:
        """Layers in the order in which styles are listed."""
        return (self.conv1, self.torgb) if self.conv0 is None else (self.conv0, self.conv1, self.torgb)

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        styles: Sequence[Tensor],
        noise: Noise,
        added: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Activations and picture of half the size (None in the first block) to those of this size."""
        if self.const is not None:
            x = self.const[None].expand(len(styles[0]), -1, -1, -1)
        else:
            assert self.conv0 is not None
            assert x is not None
            x = self.conv0(x, styles[0], noise)
        if added is not None:
            x = x + added.to(x.dtype)
        x = self.conv1(x, styles[-2], noise)
        y = self.torgb(x, styles[-1])
        y = y.to(_wide(y.dtype))  # pictures add up: half floats would band
        return x, y if image is None else upsampled(image, self.resample_filter) + y


class SynthesisNetwork(nn.Module):
    """W+ or StyleSpace to pictures.

    Attributes:
        config: its shape.
        num_ws, w_dim: shape of a W+ latent.
        resolutions: sides of the blocks, 4 … ``config.resolution``.
    """

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.config = config
        self.num_ws, self.w_dim = config.num_ws, config.w_dim
        self.resolutions = config.resolutions
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(resolution, config))

    def block(self, resolution: int) -> SynthesisBlock:
        """The block of a resolution."""
        found = self.get_submodule(f"b{resolution}")
        assert isinstance(found, SynthesisBlock)
        return found

    def blocks(self, size: int | None = None) -> list[SynthesisBlock]:
        """Blocks up to a size (None: all). Raises ValueError where no block has that size."""
        size = self.resolutions[-1] if size is None else size
        if size not in self.resolutions:
            sizes = ", ".join(map(str, self.resolutions))
            raise ValueError(f"This network renders at {sizes} pixels, not at {size}.")
        return [self.block(resolution) for resolution in self.resolutions if resolution <= size]

    def style_rows(self, size: int | None = None) -> list[int]:
        """For each style, in their order, the row of W+ from which it comes.

        A block's toRGB shares its row with the next block's first convolution.
        """
        rows: list[int] = []
        for block in self.blocks(size):
            first = rows[-1] if rows else 0
            rows.extend(first + step for step in range(len(block.layers)))
        return rows

    def forward(
        self,
        ws: Tensor,
        *,
        noise: Noise = "const",
        size: int | None = None,
        added: Mapping[int, Tensor] | None = None,
    ) -> Tensor:
        """Render W+ latents.

        Args:
            ws: ``[B, num_ws, w_dim]``.
            noise: the stored noise, none, or fresh noise for every sample from torch's global generator.
            size: stop after the block of this resolution, with the sum of its and all earlier toRGB layers.
            added: activations ``[B or 1, C(r), r, r]`` added at resolution r after the first convolution of
                its block (at 4: to the constant).

        Returns:
            ``[B, img_channels, size, size]``, about -1..1 but not clipped; at least float32.

        Raises:
            ValueError: latents of another shape, a size without a block, or added activations that would not
                be used.
        """
        return self.from_styles(self.styles(ws, size), noise=noise, size=size, added=added)

    def styles(self, ws: Tensor, size: int | None = None) -> list[Tensor]:
        """StyleSpace: the affine output ``[B, C]`` of every layer up to ``size``.

        In order b4.conv1, b4.torgb, b8.conv0, b8.conv1, b8.torgb, … C: the layer's input channels.
        """
        if ws.shape[1:] != (self.num_ws, self.w_dim):
            wanted = f"[B, {self.num_ws}, {self.w_dim}]"
            raise ValueError(f"W+ latents of this network are {wanted}, not {list(ws.shape)}.")
        layers = [layer for block in self.blocks(size) for layer in block.layers]
        with _full_precision(ws):
            ws = ws.to(_wide(torch.promote_types(ws.dtype, layers[0].affine.weight.dtype)))
            rows = self.style_rows(size)
            return [layer.affine(ws[:, row]) for layer, row in zip(layers, rows, strict=True)]

    def from_styles(
        self,
        styles: Sequence[Tensor],
        *,
        noise: Noise = "const",
        size: int | None = None,
        added: Mapping[int, Tensor] | None = None,
    ) -> Tensor:
        """Render a point of StyleSpace: as :meth:`forward`, but from what :meth:`styles` returns.

        Styles beyond ``size`` are not used.
        """
        blocks = self.blocks(size)
        added = added or {}
        if unused := set(added) - {block.resolution for block in blocks}:
            sizes = ", ".join(map(str, sorted(unused)))
            raise ValueError(f"Activations cannot be added at {sizes} pixels: no such block is rendered.")
        x: Tensor | None = None
        image: Tensor | None = None
        used = 0
        for block in blocks:
            count = len(block.layers)
            own = styles[used : used + count]
            x, image = block(x, image, own, noise, added.get(block.resolution))
            used += count
        assert image is not None
        return image

    def noise_maps(self) -> dict[str, Tensor]:
        """The stored noise ``[r, r]`` of every convolution by its name in the state dict, coarse to fine.

        They are buffers, hence not among the parameters; a projector that optimises them calls
        ``requires_grad_()`` on them, hands them to its optimiser, and regularises them.
        """
        return {name: buffer for name, buffer in self.named_buffers() if name.endswith("noise_const")}


class Generator(nn.Module):
    """Mapping and synthesis: z to pictures; named as ADA-PyTorch's unconditional generator."""

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.config = config
        self.synthesis = SynthesisNetwork(config)
        self.mapping = MappingNetwork(config)

    def forward(
        self,
        z: Tensor,
        truncation: float = 1.0,
        *,
        noise: Noise = "const",
        size: int | None = None,
    ) -> Tensor:
        """``[B, z_dim]`` to ``[B, img_channels, size, size]``; see :class:`SynthesisNetwork`."""
        image: Tensor = self.synthesis(self.mapping(z, truncation), noise=noise, size=size)
        return image


def low_pass() -> Tensor:
    """The ``[4, 4]`` filter of up-sampling; its sum is 1."""
    taps = torch.tensor(FIR)
    return torch.outer(taps, taps) / taps.sum().square()


def upsampling_convolution(x: Tensor, weight: Tensor, taps: Tensor) -> Tensor:
    """Insert zeros between pixels, convolve with a 3×3 kernel and then with the low-pass filter.

    A true convolution (the kernel is mirrored against PyTorch's correlation), in one transposed convolution.

    Args:
        x: ``[B, I, h, h]``.
        weight: ``[O, I, 3, 3]``.
        taps: ``[4, 4]``.

    Returns:
        ``[B, O, 2h, 2h]``.
    """
    return _filtered(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), taps)


def upsampled(image: Tensor, taps: Tensor) -> Tensor:
    """``[B, C, h, h]`` to ``[B, C, 2h, 2h]``: zeros between pixels, then the low-pass filter ``[4, 4]``.

    Outside the picture is zero, too.
    """
    channels = image.shape[1]
    kernel = (4.0 * taps).to(image.dtype).expand(channels, 1, 4, 4)
    with _full_precision(image):
        return F.conv_transpose2d(image, kernel, stride=2, padding=1, groups=channels)


def _filtered(x: Tensor, taps: Tensor) -> Tensor:
    """Each channel convolved with the low-pass filter, times 4 for the zeros that were inserted."""
    channels = x.shape[1]
    kernel = (4.0 * taps).flip(0, 1).to(x.dtype).expand(channels, 1, 4, 4)
    return F.conv2d(x, kernel, padding=1, groups=channels)


def _scaled(x: Tensor, by: Tensor) -> Tensor:
    return x * by.to(x.dtype)[:, :, None, None]


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """No autocasting in here, on devices that have it (meta has not)."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def _autocast_dtype(x: Tensor) -> torch.dtype | None:
    kind = x.device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)
