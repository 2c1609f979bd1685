"""A PVP avatar on disk: generator and mappers, what it stands on, and what it was told about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from studio.domain.problem import Problem
from studio.engines.pvp.card import CARD
from studio.engines.pvp.mappers import Mappers
from studio.engines.pvp.painter import Painter, PainterShape
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.stylegan2 import StyleGan2Config, SynthesisNetwork
from studio.warping.parts import WarpParts
from studio.warping.warp_files import link_parts, load_parts

SCHEMA = 1
"""Version of the files below."""
PriorKind = Literal["scratch", "pretrained"]
_WEIGHTS, _BASE = "pvp.safetensors", "base"


@dataclass(frozen=True)
class PvpParts:
    """What a PVP avatar consists of, in memory."""

    base: WarpParts
    """What it stands on: the instant avatar of the same clip."""
    kind: PriorKind
    """Which prior its generator comes from."""
    generator: nn.Module
    """A :class:`~studio.engines.pvp.prior.PersonalGenerator`."""
    mappers: Mappers
    """Pose and expression to its styles."""
    pose_range: tuple[tuple[float, float], tuple[float, float]]
    """Pitch and yaw, degrees, that the clip covered: the mappers are asked for nothing beyond."""
    strength: float = 1.0
    """How much of a painter's correction is laid over the warped rendering, 0..1; from validation frames."""
    notes: tuple[str, ...] = ()
    """Sentences for the person who built it: what was off, what was measured."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What was measured while it was built."""


def generator_to_plain(kind: PriorKind, generator: nn.Module) -> dict[str, Any]:
    """A generator's shape as JSON values."""
    if isinstance(generator, Painter):
        return {"kind": kind, "shape": asdict(generator.shape)}
    assert isinstance(generator, PretrainedGenerator)
    return {
        "kind": kind,
        "shape": asdict(generator.synthesis.config),
        "resolution": generator.resolution,
    }


def generator_from_plain(plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    """A generator, in evaluation mode, from what :func:`generator_to_plain` gave and its weights."""
    if plain["kind"] == "scratch":
        painter = Painter(PainterShape(**plain["shape"]))
        painter.load_state_dict(tensors, strict=True)
        return painter.eval()
    with torch.device("meta"):  # large: no random weights are made first
        network = SynthesisNetwork(StyleGan2Config(**plain["shape"]))
        pretrained = PretrainedGenerator(network, plain["resolution"])
    pretrained.load_state_dict(tensors, strict=True, assign=True)
    return pretrained.eval()


def save_pvp(folder: Path, parts: PvpParts, base: Path) -> None:
    """Write all files into an existing folder; ``base``: folder of the instant avatar's files."""
    (folder / _BASE).mkdir()
    link_parts(base, folder / _BASE)
    tensors = {f"generator.{name}": value for name, value in parts.generator.state_dict().items()}
    tensors |= {f"mappers.{name}": value for name, value in parts.mappers.state_dict().items()}
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, folder / _WEIGHTS)
    card = {
        "schema_version": SCHEMA,
        "generator": generator_to_plain(parts.kind, parts.generator),
        "pose_range": parts.pose_range,
        "strength": parts.strength,
        "notes": list(parts.notes),
        "figures": dict(parts.figures),
    }
    (folder / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def load_pvp(folder: Path) -> PvpParts:
    """Read what :func:`save_pvp` wrote.

    Raises:
        Problem: files are missing or damaged, or of another version.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["schema_version"] != SCHEMA:
            raise Problem("This avatar was built by another version of the program; build it again.")
        tensors = load_file(folder / _WEIGHTS)
        generator = generator_from_plain(card["generator"], _under(tensors, "generator."))
        mappers = Mappers.from_state(_under(tensors, "mappers.")).eval()
        low, high = card["pose_range"]
        return PvpParts(
            base=load_parts(folder / _BASE),
            kind=card["generator"]["kind"],
            generator=generator,
            mappers=mappers,
            pose_range=((float(low[0]), float(low[1])), (float(high[0]), float(high[1]))),
            strength=float(card["strength"]),
            notes=tuple(card["notes"]),
            figures=card["figures"],
        )
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, BadZipFile, SafetensorError) as error:
        # torch names every tensor that does not fit, each on a line of its own.
        fault = str(error).partition("\n")[0].rstrip(" :")
        raise Problem(
            f"The PVP avatar in “{folder.name}” is damaged ({fault}); build it again to repair it."
        ) from error


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
