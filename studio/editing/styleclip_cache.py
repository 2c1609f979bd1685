"""What StyleCLIP keeps of a person: parts that are whole or not there, found again while everything is as it
was."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from torch.nn import functional

from studio.editing.clip_words import Clip
from studio.editing.person import LatentPerson
from studio.project.atomic import explaining_disk, new_folder, remove_folder, tidy, write_json
from studio.project.lineage import key_of

VERSION = 1
"""Raised whenever what is kept would be another for the same person, CLIP and settings."""
_TENSORS, _STATE, _PERSON = "tensors.safetensors", "state.json", "person"
_ALIKE = 5e-3
"""Share of its deviation by which a fingerprint may differ: the same generator on another device."""
_SMALL = 16
"""Side of a fingerprint's pictures."""


def kept_folder(
    cache: Path, kind: str, person: LatentPerson, clip: Clip, settings: Mapping[str, Any]
) -> Path:
    """The folder of a piece of work about a person; what another generator left there is removed.

    Args:
        cache: the person's folder for what may be used again.
        kind: which work.
        person: their generator. It is known by what it draws, because that is all that is seen of it.
        clip: by its content and activation.
        settings: all that the result depends on, as JSON values.

    Raises:
        Problem: the disk says no.
    """
    about = clip.about
    inputs = {"clip": about.digest, "activation": "quick" if about.quick_gelu else "exact"}
    folder = Path(cache) / "styleclip" / f"{kind}-{key_of(kind, VERSION, inputs, dict(settings))}"
    now = fingerprint(person)
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tidy(folder)
        before = load_part(folder / _PERSON)
        if before is not None and alike(before[0], now):
            return folder
        remove_folder(folder)
        folder.mkdir()
    save_part(folder / _PERSON, now)
    return folder


@torch.no_grad()
def fingerprint(person: LatentPerson) -> dict[str, Tensor]:
    """What tells one generator from another: some latents, their styles and their pictures, made small."""
    samples = person.sample(2, 0)
    styles = person.styles(samples.ws)
    pictures = functional.adaptive_avg_pool2d(person.draw_styles(styles, samples.moments), _SMALL)
    found = {"ws": samples.ws, "styles": styles, "pictures": pictures}
    return {name: value.float().cpu().contiguous() for name, value in found.items()}


def alike(before: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> bool:
    """Whether two fingerprints are of the same generator."""
    if {name: value.shape for name, value in before.items()} != {n: v.shape for n, v in now.items()}:
        return False
    return all(
        float((before[name] - value).abs().max()) <= _ALIKE * float(value.std()) + 1e-6
        for name, value in now.items()
    )


def save_part(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any] | None = None) -> None:
    """Write tensors and JSON values as a folder, which takes its place at once. Raises Problem."""
    data = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    with new_folder(folder) as aside:
        (aside / _TENSORS).write_bytes(data)
        write_json(aside / _STATE, {"sum": zlib.crc32(data), "state": dict(state or {})})


def load_part(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What :func:`save_part` wrote, on the CPU; None where there is nothing whole."""
    try:
        data = (folder / _TENSORS).read_bytes()
        record = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        # A machine that lost power may leave a file of the right length full of zeros.
        if record["sum"] != zlib.crc32(data):
            return None
        return load(data), record["state"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
