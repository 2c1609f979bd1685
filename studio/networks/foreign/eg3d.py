"""NVIDIA's EG3D generators: our names are theirs, and how they look along rays is said beside the tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from studio.networks.eg3d import Eg3dConfig, Eg3dGenerator
from studio.networks.foreign.file import Converted, ForeignFile, Unlike, fitted, shape_of
from studio.networks.foreign.nvidia import generator_config
from studio.networks.stylegan2 import low_pass

_SHARP = re.compile(r"superresolution\.block(\d+)\.torgb\.weight")
NUMBERS = {
    "ray_start": "near",
    "ray_end": "far",
    "box_warp": "box",
    "decoder_lr_mul": "decoder_rate",
    "c_scale": "camera_scale",
}
"""Real numbers of NVIDIA's rendering settings by our names."""
COUNTS = {"depth_resolution": "coarse_samples", "depth_resolution_importance": "fine_samples"}
"""Whole ones."""
PUBLISHED_CLAMP = 256.0
"""Of a super-resolution whose file does not say it."""
ORDERS = {((0, 1), (0, 2), (2, 0)): "published", ((0, 1), (0, 2), (2, 1)): "all_pairs"}
"""Coordinates of the planes' columns and rows by our names."""


def eg3d_from_nvidia(file: ForeignFile) -> Converted:
    """A generator of :func:`read_foreign`'s kind ``eg3d`` as ours. Raises :class:`Unlike`."""
    tensors, notes = file.tensors, list[str]()
    shape: dict[str, Any] = {"planes": "published"}
    inside = {name.removeprefix("backbone."): value for name, value in tensors.items()}
    plain = generator_config(inside, file.about.get("conv_clamp"), None)
    shape |= {
        "z_dim": plain.z_dim - plain.w_dim,  # the camera comes beside it
        "w_dim": plain.w_dim,
        "mapping_layers": plain.mapping_layers,
        "channel_base": plain.channel_base,
        "channel_max": plain.channel_max,
        "conv_clamp": plain.conv_clamp,
        "plane_side": plain.resolution,
    }
    hidden, features = shape_of(tensors, "decoder.net.0.weight", 2)
    if plain.img_channels != 3 * features:
        raise Unlike(f"its {plain.img_channels} channels are not three planes of {features}")
    rendered = shape_of(tensors, "decoder.net.2.weight", 2)[0] - 1
    shape |= {"plane_features": features, "hidden": hidden, "rendered": rendered}
    shape |= _super_resolution(tensors, file.about.get("sharp_clamp", PUBLISHED_CLAMP))
    shape |= _rendering(file.about, notes)
    raw = file.about.get("raw_side")
    if isinstance(raw, int):
        shape["raw_side"] = raw
    order = file.about.get("plane_axes")
    if order is None:
        notes.append("its planes are taken for x·y, x·z and z·x, as in the published networks")
    else:
        pairs = tuple(tuple(pair) for pair in order)
        if pairs not in ORDERS:
            raise Unlike(f"its planes are of the coordinates {[list(pair) for pair in pairs]}")
        shape["planes"] = ORDERS[pairs]
    try:
        config = Eg3dConfig(**shape)
        with torch.device("meta"):
            expected = Eg3dGenerator(config).state_dict()
    except ValueError as error:
        raise Unlike(str(error).rstrip(".")) from None
    return Converted("eg3d", asdict(config), _fitted(expected, tensors), tuple(notes))


def _super_resolution(tensors: Mapping[str, Tensor], clamp: Any) -> dict[str, Any]:
    """Sides and channels of blocks that each double the side."""
    blocks = sorted(int(match[1]) for name in tensors if (match := _SHARP.fullmatch(name)))
    if not blocks or blocks != list(range(len(blocks))):
        raise Unlike("it has no super-resolution of the kind 8XDC or 8X")
    widths, sides = [], []
    for block in blocks:
        widths.append(shape_of(tensors, f"superresolution.block{block}.torgb.weight", 4)[1])
        sides.append(shape_of(tensors, f"superresolution.block{block}.conv1.noise_const", 2)[0])
    first = sides[0] // 2
    if sides != [first << step for step in range(1, len(sides) + 1)]:
        raise Unlike(f"its super-resolution goes by sides of {sides}; only 8XDC and 8X are known here")
    return {"side": sides[-1], "sharp": tuple(widths), "sharp_clamp": clamp}


def _rendering(about: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """What NVIDIA's rendering settings say, in our names."""
    said = about.get("rendering") or {}
    if not said:
        notes.append("it does not say how it looks along rays; FFHQ's numbers are taken")
        return {}
    if said.get("clamp_mode", "softplus") != "softplus":
        raise Unlike(f"its densities are by {said['clamp_mode']}, not by softplus")
    if said.get("disparity_space_sampling"):
        raise Unlike("it samples by disparity, which is not known here")
    # Without a scale NVIDIA's mapping network is told nothing of the camera.
    found: dict[str, Any] = {"camera_scale": 0.0}
    for theirs, ours in NUMBERS.items():
        value = said.get(theirs)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[ours] = float(value)
        elif theirs.startswith("ray_") and value is not None:
            raise Unlike(f"its {theirs} is {value}, not a number")
    for theirs, ours in COUNTS.items():
        if isinstance(said.get(theirs), int):
            found[ours] = said[theirs]
    if said.get("c_gen_conditioning_zero"):
        found["camera_scale"] = 0.0
    if "white_back" in said:
        found["white_back"] = bool(said["white_back"])
    if "sr_antialias" in said:
        found["antialias"] = bool(said["sr_antialias"])
    noise = said.get("superresolution_noise_mode", "none")
    if noise == "random":
        notes.append("its super-resolution adds fresh noise; none is added here")
    found["sharp_noise"] = "const" if noise == "const" else "none"
    return found


def _fitted(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = dict(tensors)
    for name in expected:
        if name.endswith("resample_filter"):
            given = found.setdefault(name, low_pass())
            if given.shape != (4, 4) or not torch.allclose(given, low_pass(), atol=1e-6):
                raise Unlike("it up-samples with another filter than StyleGAN2's")
    return fitted(expected, found)
