"""StyleGAN2 from its equations, sample by sample in float64: the readable twin of studio.networks.stylegan2.

Karras et al. 2020, sections 2 and 4, on the tensors of a state dict: w'_ijk = s_i · w_ijk and
w''_ijk = w'_ijk / √(Σ_ik w'_ijk² + ε). Up-sampling inserts zeros, filters with [1, 3, 3, 1] and convolves
with the mirrored kernel; each step has its own function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]


def slow_mapping(weights: Weights, z: Tensor, truncation: float, num_ws: int) -> Tensor:
    """``[B, z_dim]`` to ``[B, num_ws, w_dim]``."""
    out = []
    for sample in z.double():
        x = sample / torch.sqrt((sample**2).mean() + 1e-8)
        layer = 0
        while f"mapping.fc{layer}.weight" in weights:
            w = weights[f"mapping.fc{layer}.weight"].double() * 0.01 / math.sqrt(len(x))
            x = w @ x + weights[f"mapping.fc{layer}.bias"].double() * 0.01
            x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)
            layer += 1
        average = weights["mapping.w_avg"].double()
        out.append((average + truncation * (x - average)).expand(num_ws, -1))
    return torch.stack(out)


def slow_styles(weights: Weights, ws: Tensor, size: int) -> list[Tensor]:
    """``[B, num_ws, w_dim]`` to the style of every layer, ``[B, C]``."""
    styles = []
    row = 0
    for r in resolutions(size):
        for layer in ("conv1", "torgb") if r == 4 else ("conv0", "conv1", "torgb"):
            styles.append(
                torch.stack([affine(weights, f"synthesis.b{r}.{layer}", w[row]) for w in ws.double()])
            )
            row += layer != "torgb"  # a toRGB layer shares its row with the next block's first convolution
    return styles


def slow_synthesis(
    weights: Weights,
    styles: list[Tensor],
    size: int,
    noise: bool = True,
    added: Mapping[int, Tensor] | None = None,
    clamp: float = math.inf,
) -> Tensor:
    """Styles of every layer to ``[B, img_channels, size, size]``."""
    pictures = []
    for sample in range(len(styles[0])):
        order = iter(style[sample].double() for style in styles)
        picture = None
        x = weights["synthesis.b4.const"].double()
        for r in resolutions(size):
            name = f"synthesis.b{r}"
            if r > 4:
                x = layer(weights, f"{name}.conv0", x, next(order), noise, clamp)
            if added is not None and r in added:
                x = x + added[r][sample].double()
            x = layer(weights, f"{name}.conv1", x, next(order), noise, clamp)
            style = next(order) / math.sqrt(len(x))
            kernel = weights[f"{name}.torgb.weight"].double() * style[:, None, None]
            rgb = correlate(x, kernel, 0) + weights[f"{name}.torgb.bias"].double()[:, None, None]
            rgb = rgb.clamp(-clamp, clamp)
            if picture is not None:
                rgb = rgb + filtered(with_zeros(picture), before=2, after=1)
            picture = rgb
        assert picture is not None
        pictures.append(picture)
    return torch.stack(pictures)


def resolutions(size: int) -> list[int]:
    return [2**k for k in range(2, size.bit_length())]


def affine(weights: Weights, name: str, w: Tensor) -> Tensor:
    matrix = weights[f"{name}.affine.weight"].double() / math.sqrt(len(w))
    return matrix @ w + weights[f"{name}.affine.bias"].double()


def layer(weights: Weights, name: str, x: Tensor, style: Tensor, noise: bool, clamp: float) -> Tensor:
    """Activations ``[I, h, h]`` and style ``[I]`` to ``[O, r, r]``."""
    kernel = weights[f"{name}.weight"].double().clone()
    for i in range(len(style)):
        kernel[:, i] *= style[i]
    for o in range(len(kernel)):
        kernel[o] /= torch.sqrt((kernel[o] ** 2).sum() + 1e-8)
    if name.endswith("conv0"):
        # 3 before and 2 after leave room for the 3x3 kernel (1, 1) and for the filter (2, 1).
        x = filtered(with_zeros(x), before=3, after=2)
        x = correlate(x, kernel.flip(2, 3), 0)
    else:
        x = correlate(x, kernel, 1)
    if noise:
        x = x + weights[f"{name}.noise_strength"].double() * weights[f"{name}.noise_const"].double()
    x = x + weights[f"{name}.bias"].double()[:, None, None]
    return (torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)).clamp(-clamp, clamp)


def with_zeros(x: Tensor) -> Tensor:
    """``[C, h, h]`` to ``[C, 2h, 2h]``: a zero after every value, along both axes."""
    channels, h, w = x.shape
    out = x.new_zeros(channels, 2 * h, 2 * w)
    for i in range(h):
        for j in range(w):
            out[:, 2 * i, 2 * j] = x[:, i, j]
    return out


def filtered(x: Tensor, before: int, after: int) -> Tensor:
    """Zeros around, then the filter [1, 3, 3, 1] along both axes wherever it fits; gain 2 an axis."""
    x = F.pad(x, (before, after, before, after))
    taps = [1 / 4, 3 / 4, 3 / 4, 1 / 4]
    fits = x.shape[1] - 3
    rows = torch.stack([tap * x[:, k : k + fits] for k, tap in enumerate(taps)]).sum(0)
    return torch.stack([tap * rows[:, :, k : k + fits] for k, tap in enumerate(taps)]).sum(0)


def correlate(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """``[I, h, h]`` with ``[O, I, k, k]``, tap by tap."""
    size = kernel.shape[-1]
    x = F.pad(x, (padding, padding, padding, padding))
    h, w = x.shape[1] - size + 1, x.shape[2] - size + 1
    out = x.new_zeros(len(kernel), h, w)
    for a in range(size):
        for b in range(size):
            out += torch.einsum("oi,ihw->ohw", kernel[:, :, a, b], x[:, a : a + h, b : b + w])
    return out
