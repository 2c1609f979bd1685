"""One door for foreign weights: what kind of file is it, and which tensors does it hold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.domain.problem import Problem
from studio.networks.foreign.file import ForeignFile, Kind
from studio.networks.foreign.torch_streams import PERSISTENT, ForeignTensor, read_stream
from studio.project.quarantined_pickle import Record, explaining_pickle, printable

MOST_MODULES = 10_000
"""A network of more parts than this is refused."""
DEEPEST = 64
"""Modules within modules."""
OPTIONS = ("encoder_type", "stylegan_size", "output_size", "start_from_latent_avg")
"""What is kept of e4e's options."""
RENDERING = (
    "ray_start",
    "ray_end",
    "box_warp",
    "depth_resolution",
    "depth_resolution_importance",
    "decoder_lr_mul",
    "c_scale",
    "c_gen_conditioning_zero",
    "clamp_mode",
    "disparity_space_sampling",
    "white_back",
    "sr_antialias",
    "superresolution_noise_mode",
)
"""What is kept of EG3D's rendering settings."""


def read_foreign(path: Path) -> ForeignFile:
    """Read weights that others have published, running none of the code that their pickles ask for.

    Known are StyleGAN2 generators of NVIDIA's stylegan2-ada-pytorch and stylegan3 (``.pkl``, or a whole
    module saved by torch.save, as PTI does) and of rosinality (``.pt``), NVIDIA's EG3D generators
    (``.pkl``), e4e and pSp (``.pt``), ArcFace IR-SE50 (``.pth``), DECA (``.tar``) and GFPGAN (``.pth``). The
    kind is seen from the content; names do not matter.

    Args:
        path: the file.

    Returns:
        Its tensors under their own names: of a generator ``mapping.*`` and ``synthesis.*`` (NVIDIA; the
        average of the weights where there is one), of EG3D ``backbone.*``, ``superresolution.*`` and
        ``decoder.*``, of rosinality those of ``g_ema`` and ``latent_avg``, of
        e4e ``encoder.*``, ``decoder.*`` and ``latent_avg``, of DECA ``E_flame.*``,
        of GFPGAN those of ``params_ema``.

    Raises:
        Problem: it is missing, damaged, of no known kind, or asks for anything that is not data.
    """
    with explaining_pickle(path.name), path.open("rb") as file:
        root, stream = read_stream(file, path.name)
        kind, found, about = _recognised(root, path.name)
        tensors = {name: _value(tensor) for name, tensor in found.items()}
    return ForeignFile(kind, tensors, {"source": path.name, "stream": stream, **about})


def _value(tensor: ForeignTensor) -> Tensor:
    value = tensor.value()
    return value.to(torch.float32) if value.is_floating_point() else value


Found = tuple[Kind, dict[str, ForeignTensor], dict[str, Any]]


def _recognised(root: Any, name: str) -> Found:
    if isinstance(root, Record):
        return _module(root, {"part": "module"})
    if isinstance(root, tuple | list) and any(isinstance(part, Record) for part in root):
        if any(isinstance(part, Record) and part.module.startswith("dnnlib.tflib") for part in root):
            raise Problem(
                f"{name} is a TensorFlow network of NVlabs/stylegan2; use the same network from "
                "stylegan2-ada-pytorch (ffhq.pkl) or stylegan3 (stylegan2-ffhq-1024x1024.pkl), or "
                "rosinality's stylegan2-ffhq-config-f.pt."
            )
    elif isinstance(root, Mapping):
        for part in ("G_ema", "G"):
            if isinstance(root.get(part), Record):
                return _module(root[part], {"part": part})
        if "g_ema" in root:
            return "rosinality", {**_tensors(root["g_ema"]), **_average(root)}, {"part": "g_ema"}
        state = root.get("state_dict")
        if isinstance(state, Mapping) and any(str(key).startswith("encoder.") for key in state):
            wanted = {
                key: value for key, value in state.items() if str(key).startswith(("encoder.", "decoder."))
            }
            return "e4e", {**_tensors(wanted), **_average(root)}, {"options": _options(root.get("opts"))}
        if isinstance(root.get("E_flame"), Mapping):
            found = {f"E_flame.{key}": value for key, value in _tensors(root["E_flame"]).items()}
            return (
                "deca",
                found,
                {"left_out": sorted(printable(str(key)) for key in root if key != "E_flame")},
            )
        if "input_layer.0.weight" in root:
            return "arcface", _tensors(root), {}
        if "synthesis.b4.const" in root:
            return "nvidia", _tensors(root), {"part": "state dict"}
        if "backbone.synthesis.b4.const" in root:
            return "eg3d", _tensors(root), {"part": "state dict"}
        for part in ("params_ema", "params"):
            inner = root.get(part)
            if isinstance(inner, Mapping) and "stylegan_decoder.constant_input.weight" in inner:
                return "gfpgan", _tensors(inner), {"part": part}
    raise Problem(
        f"{name} holds no weights that the studio knows: it reads StyleGAN2 generators (NVIDIA's .pkl, "
        "rosinality's .pt), EG3D, e4e, ArcFace IR-SE50, DECA and GFPGAN checkpoints."
    )


