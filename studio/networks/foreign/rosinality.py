"""rosinality's StyleGAN2 (also the decoder of e4e and pSp): renamed and reshaped, kernels stay as they
are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from studio.networks.foreign.file import Converted, ForeignFile, Unlike, fitted
from studio.networks.foreign.nvidia import fitted_generator, generator_config
from studio.networks.stylegan2 import MappingNetwork, StyleGan2Config, low_pass

SAMPLES = 10_000
"""Latents whose mean is the average w where the file has none."""


def generator_from_rosinality(file: ForeignFile) -> Converted:
    """The generator of a file of kind ``rosinality`` or ``e4e`` (its decoder) as ours. Raises
    :class:`Unlike`."""
    source = dict(file.tensors)
    average = source.pop("latent_avg", None)
    if file.kind == "e4e":
        source = {name[8:]: value for name, value in source.items() if name.startswith("decoder.")}
        if not source:
            raise Unlike("it holds an encoder alone, no generator")
    tensors = dict(_renamed(source))
    notes = []
    if average is not None:
        # e4e stores it once for every style; the rows are equal.
        tensors["mapping.w_avg"] = average.reshape(-1, average.shape[-1]).mean(0)
    else:
        tensors["mapping.w_avg"] = torch.zeros(_width(tensors))
    config = generator_config(tensors, None)
    if average is None:
        tensors["mapping.w_avg"] = _average(config, tensors)
        notes.append(f"the file has no average latent; it was taken over {SAMPLES:,} random ones")
    return Converted(file.kind, asdict(config), fitted_generator(config, tensors), tuple(notes))


def _width(tensors: Mapping[str, Tensor]) -> int:
    weight = tensors.get("mapping.fc0.weight")
    if weight is None or weight.ndim != 2:
        raise Unlike("it has no mapping network")
    return len(weight)


def _renamed(source: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """NVIDIA's names for rosinality's tensors."""
    for name, value in source.items():
        if name.endswith((".kernel", "upsample.kernel")) and not torch.allclose(
            value, 4.0 * low_pass(), atol=1e-5
        ):
            raise Unlike("it up-samples with another filter than StyleGAN2's")
    layers = sum(name.startswith("style.") and name.endswith(".weight") for name in source)
    for layer in range(layers):
        # style.0 normalises and has no weights.
        for part in ("weight", "bias"):
            yield f"mapping.fc{layer}.{part}", _taken(source, f"style.{layer + 1}.{part}")
    yield "synthesis.b4.const", _taken(source, "input.input", 0)
    yield from _convolution(source, "conv1", "synthesis.b4.conv1", 0)
    yield from _to_rgb(source, "to_rgb1", "synthesis.b4.torgb")
    step = 0
    while f"to_rgbs.{step}.bias" in source:
        block = f"synthesis.b{8 << step}"
        yield from _convolution(source, f"convs.{2 * step}", f"{block}.conv0", 2 * step + 1)
        yield from _convolution(source, f"convs.{2 * step + 1}", f"{block}.conv1", 2 * step + 2)
        yield from _to_rgb(source, f"to_rgbs.{step}", f"{block}.torgb")
        step += 1


def _convolution(
    source: Mapping[str, Tensor], theirs: str, ours: str, noise: int
) -> Iterator[tuple[str, Tensor]]:
    yield f"{ours}.weight", _taken(source, f"{theirs}.conv.weight", 0)
    yield f"{ours}.bias", _taken(source, f"{theirs}.activate.bias")
    yield f"{ours}.noise_strength", _taken(source, f"{theirs}.noise.weight", 0)
    yield f"{ours}.noise_const", _taken(source, f"noises.noise_{noise}", 0, 0)
    yield f"{ours}.affine.weight", _taken(source, f"{theirs}.conv.modulation.weight")
    yield f"{ours}.affine.bias", _taken(source, f"{theirs}.conv.modulation.bias")


def _to_rgb(source: Mapping[str, Tensor], theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{ours}.weight", _taken(source, f"{theirs}.conv.weight", 0)
    yield f"{ours}.bias", _taken(source, f"{theirs}.bias").reshape(-1)
    yield f"{ours}.affine.weight", _taken(source, f"{theirs}.conv.modulation.weight")
    yield f"{ours}.affine.bias", _taken(source, f"{theirs}.conv.modulation.bias")


def _taken(source: Mapping[str, Tensor], name: str, *singles: int) -> Tensor:
    """A tensor without its leading axes of length one, as many as there are ``singles``."""
    value = source.get(name)
    if value is None:
        raise Unlike(f"it has no {name}")
    for axis in singles:
        if value.ndim == 0 or value.shape[axis] != 1:
            raise Unlike(f"{name} has the shape {list(value.shape)}")
        value = value[0]
    return value


def _average(config: StyleGan2Config, tensors: Mapping[str, Tensor]) -> Tensor:
    """Mean of w over seeded random latents."""
    mapping = MappingNetwork(config)
    own = {name[8:]: value for name, value in tensors.items() if name.startswith("mapping.")}
    mapping.load_state_dict(fitted(mapping.state_dict(), own))
    latents = torch.randn(SAMPLES, config.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return mapping.w(latents).mean(0)
