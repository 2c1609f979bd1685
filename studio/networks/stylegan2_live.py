"""StyleGAN2's synthesis for live rendering: the same picture with less work.

What does not change from frame to frame is computed once: sums of squared kernels (demodulation is then one
small matrix product), gains, noise maps. For pivots, the styles of all layers are cached: affine maps commute
with blending, so a blend costs one matrix product, and only rows that an expression moves need more. For the
same reason whatever moves W+ by a fixed amount moves the styles by a fixed amount, and is one addition.

Modulation takes whichever of two equal forms costs less: for a single picture, layers with more pixels than
kernel entries modulate the kernel, and the others scale activations before and after. Demodulation of
up-sampling layers rides in their low-pass filter. Skip pictures are up-sampled bilinearly, which, with zeros
around them, is that filter.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.networks.stylegan2 import (
    EPSILON,
    GAIN,
    SLOPE,
    SynthesisBlock,
    SynthesisLayer,
    SynthesisNetwork,
    ToRgb,
    low_pass,
    upsampled,
)

HALF_CLAMP = 256.0
"""Bound on activations in float16 (Karras et al. 2020, ADA, appendix)."""


@dataclass(frozen=True)
class LiveSettings:
    """How a synthesis network is run live."""

    acceleration: Literal["auto", "none", "graph", "compile"] = "auto"
    """auto records a CUDA graph on NVIDIA cards and does nothing elsewhere; compile uses torch.compile, which
    needs a C++ compiler (processor) or Triton (NVIDIA) and takes a minute at the first frame."""
    half_blocks: int = 4
    """Of the blocks, that many with the highest resolutions run in half precision, when it is asked for."""
    channels_last: bool = True
    """Keep the channels of a pixel together in memory: faster on processors and on tensor cores."""
    modulate: Literal["auto", "kernel", "activations"] = "auto"
    """What modulation scales: auto takes the cheaper for every layer; batches always scale activations."""
    noise: bool = True
    """Add the stored noise."""


class LiveSynthesis(nn.Module):
    """A snapshot of a synthesis network for inference: make a new one when the weights change.

    Equal to the network to about 1e-5 in float32. Nothing here has a gradient. With a CUDA graph, each batch
    size and set of added resolutions is recorded at its first frame; tensors given later are copied in.

    Attributes:
        size: side of the pictures.
        num_ws, w_dim: shape of a W+ latent.
        channels: C, of the styles of all layers together; fewer than the network's where ``size`` is smaller.
    """

    def __init__(
        self,
        synthesis: SynthesisNetwork,
        size: int | None = None,
        dtype: torch.dtype | None = None,
        settings: LiveSettings | None = None,
    ) -> None:
        """Prepare a network on its present device.

        Args:
            synthesis: the network; it is left as it is, and its weights are copied.
            size: side of the pictures: the network's or a smaller one.
            dtype: float16 or bfloat16 for the blocks of the highest resolutions; None: as the network.
            settings: see :class:`LiveSettings`.
        """
        super().__init__()
        self.settings = settings or LiveSettings()
        full = torch.promote_types(next(synthesis.parameters()).dtype, torch.float32)
        if next(synthesis.parameters()).dtype != full:
            synthesis = copy.deepcopy(synthesis).to(full)
        blocks = synthesis.blocks(size)
        self.size = blocks[-1].resolution
        self.num_ws, self.w_dim = synthesis.num_ws, synthesis.w_dim
        self.rows = synthesis.style_rows(self.size)
        first_half = self.size >> (self.settings.half_blocks - 1)
        self.blocks = nn.ModuleList(
            _LiveBlock(block, dtype if dtype and block.resolution >= first_half else full, self.settings)
            for block in blocks
        )
        affines = [layer.affine for block in blocks for layer in block.layers]
        self.widths = [len(affine.weight) for affine in affines]
        self.channels = sum(self.widths)
        for k, affine in enumerate(affines):
            matrix = (affine.weight.detach() * affine.weight_gain).T.contiguous()
            self.register_buffer(f"affine{k}", matrix)
        biases = [affine.bias.detach() * affine.bias_gain for affine in affines]
        self.register_buffer("bias", torch.cat(biases))
        self.register_buffer("pivots", None)
        self._accelerated: dict[object, Callable[..., Tensor]] = {}
        self.eval().requires_grad_(False)

    bias: Tensor
    pivots: Tensor | None

    @torch.no_grad()
    def forward(
        self, ws: Tensor, *, shift: Tensor | None = None, added: Mapping[int, Tensor] | None = None
    ) -> Tensor:
        """W+ latents ``[B, num_ws, w_dim]`` to pictures ``[B, img_channels, size, size]``, at least float32.

        ``shift`` is that of :meth:`from_blend`, ``added`` that of :meth:`SynthesisNetwork.forward`.
        """
        return self._run(self._from_ws, (ws, *self._shift(shift, len(ws))), added)

    @torch.no_grad()
    def moved_styles(self, rows: Tensor) -> Tensor:
        """What an offset of W+ ``[B, num_ws, w_dim]`` adds to the styles: ``[B, C]``."""
        rows = rows.to(self.bias)
        return torch.cat([rows[:, row] @ self._affine(k) for k, row in enumerate(self.rows)], 1)

    @torch.no_grad()
    def cache_pivots(self, latents: Tensor) -> None:
        """Prepare :meth:`from_blend` for pivots ``[N, num_ws, w_dim]``; replaces earlier ones."""
        self.pivots = self.moved_styles(latents)
        self._accelerated.clear()

    @torch.no_grad()
    def from_blend(
        self,
        alpha: Tensor,
        delta: Tensor | None = None,
        *,
        shift: Tensor | None = None,
        added: Mapping[int, Tensor] | None = None,
    ) -> Tensor:
        """Render blends of the cached pivots: as ``forward(Σ αᵢ pivotᵢ + Δ)``.

        Args:
            alpha: ``[B, N]`` weights; they need not sum to 1.
            delta: ``[B, K, w_dim]`` added to the first K rows of W+.
            shift: ``[B, C]`` added to the styles of all layers, one layer after the other. None, and not
                zeros, where nothing is: then nothing is spent on it.
            added: that of :meth:`SynthesisNetwork.forward`.

        Returns:
            ``[B, img_channels, size, size]``, at least float32.
        """
        if self.pivots is None:
            raise RuntimeError("cache_pivots comes before from_blend")
        moved = self._shift(shift, len(alpha))
        if delta is None:
            return self._run(self._from_alpha, (alpha, *moved), added)
        return self._run(self._from_alpha_and_delta, (alpha, delta, *moved), added)

    def _shift(self, shift: Tensor | None, count: int) -> tuple[Tensor, ...]:
        if shift is not None and shift.shape != (count, self.channels):
            raise ValueError(f"shift must be [{count}, {self.channels}], not {list(shift.shape)}")
        return () if shift is None else (shift,)

    def _from_ws(self, ws: Tensor, shift: Tensor | None = None) -> list[Tensor]:
        biases = torch.split(self._rest(shift), self.widths, -1)
        return [torch.addmm(biases[k], ws[:, row], self._affine(k)) for k, row in enumerate(self.rows)]

    def _from_alpha(self, alpha: Tensor, shift: Tensor | None = None) -> list[Tensor]:
        assert self.pivots is not None
        return list(torch.split(torch.addmm(self._rest(shift), alpha, self.pivots), self.widths, 1))

    def _from_alpha_and_delta(
        self, alpha: Tensor, delta: Tensor, shift: Tensor | None = None
    ) -> list[Tensor]:
        moved = delta.shape[1]
        return [
            torch.addmm(style, delta[:, row], self._affine(k)) if row < moved else style
            for (k, row), style in zip(enumerate(self.rows), self._from_alpha(alpha, shift), strict=True)
        ]

    def _rest(self, shift: Tensor | None) -> Tensor:
        """Styles where W+ is zero: ``[C]``, with a shift ``[B, C]``."""
        return self.bias if shift is None else self.bias + shift

    def _affine(self, k: int) -> Tensor:
        matrix = self.get_buffer(f"affine{k}")
        assert isinstance(matrix, Tensor)
        return matrix

    def _run(
        self,
        styles: Callable[..., list[Tensor]],
        given: tuple[Tensor, ...],
        added: Mapping[int, Tensor] | None,
    ) -> Tensor:
        """Render through whatever accelerates: a function of tensors alone, so that it can be recorded."""
        places = tuple(sorted(added or {}))
        if unused := [place for place in places if place > self.size or place < 4]:
            raise ValueError(f"Activations cannot be added at {unused[0]} pixels: no such block is rendered.")
        inputs = [tensor.to(self.bias) for tensor in given]
        inputs += [(added or {})[place].to(self.bias.device) for place in places]

        def render(*tensors: Tensor) -> Tensor:
            own = tensors[len(given) :]
            return self._render(styles(*tensors[: len(given)]), dict(zip(places, own, strict=True)))

        kind = self.settings.acceleration
        if kind == "auto":
            kind = "graph" if self.bias.is_cuda else "none"
        if kind == "none":
            return render(*inputs)
        key = (styles.__name__, places, *((tensor.shape, tensor.dtype) for tensor in inputs))
        if key not in self._accelerated:
            if kind == "compile":
                self._accelerated[key] = torch.compile(render, dynamic=False)
            else:
                self._accelerated[key] = recorded(render, inputs)
        return self._accelerated[key](*inputs)

    def _render(self, styles: list[Tensor], added: Mapping[int, Tensor]) -> Tensor:
        x: Tensor | None = None
        image: Tensor | None = None
        used = 0
        for block in self.blocks:
            assert isinstance(block, _LiveBlock)
            own = styles[used : used + block.count]
            used += block.count
            x, image = block(x, image, own, added.get(block.resolution))
        assert image is not None
        return image

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        self._accelerated.clear()  # recorded work holds the old tensors
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class _LiveBlock(nn.Module):
    const: Tensor | None

    def __init__(self, block: SynthesisBlock, dtype: torch.dtype, settings: LiveSettings) -> None:
        super().__init__()
        self.resolution, self.dtype = block.resolution, dtype
        self.count = len(block.layers)
        layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        const = None if block.const is None else block.const.detach()[None].to(dtype, copy=True)
        self.register_buffer("const", None if const is None else const.contiguous(memory_format=layout))
        self.conv0 = None if block.conv0 is None else _LiveLayer(block.conv0, dtype, settings)
        self.conv1 = _LiveLayer(block.conv1, dtype, settings)
        self.torgb = _LiveToRgb(block.torgb, dtype)
        self.register_buffer("taps", block.resample_filter.clone())
        self.bilinear = torch.allclose(block.resample_filter, low_pass().to(block.resample_filter))

    taps: Tensor

    def forward(
        self, x: Tensor | None, image: Tensor | None, styles: list[Tensor], added: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.const is not None:
            x = self.const.expand(len(styles[0]), -1, -1, -1)
            x = x if added is None else x + added.to(self.dtype)
        else:
            assert x is not None
            assert self.conv0 is not None
            x = self.conv0(x.to(self.dtype), styles[0])
            x = x if added is None else x.add_(added)
        x = self.conv1(x, styles[-2])
        rgb = self.torgb(x, styles[-1])
        if image is None:
            return x, rgb
        return x, rgb.add_(_doubled(image) if self.bilinear else upsampled(image, self.taps))


class _LiveLayer(nn.Module):
    weight: Tensor
    peak: Tensor | None
    energy: Tensor
    bias: Tensor
    noise: Tensor | None
    taps: Tensor

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype, settings: LiveSettings) -> None:
        super().__init__()
        self.up, self.dtype = layer.up, dtype
        self.clamp = layer.clamp
        if dtype == torch.float16:
            self.clamp = min(HALF_CLAMP, layer.clamp or HALF_CLAMP)
        weight = layer.weight.detach()
        outputs, inputs = weight.shape[:2]
        self.register_buffer("energy", weight.square().sum((2, 3)).T.contiguous())
        peak = None
        if dtype == torch.float16:  # within range whatever the weights; the factor returns with demodulation
            peak = weight.abs().amax((1, 2, 3)) * math.sqrt(weight[0].numel())
            weight = weight / peak[:, None, None, None]
        self.register_buffer("peak", peak)
        weight = weight.transpose(0, 1) if self.up else weight
        layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.register_buffer("weight", weight.to(dtype, copy=True).contiguous(memory_format=layout))
        self.register_buffer("bias", (GAIN * layer.bias.detach()).to(dtype))
        strength = GAIN * layer.noise_strength.detach()
        noise = (strength * layer.noise_const.detach()).to(dtype)[None, None]
        self.register_buffer("noise", noise if settings.noise and bool(strength != 0) else None)
        taps = (4.0 * layer.resample_filter).flip(0, 1)[None, None].expand(outputs, 1, 4, 4)
        self.register_buffer("taps", taps.contiguous() if self.up else None)
        side = layer.resolution // 2 if self.up else layer.resolution
        pixels = inputs * side**2 + (0 if self.up else outputs * side**2)
        self.in_kernel = settings.modulate == "kernel" or (
            settings.modulate == "auto" and 9 * inputs * outputs < pixels
        )

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Activations ``[B, I, h, h]`` and style ``[B, I]`` to ``[B, O, r, r]``."""
        after = GAIN * torch.rsqrt(style.square() @ self.energy + EPSILON)
        if self.peak is not None:
            largest = style.abs().amax(1, keepdim=True)
            style, after = style / largest, after * largest * self.peak
        x = self._upsampling(x, style, after) if self.up else self._plain(x, style, after)
        if self.noise is not None:
            x.add_(self.noise)
        x = F.leaky_relu_(x, SLOPE)
        return x if self.clamp is None else x.clamp_(-self.clamp, self.clamp)

    def _plain(self, x: Tensor, style: Tensor, after: Tensor) -> Tensor:
        if self.in_kernel and len(style) == 1:
            factor = torch.outer(after[0], style[0])[:, :, None, None]
            return F.conv2d(x, (self.weight * factor).to(self.dtype), self.bias, padding=1)
        x = F.conv2d(x * _spread(style, x), self.weight, padding=1)
        return torch.addcmul(self.bias[:, None, None], x, _spread(after, x))

    def _upsampling(self, x: Tensor, style: Tensor, after: Tensor) -> Tensor:
        weight = self.weight
        if self.in_kernel and len(style) == 1:
            weight = (weight * style[0][:, None, None, None]).to(self.dtype)
        else:
            x = x * _spread(style, x)
        x = F.conv_transpose2d(x, weight, stride=2)
        channels = x.shape[1]
        if len(style) == 1:
            taps = (self.taps * after[0][:, None, None, None]).to(self.dtype)
            return F.conv2d(x, taps, self.bias, padding=1, groups=channels)
        x = F.conv2d(x, self.taps.to(self.dtype), padding=1, groups=channels)
        return torch.addcmul(self.bias[:, None, None], x, _spread(after, x))


