"""The card of a trained model: what it is, what it has seen, how it was made, how good it is, what it is for.

After Mitchell et al., “Model Cards for Model Reporting” (2019): whoever finds the weights without the people
who trained them must be able to say what they may be used for. ``card.json`` is for programs, ``card.md`` for
people; both say the same. No names of machines, users or folders go in.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.training.report import TrainReport
from studio.project.atomic import explaining_disk, write_bytes, write_json

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SCHEMA_VERSION = 1
JSON_FILE, WORDS_FILE = "card.json", "card.md"
PACKAGES = ("torch", "lightning-fabric", "numpy", "safetensors")
"""Whose versions a card keeps."""
NO_LICENCE = "none was noted: find out before passing the model on"


@dataclass(frozen=True)
class DataSummary:
    """What was learnt from."""

    what: str
    """In words, e.g. ``talking heads, cut to 256² squares``."""
    identities: int
    """People."""
    clips: int
    """Clips."""
    frames: int
    """Frames."""
    licence: str = ""
    """What the user noted about rights in the data and people's consent; empty: nothing."""
    held_out: str = ""
    """What the model never saw and is measured on, in words."""
    left_out: Sequence[str] = ()
    """A sentence for each thing that was to be learnt from and could not be."""


@dataclass(frozen=True)
class Making:
    """How it was trained."""

    steps: int
    """Optimiser steps."""
    best_step: int | None
    """Steps done when the kept weights were validated; None without validation."""
    seconds: float
    """Time taken, all runs together."""
    ended_by: str
    """``steps``, ``time``, ``patience`` or ``done``."""
    device: str
    """What the last run computed on, e.g. the card's name."""
    processes: int
    """Processes of the last run."""
    system: str
    """Operating system and Python."""
    packages: Mapping[str, str]
    """Name to version."""


@dataclass(frozen=True)
class ModelCard:
    """One card."""

    title: str
    """What it is called."""
    what: str
    """What it does, in a sentence or two."""
    parameters: int
    """Numbers that were learnt."""
    data: DataSummary
    """What from."""
    making: Making
    """How."""
    settings: Mapping[str, Any]
    """All settings of the training, as JSON values; those that name a folder of the maker's are left out."""
    figures: Mapping[str, float]
    """How good it was on data that it never learnt from, by name of the measure."""
    measured_on: str
    """What the figures were measured on, in words."""
    uses: Sequence[str]
    """What it is meant for, a sentence each."""
    limits: Sequence[str]
    """What it must not be used for or cannot do, a sentence each."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else programs want to know, as JSON values; ``card.json`` alone has it."""


def making_of(report: TrainReport, fabric: Fabric) -> Making:
    """How a training was done that has just ended in this process."""
    device = platform.machine()
    if fabric.device.type == "cuda":
        import torch

        device = torch.cuda.get_device_name(fabric.device)
    elif fabric.device.type == "mps":
        device = "Apple GPU"
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return Making(
        steps=report.steps,
        best_step=report.best_step,
        seconds=round(report.seconds, 1),
        ended_by=report.reason,
        device=device,
        processes=fabric.world_size,
        system=f"{platform.system()}, Python {platform.python_version()}",
        packages=packages,
    )


def write_card(folder: Path, card: ModelCard) -> None:
    """Write both files into ``folder``, which is there. Raises Problem when the disk says no."""
    with explaining_disk(folder):
        card = replace(card, settings=_shared(card.settings))
        write_json(folder / JSON_FILE, {"schema_version": SCHEMA_VERSION, **asdict(card)})
        write_bytes(folder / WORDS_FILE, in_words(card).encode("utf-8"))


def read_card(folder: Path) -> dict[str, Any]:
    """``card.json`` of a folder. Raises OSError or ValueError when there is none that can be read."""
    card = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
    if not isinstance(card, dict):
        raise ValueError(f"{folder / JSON_FILE} is no card")
    return card


def in_words(card: ModelCard) -> str:
    """The card as Markdown."""
    data, making = card.data, card.making
    hours = making.seconds / 3600.0
    took = f"{hours:.1f} hours" if hours >= 2.0 else f"{making.seconds / 60.0:.0f} minutes"
    processes = "one process" if making.processes == 1 else f"{making.processes} processes"
    kept = "" if making.best_step is None else f" The weights are those of step {making.best_step}."
    lines = [
        f"# {card.title}",
        "",
        card.what,
        "",
        f"{card.parameters:,} parameters.",
        "",
        "## Learnt from",
        "",
        f"- {data.what}: {data.frames:,} frames in {data.clips:,} clips of {data.identities:,} people",
        f"- licence and consent: {data.licence or NO_LICENCE}",
    ]
    lines += [f"- held out: {data.held_out}"] if data.held_out else []
    lines += [f"- left out: {sentence}" for sentence in data.left_out]
    lines += [
        "",
        "## How",
        "",
        f"{making.steps:,} steps in {took} (ended by: {making.ended_by}) on {making.device}, in {processes}."
        + kept,
        "",
        f"{making.system}; {', '.join(f'{name} {number}' for name, number in making.packages.items())}.",
        "",
        "## How good",
        "",
        f"Measured on {card.measured_on}:" if card.figures else "Not measured.",
    ]
    if card.figures:
        lines += ["", "| Measure | Value |", "|---|---|"]
        lines += [f"| {name} | {value:.5g} |" for name, value in card.figures.items()]
    lines += ["", "## Meant for", "", *(f"- {sentence}" for sentence in card.uses)]
    lines += ["", "## Not for, and limits", "", *(f"- {sentence}" for sentence in card.limits)]
    lines += ["", "## Settings", "", "| Setting | Value |", "|---|---|"]
    lines += [f"| {name} | {json.dumps(value, ensure_ascii=False)} |" for name, value in _flat(card.settings)]
    return "\n".join([*lines, ""])


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that only say where something lies."""
    return {
        name: _shared(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if name != "tensorboard"
    }


def _flat(settings: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", value))
    return found
