"""A Tri²-plane avatar on disk: network and person, what it stands on, and what it was told about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from studio.domain.problem import Problem
from studio.engines.tri2plane.generator import DRIVE
from studio.engines.tri2plane.network import Tri2Network
from studio.engines.tri2plane.person import VolumePerson, load_person, save_person
from studio.engines.tri2plane.shape import Tri2Shape
from studio.warping.parts import WarpParts
from studio.warping.warp_files import link_parts, load_parts

SCHEMA = 1
"""Version of the files below."""
_CARD, _WEIGHTS, _PERSON, _BASE = "tri2plane.json", "tri2plane.safetensors", "person.npz", "base"


@dataclass(frozen=True)
class Tri2Parts:
    """What a Tri²-plane avatar consists of, in memory."""

    base: WarpParts
    """What it stands on: the instant avatar of the same clip."""
    person: VolumePerson
    """The person's geometry."""
    network: Tri2Network
    """The person's volume, in evaluation mode."""
    mean: Tensor
    """``[57]`` mean of the clip's drives; see ``moments.drive_of``."""
    deviation: Tensor
    """``[57]`` what counts as one deviation of them, greater than zero."""
    code: Tensor
    """``[code]`` the latent code that every new moment has."""
    margin: float
    """How far the wide window goes beyond each side of the aligned crop, as a share of the crop's side."""
    pose_range: tuple[tuple[float, float], tuple[float, float]]
    """(least pitch, least yaw), (greatest pitch, greatest yaw), degrees, that the clip covered."""
    notes: tuple[str, ...] = ()
    """Sentences for the person who built it: what was off, what was measured."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What was measured while it was built."""


def save_tri2plane(folder: Path, parts: Tri2Parts, base: Path) -> None:
    """Write all files into an existing folder; ``base``: folder of the instant avatar's files."""
    (folder / _BASE).mkdir()
    link_parts(base, folder / _BASE)
    tensors = {f"network.{name}": value for name, value in parts.network.state_dict().items()}
    tensors |= {"drive.mean": parts.mean, "drive.deviation": parts.deviation, "code": parts.code}
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, folder / _WEIGHTS)
    save_person(folder / _PERSON, parts.person)
    card = {
        "schema_version": SCHEMA,
        "shape": asdict(parts.network.shape),
        "margin": parts.margin,
        "pose_range": parts.pose_range,
        "notes": list(parts.notes),
        "figures": dict(parts.figures),
    }
    (folder / _CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def load_tri2plane(folder: Path) -> Tri2Parts:
    """Read what :func:`save_tri2plane` wrote.

    Raises:
        Problem: files are missing or damaged, or of another version.
    """
    try:
        card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        if card["schema_version"] != SCHEMA:
            raise Problem("This avatar was built by another version of the program; build it again.")
        shape = Tri2Shape(**card["shape"])
        tensors = load_file(folder / _WEIGHTS)
        base, person = load_parts(folder / _BASE), load_person(folder / _PERSON)
        if base.change is not None:
            person = replace(person, change=base.change[: len(person.neutral)])
        network = Tri2Network(shape, person)
        prefix = "network."
        weights = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        network.load_state_dict(weights, strict=True)
        low, high = card["pose_range"]
        return Tri2Parts(
            base=base,
            person=person,
            network=network.eval(),
            mean=_vector(tensors["drive.mean"], DRIVE),
            deviation=_vector(tensors["drive.deviation"], DRIVE),
            code=_vector(tensors["code"], shape.code),
            margin=float(card["margin"]),
            pose_range=((float(low[0]), float(low[1])), (float(high[0]), float(high[1]))),
            notes=tuple(card["notes"]),
            figures=card["figures"],
        )
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, BadZipFile, SafetensorError) as error:
        # torch names every tensor that does not fit, each on a line of its own.
        fault = str(error).partition("\n")[0].rstrip(" :")
        raise Problem(
            f"The Tri²-plane avatar in “{folder.name}” is damaged ({fault}); build it again to repair it."
        ) from error


def _vector(values: Tensor, count: int) -> Tensor:
    if values.shape != (count,) or not torch.isfinite(values).all():
        raise ValueError(f"{count} numbers expected, {list(values.shape)} found")
    return values
