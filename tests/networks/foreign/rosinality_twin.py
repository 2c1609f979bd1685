"""rosinality's generator, slow and readable, straight from its state dict: the reference for its layout."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

WIDTH = 16
"""Of z and w."""
CHANNELS = {4: 12, 8: 12, 16: 8, 32: 4}
KERNEL = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 16
"""Its sum is 4: rosinality stores the filter multiplied for up-sampling."""


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """A ``g_ema`` with random weights, 32 pixels."""
    source = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> Tensor:
        return torch.randn(shape, generator=source)

    state: dict[str, Tensor] = {}

    def modulated(name: str, inputs: int, outputs: int, size: int) -> None:
        state[f"{name}.conv.weight"] = rand(1, outputs, inputs, size, size)
        state[f"{name}.conv.modulation.weight"] = rand(inputs, WIDTH)
        state[f"{name}.conv.modulation.bias"] = 1 + 0.2 * rand(inputs)

    def styled(name: str, inputs: int, outputs: int) -> None:
        modulated(name, inputs, outputs, 3)
        state[f"{name}.noise.weight"] = rand(1)
        state[f"{name}.activate.bias"] = 0.3 * rand(outputs)

    def to_rgb(name: str, inputs: int) -> None:
        modulated(name, inputs, 3, 1)
        state[f"{name}.bias"] = 0.3 * rand(1, 3, 1, 1)

    for layer in range(1, 4):
        state[f"style.{layer}.weight"] = 100 * rand(WIDTH, WIDTH)
        state[f"style.{layer}.bias"] = 20 * rand(WIDTH)
    state["input.input"] = rand(1, CHANNELS[4], 4, 4)
    styled("conv1", CHANNELS[4], CHANNELS[4])
    to_rgb("to_rgb1", CHANNELS[4])
    state["noises.noise_0"] = rand(1, 1, 4, 4)
    for step, side in enumerate((8, 16, 32)):
        styled(f"convs.{2 * step}", CHANNELS[side // 2], CHANNELS[side])
        state[f"convs.{2 * step}.conv.blur.kernel"] = KERNEL.clone()
        styled(f"convs.{2 * step + 1}", CHANNELS[side], CHANNELS[side])
        to_rgb(f"to_rgbs.{step}", CHANNELS[side])
        state[f"to_rgbs.{step}.upsample.kernel"] = KERNEL.clone()
        state[f"noises.noise_{2 * step + 1}"] = rand(1, 1, side, side)
        state[f"noises.noise_{2 * step + 2}"] = rand(1, 1, side, side)
    return state


def mapping(state: dict[str, Tensor], z: Tensor) -> Tensor:
    """``[B, 16]`` to w ``[B, 16]``."""
    x = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for layer in range(1, 4):
        weight = state[f"style.{layer}.weight"] * (0.01 / math.sqrt(WIDTH))
        x = F.leaky_relu(x @ weight.T + 0.01 * state[f"style.{layer}.bias"], 0.2) * math.sqrt(2)
    return x


def filtered(x: Tensor, before: int, after: int) -> Tensor:
    """Padded, then each channel through the filter (convolved, not correlated; it is symmetric anyway)."""
    x = F.pad(x, (before, after, before, after))
    kernel = KERNEL.to(x).flip(0, 1).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, kernel, groups=x.shape[1])


def synthesis(state: dict[str, Tensor], latents: Tensor) -> Tensor:
    """One sample's W+ rows ``[8, 16]`` to ``[3, 32, 32]``."""

    def modulated(name: str, x: Tensor, w: Tensor, up: bool, demodulate: bool) -> Tensor:
        weight = state[f"{name}.conv.weight"][0]
        fan_in = weight[0].numel()
        style = state[f"{name}.conv.modulation.weight"] @ w / math.sqrt(WIDTH)
        style = style + state[f"{name}.conv.modulation.bias"]
        weight = weight / math.sqrt(fan_in) * style[:, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            return filtered(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1, 1)
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2)

    def styled(name: str, x: Tensor, w: Tensor, noise: int, up: bool = False) -> Tensor:
        x = modulated(name, x, w, up, True)
        x = x + state[f"{name}.noise.weight"] * state[f"noises.noise_{noise}"]
        return F.leaky_relu(x + state[f"{name}.activate.bias"][:, None, None], 0.2) * math.sqrt(2)

    def to_rgb(name: str, x: Tensor, w: Tensor) -> Tensor:
        return modulated(name, x, w, False, False) + state[f"{name}.bias"]

    x = styled("conv1", state["input.input"], latents[0], 0)
    image = to_rgb("to_rgb1", x, latents[1])
    for step in range(3):
        row = 2 * step + 1
        x = styled(f"convs.{2 * step}", x, latents[row], 2 * step + 1, up=True)
        x = styled(f"convs.{2 * step + 1}", x, latents[row + 1], 2 * step + 2)
        spread = torch.zeros(1, 3, 2 * image.shape[2], 2 * image.shape[3], dtype=image.dtype)
        spread[:, :, ::2, ::2] = image
        image = filtered(spread, 2, 1) + to_rgb(f"to_rgbs.{step}", x, latents[row + 2])
    return image[0]
