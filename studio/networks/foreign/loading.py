"""Our networks with the weights of a foreign file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from studio.domain.problem import Problem
from studio.networks.deca_encoder import DecaConfig, DecaEncoder
from studio.networks.e4e_encoder import E4eConfig, E4eEncoder
from studio.networks.eg3d import Eg3dConfig, Eg3dGenerator
from studio.networks.foreign.cache import converted
from studio.networks.foreign.eg3d import eg3d_from_nvidia
from studio.networks.foreign.encoders import encoder_from_deca, encoder_from_e4e, ir_se50_from_arcface
from studio.networks.foreign.gfpgan import gfpgan_from_published
from studio.networks.foreign.nvidia import generator_from_nvidia
from studio.networks.foreign.rosinality import generator_from_rosinality
from studio.networks.gfpgan import Gfpgan, GfpganConfig
from studio.networks.ir_se50 import IrSe50, IrSe50Config
from studio.networks.stylegan2 import Generator, StyleGan2Config

N = TypeVar("N", bound=nn.Module)
About = dict[str, Any]
"""The card of a conversion, see :func:`studio.networks.foreign.cache.converted`."""


def load_generator(path: Path, cache: Path) -> tuple[Generator, About]:
    """A StyleGAN2 generator from NVIDIA's ``.pkl``, rosinality's ``.pt`` or the decoder of e4e's ``.pt``.

    Args:
        path: the file.
        cache: folder where the conversion is kept and found again.

    Returns:
        The generator in evaluation mode, on the CPU, its parameters open to training; and the card.

    Raises:
        Problem: see :func:`converted`.
    """
    tensors, card = converted(
        path,
        cache,
        "generator",
        "a StyleGAN2 generator",
        {
            "nvidia": generator_from_nvidia,
            "rosinality": generator_from_rosinality,
            "e4e": generator_from_rosinality,
        },
    )
    return _filled(Generator, StyleGan2Config(**card["config"]), tensors, path), card


def load_eg3d(path: Path, cache: Path) -> tuple[Eg3dGenerator, About]:
    """An EG3D generator from NVIDIA's ``.pkl``, such as ``ffhq512-128.pkl``; otherwise as
    :func:`load_generator`. The card's notes say what the file left open."""
    tensors, card = converted(path, cache, "eg3d", "an EG3D generator", {"eg3d": eg3d_from_nvidia})
    return _filled(Eg3dGenerator, Eg3dConfig(**_tuples(card["config"])), tensors, path), card


def load_ir_se50(path: Path, cache: Path) -> tuple[IrSe50, About]:
    """ArcFace's identity network from ``model_ir_se50.pth``, frozen; otherwise as :func:`load_generator`."""
    tensors, card = converted(
        path, cache, "ir-se50", "the ArcFace identity network", {"arcface": ir_se50_from_arcface}
    )
    return _frozen(_filled(IrSe50, IrSe50Config(**_tuples(card["config"])), tensors, path)), card


def load_e4e(path: Path, cache: Path) -> tuple[E4eEncoder, About]:
    """The encoder of ``e4e_ffhq_encode.pt``, frozen; otherwise as :func:`load_generator`."""
    tensors, card = converted(path, cache, "e4e", "the e4e encoder", {"e4e": encoder_from_e4e})
    return _frozen(_filled(E4eEncoder, E4eConfig(**_tuples(card["config"])), tensors, path)), card


def load_deca(path: Path, cache: Path) -> tuple[DecaEncoder, About]:
    """DECA's coarse encoder from ``deca_model.tar``, frozen; otherwise as :func:`load_generator`."""
    tensors, card = converted(path, cache, "deca", "DECA's encoder", {"deca": encoder_from_deca})
    return _frozen(_filled(DecaEncoder, DecaConfig(**card["config"]), tensors, path)), card


def load_gfpgan(path: Path, cache: Path) -> tuple[Gfpgan, About]:
    """The restoration network of ``GFPGANv1.4.pth``, frozen; otherwise as :func:`load_generator`."""
    tensors, card = converted(
        path, cache, "gfpgan", "the GFPGAN restoration network", {"gfpgan": gfpgan_from_published}
    )
    return _frozen(_filled(Gfpgan, GfpganConfig(**_tuples(card["config"])), tensors, path)), card


def _filled(network: type[N], config: Any, tensors: Mapping[str, Tensor], path: Path) -> N:
    """The network with these weights, without making random ones first."""
    with torch.device("meta"):
        made = network(config)
    try:
        made.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise Problem(
            f"The conversion of {path.name} does not fit any more; remove its folder from the cache."
        ) from error
    return made.eval()


def _frozen(network: N) -> N:
    """Without gradients of its own; they still pass through it."""
    return network.requires_grad_(False)


def _tuples(config: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
