"""Encoders of published checkpoints: e4e and pSp, ArcFace IR-SE50, DECA. Names are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from studio.networks.deca_encoder import DecaConfig, DecaEncoder
from studio.networks.e4e_encoder import E4eConfig, E4eEncoder
from studio.networks.foreign.file import Converted, ForeignFile, Unlike, fitted, shape_of
from studio.networks.ir_se50 import UNITS, IrSe50, IrSe50Config


def ir_se50_from_arcface(file: ForeignFile) -> Converted:
    """A file of kind ``arcface`` as :class:`IrSe50`. Raises :class:`Unlike`."""
    tensors = dict(file.tensors)
    widths, squeeze = _body_shape(tensors)
    config = IrSe50Config(widths, squeeze, shape_of(tensors, "output_layer.3.weight", 2)[0])
    notes = []
    if "output_layer.4.weight" not in tensors:
        # Some training codes normalise the embedding without a learnt scale.
        tensors["output_layer.4.weight"] = torch.ones(config.embedding)
        tensors["output_layer.4.bias"] = torch.zeros(config.embedding)
        notes.append("its last normalisation has no scale of its own")
    return Converted("arcface", asdict(config), _filled(IrSe50, config, tensors), tuple(notes))


def encoder_from_e4e(file: ForeignFile) -> Converted:
    """The encoder of a file of kind ``e4e`` as :class:`E4eEncoder`. Raises :class:`Unlike`."""
    tensors = {name[8:]: value for name, value in file.tensors.items() if name.startswith("encoder.")}
    options: Mapping[str, Any] = file.about.get("options", {})
    kind = options.get("encoder_type", "Encoder4Editing")
    if kind not in {"Encoder4Editing", "GradualStyleEncoder"}:
        raise Unlike(f"its encoder is a {kind}; Encoder4Editing is expected")
    widths, squeeze = _body_shape(tensors)
    rows = sum(name.startswith("styles.") and name.endswith(".linear.weight") for name in tensors)
    if rows < 4:
        raise Unlike("it has no styles")
    config = E4eConfig(rows, widths[-1], widths, squeeze, residual=kind == "Encoder4Editing")
    if shape_of(tensors, "styles.0.linear.weight", 2)[0] != config.w_dim:
        raise Unlike("its styles are not as wide as its features")
    average = torch.zeros(rows, config.w_dim)
    if options.get("start_from_latent_avg", True):
        found = file.tensors.get("latent_avg")
        if found is None:
            raise Unlike("it has no latent_avg, from which its latents are counted")
        if found.shape not in {(config.w_dim,), (1, config.w_dim), (rows, config.w_dim)}:
            raise Unlike(f"latent_avg has the shape {list(found.shape)}")
        average = found.expand(rows, config.w_dim)
    tensors["latent_avg"] = average
    return Converted("e4e", asdict(config), _filled(E4eEncoder, config, tensors))


def encoder_from_deca(file: ForeignFile) -> Converted:
    """``E_flame`` of a file of kind ``deca`` as :class:`DecaEncoder`. Raises :class:`Unlike`."""
    tensors = {name[8:]: value for name, value in file.tensors.items()}
    config = DecaConfig(
        width=shape_of(tensors, "encoder.conv1.weight", 4)[0],
        hidden=shape_of(tensors, "layers.0.weight", 2)[0],
    )
    return Converted("deca", asdict(config), _filled(DecaEncoder, config, tensors))


def _filled(network: type[nn.Module], config: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    with torch.device("meta"):
        expected = network(config).state_dict()
    return fitted(expected, tensors)


def _body_shape(tensors: Mapping[str, Tensor]) -> tuple[tuple[int, int, int, int], int]:
    """Widths of the four stages of an IR-SE50 body, and the narrowing of its channel attention."""
    widths, unit = [], 0
    for count in UNITS:
        outputs, between = shape_of(tensors, f"body.{unit}.res_layer.5.fc2.weight", 4)[:2]
        widths.append(outputs)
        squeeze = outputs // between
        unit += count
    return (widths[0], widths[1], widths[2], widths[3]), squeeze