class _LiveToRgb(nn.Module):
    weight: Tensor
    bias: Tensor

    def __init__(self, layer: ToRgb, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.clamp = layer.clamp
        if dtype == torch.float16:
            self.clamp = min(HALF_CLAMP, layer.clamp or HALF_CLAMP)
        self.register_buffer("weight", (layer.weight.detach() * layer.weight_gain)[:, :, 0, 0].clone())
        self.register_buffer("bias", layer.bias.detach().clone())

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """``[B, I, r, r]`` to ``[B, img_channels, r, r]``, at least float32."""
        weight = self.weight * style[:, None, :]
        if len(style) == 1:
            rgb = F.conv2d(x, weight[0, :, :, None, None].to(self.dtype), self.bias.to(self.dtype))
        else:
            pixels = torch.matmul(weight.to(self.dtype), x.flatten(2))
            rgb = pixels.reshape(*pixels.shape[:2], *x.shape[2:]) + self.bias.to(self.dtype)[:, None, None]
        if self.clamp is not None:
            rgb = rgb.clamp_(-self.clamp, self.clamp)
        return rgb.to(self.bias.dtype)  # pictures add up: half floats would band


def _spread(factors: Tensor, x: Tensor) -> Tensor:
    return factors.to(x.dtype)[:, :, None, None]


def _doubled(image: Tensor) -> Tensor:
    """``[B, C, h, h]`` to ``[B, C, 2h, 2h]``: the filter [1, 3, 3, 1], with zeros outside, is bilinear."""
    ringed = F.pad(image, (1, 1, 1, 1))
    return F.interpolate(ringed, scale_factor=2, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]


def recorded(render: Callable[..., Tensor], inputs: list[Tensor]) -> Callable[..., Tensor]:
    """A CUDA graph of a function of tensors, for inputs of these shapes on a card.

    It may read other tensors, which must stay where they are, and decide nothing by what is in any.
    """
    held = [tensor.clone() for tensor in inputs]
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # libraries choose their algorithms before anything is recorded
        for _ in range(3):
            render(*held)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        image = render(*held)

    def replay(*tensors: Tensor) -> Tensor:
        for place, tensor in zip(held, tensors, strict=True):
            place.copy_(tensor)
        graph.replay()
        return image.clone()

    return replay
