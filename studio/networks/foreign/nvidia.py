"""NVIDIA's generators (stylegan2-ada-pytorch, and StyleGAN2 networks of stylegan3): our names are theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from studio.networks.foreign.file import Converted, ForeignFile, Unlike, fitted, shape_of
from studio.networks.stylegan2 import Generator, StyleGan2Config, low_pass

_BLOCK = re.compile(r"synthesis\.b(\d+)\.torgb\.weight")


def generator_from_nvidia(file: ForeignFile) -> Converted:
    """A generator of :func:`read_foreign`'s kind ``nvidia`` as ours. Raises :class:`Unlike`."""
    tensors = file.tensors
    if any(name.startswith(("backbone.", "renderer.", "superresolution.")) for name in tensors):
        raise Unlike("it is an EG3D network; the studio uses StyleGAN2's here, such as ffhq.pkl")
    if any(name.startswith("synthesis.input.") for name in tensors):
        raise Unlike("it is a StyleGAN3 network; get a StyleGAN2 one, such as ffhq.pkl")
    if any(re.fullmatch(r"synthesis\.b\d+\.skip\.weight", name) for name in tensors):
        raise Unlike("it has residual blocks; the studio knows the generator with skip connections")
    if any(name.startswith("mapping.embed") for name in tensors):
        raise Unlike("it wants a class for every picture; get an unconditional one, such as ffhq.pkl")
    clamp = file.about.get("conv_clamp")
    config = generator_config(tensors, clamp)
    return Converted("nvidia", asdict(config), fitted_generator(config, tensors))


def generator_config(
    tensors: Mapping[str, Tensor], conv_clamp: float | None, channels: int | None = 3
) -> StyleGan2Config:
    """The config that tensors under NVIDIA's names have been made with.

    Raises :class:`Unlike`, also where pictures have other ``channels`` (None: any will do).
    """
    sides = sorted(int(match[1]) for name in tensors if (match := _BLOCK.fullmatch(name)))
    if len(sides) < 2 or sides != [4 << step for step in range(len(sides))] or sides[-1] > 1024:
        raise Unlike("it has no StyleGAN2 blocks from 4 pixels upwards")
    widths = {side: shape_of(tensors, f"synthesis.b{side}.torgb.weight", 4)[1] for side in sides}
    most = max(widths.values())
    narrower = [side * count for side, count in widths.items() if count < most]
    layers = sum(re.fullmatch(r"mapping\.fc\d+\.weight", name) is not None for name in tensors)
    shape = {
        "resolution": sides[-1],
        "w_dim": shape_of(tensors, "mapping.w_avg", 1)[0],
        "z_dim": shape_of(tensors, "mapping.fc0.weight", 2)[1],
        "channel_base": max(narrower) if narrower else most * sides[-1],
        "channel_max": most,
        "mapping_layers": layers,
        "img_channels": shape_of(tensors, "synthesis.b4.torgb.weight", 4)[0],
    }
    try:
        config = StyleGan2Config(**shape, conv_clamp=conv_clamp)
    except ValueError as error:
        raise Unlike(str(error).rstrip(".")) from None
    if any(config.channels(side) != count for side, count in widths.items()):
        raise Unlike("its channels do not follow StyleGAN2's rule")
    if channels not in (None, config.img_channels):
        raise Unlike(f"it draws pictures of {config.img_channels} channels instead of {channels}")
    return config


def fitted_generator(config: StyleGan2Config, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of our generator from tensors under its names; filters may be missing.

    Raises :class:`Unlike`, also where an up-sampling filter is not StyleGAN2's.
    """
    with torch.device("meta"):
        expected = Generator(config).state_dict()
    found: dict[str, Any] = dict(tensors)
    for name in expected:
        if name.endswith("resample_filter"):
            given = found.setdefault(name, low_pass())
            if given.shape != (4, 4) or not torch.allclose(given, low_pass(), atol=1e-6):
                raise Unlike("it up-samples with another filter than StyleGAN2's")
    return fitted(expected, found)