def _tensors(state: Any) -> dict[str, ForeignTensor]:
    """The tensors of a state dict."""
    if not isinstance(state, Mapping):
        raise ValueError("its state dict is none")
    return {
        key: value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, ForeignTensor)
    }


def _average(root: Mapping[str, Any]) -> dict[str, ForeignTensor]:
    average = root.get("latent_avg")
    return {"latent_avg": average} if isinstance(average, ForeignTensor) else {}


def _options(options: Any) -> dict[str, Any]:
    """Those of a Namespace or dict that matter, if they are plain."""
    state = options.state if isinstance(options, Record) else options
    state = state if isinstance(state, Mapping) else {}
    kept = {key: state[key] for key in OPTIONS if isinstance(state.get(key), str | int)}
    return {key: printable(value) if isinstance(value, str) else value for key, value in kept.items()}


def _module(module: Record, about: dict[str, Any]) -> Found:
    """A whole network of NVIDIA's: StyleGAN2's, or EG3D's, which has one of those inside."""
    parts = _named(_state(module), "_modules")
    if {"backbone", "superresolution", "decoder"} <= set(parts):
        return _eg3d(module, parts, about)
    return _nvidia(module, about)


def _eg3d(module: Record, parts: Mapping[str, Any], about: dict[str, Any]) -> Found:
    found: dict[str, ForeignTensor] = {}
    clamps: dict[str, float | None] = {}
    visits = itertools.count()
    for part in ("backbone", "superresolution", "decoder"):
        met: set[Any] = set()
        _collect(parts[part], f"{part}.", found, met, visits)
        met.discard(None)
        if len(met) > 1:
            raise ValueError("its layers are clamped in different ways")
        clamps[part] = next(iter(met), None)
    state = _state(module)
    said = _entries(state.get("rendering_kwargs"))
    rendering = {key: said[key] for key in RENDERING if isinstance(said.get(key), str | int | float)}
    about |= {
        "class": printable(module.name),
        "conv_clamp": clamps["backbone"],
        "sharp_clamp": clamps["superresolution"],
        "rendering": {k: printable(v) if isinstance(v, str) else v for k, v in rendering.items()},
        "persistent": module.module == PERSISTENT,
    }
    side = state.get("neural_rendering_resolution")
    if isinstance(side, int) and not isinstance(side, bool):
        about["raw_side"] = side
    axes = _state(parts["renderer"]).get("plane_axes") if "renderer" in parts else None
    if isinstance(axes, ForeignTensor):
        about["plane_axes"] = _pairs(axes.value())
    return "eg3d", found, about


def _pairs(axes: Tensor) -> list[list[int]]:
    """Which coordinates are column and row of planes whose axes are the rows of ``[3, 3, 3]``.

    A point's place on a plane is the beginning of ``point · axes⁻¹``; for rows that only swap
    coordinates that is where each axis points.
    """
    plain = axes.shape == (3, 3, 3) and bool(((axes == 0) | (axes == 1)).all())
    if not plain or bool((axes.sum(1) != 1).any()) or bool((axes.sum(2) != 1).any()):
        raise ValueError("its planes lie askew")
    return [[int(row.argmax()) for row in plane[:2]] for plane in axes]


def _state(module: Any) -> Mapping[str, Any]:
    """Attributes of a module; none of what is no module."""
    state = module.state if isinstance(module, Record) else None
    return state if isinstance(state, Mapping) else {}


def _entries(settings: Any) -> Mapping[str, Any]:
    """Of a dict, or of one of NVIDIA's own kind."""
    if isinstance(settings, Record):
        pairs = [item for item in settings.items if isinstance(item, tuple) and len(item) == 2]
        return {key: value for key, value in pairs if isinstance(key, str)}
    return settings if isinstance(settings, Mapping) else {}


def _nvidia(module: Record, about: dict[str, Any]) -> Found:
    found: dict[str, ForeignTensor] = {}
    clamps: set[Any] = set()
    visits = itertools.count()
    _collect(module, "", found, clamps, visits)
    clamps.discard(None)
    if len(clamps) > 1:
        raise ValueError("its layers are clamped in different ways")
    about |= {"class": printable(module.name), "conv_clamp": next(iter(clamps), None)}
    about["persistent"] = module.module == PERSISTENT
    return "nvidia", found, about


def _collect(
    module: Any, prefix: str, found: dict[str, ForeignTensor], clamps: set[Any], visits: Iterator[int]
) -> None:
    """What ``module.state_dict()`` would be, from the attributes that torch.nn.Module keeps it in."""
    state = module.state if isinstance(module, Record) else None
    if not isinstance(state, Mapping) or prefix.count(".") > DEEPEST or next(visits) > MOST_MODULES:
        raise ValueError(f"{prefix.rstrip('.') or 'its root'} is not a module")
    passing = state.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for key, value in _named(state, kind).items():
            if isinstance(value, ForeignTensor) and not (kind == "_buffers" and key in passing):
                found[f"{prefix}{key}"] = value
    clamp = state.get("conv_clamp")
    if isinstance(clamp, int | float) and not isinstance(clamp, bool) and 0 < clamp < math.inf:
        clamps.add(float(clamp))
    for key, child in _named(state, "_modules").items():
        if child is not None:
            _collect(child, f"{prefix}{key}.", found, clamps, visits)


def _named(state: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    values = state.get(kind) or {}
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"its {kind} are none")
    return values
