"""GFPGAN's published checkpoints. Names are kept."""

from __future__ import annotations

import re
from dataclasses import asdict

import torch

from studio.networks.foreign.file import Converted, ForeignFile, Unlike, fitted, shape_of
from studio.networks.gfpgan import Gfpgan, GfpganConfig

_LAYER = re.compile(r"stylegan_decoder\.style_convs\.(\d+)\.bias")


def gfpgan_from_published(file: ForeignFile) -> Converted:
    """A file of :func:`read_foreign`'s kind ``gfpgan`` as :class:`Gfpgan`. Raises :class:`Unlike`."""
    tensors = file.tensors
    layers = sorted(int(match[1]) for name in tensors if (match := _LAYER.fullmatch(name)))
    if not layers or layers != list(range(len(layers))) or len(layers) % 2:
        raise Unlike("its generator has not two layers for each side")
    widths = [shape_of(tensors, "stylegan_decoder.constant_input.weight", 4)[1]]
    widths += [shape_of(tensors, f"stylegan_decoder.style_convs.{n}.bias", 4)[1] for n in layers[::2]]
    w_dim = shape_of(tensors, "stylegan_decoder.style_conv1.modulated_conv.modulation.weight", 2)[1]
    try:
        config = GfpganConfig(tuple(widths), w_dim)
    except ValueError as error:
        raise Unlike(str(error).rstrip(".")) from None
    if shape_of(tensors, "final_linear.weight", 2)[0] == w_dim:
        raise Unlike(
            "it gives all layers of its generator the same style; only versions 1.2 to 1.4 are known"
        )
    with torch.device("meta"):
        expected = Gfpgan(config).state_dict()
    return Converted("gfpgan", asdict(config), fitted(expected, tensors))
