"""What building an avatar will take on this machine, said before it begins: minutes, memory, room on disk.

Once a training runs it measures itself (:mod:`pipelines.training.forecast`), and that forecast is the better
one.
"""

from __future__ import annotations

import math
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pipelines.build_job import Build
from pipelines.job import is_made
from pipelines.recipes import RECIPES
from pipelines.stage_costs import COSTS, GIGABYTE, Certainty, ClipSize, Cost, Machine
from studio.devices import DeviceKind, usable_cores
from studio.project.settings_json import settings_from_plain

_FEW_PASSES = 4.0
"""Times that a training should see each frame at least."""


@dataclass(frozen=True)
class BuildForecast:
    """What a build will take. Stages that are made already take nothing."""

    minutes: tuple[float, float]
    """From, to."""
    memory: float
    """Gigabytes at the most."""
    disk: float
    """Gigabytes."""
    certainty: Certainty
    """Of the stage that is least sure among those that count."""
    machine: Machine
    """Where."""
    warnings: tuple[str, ...]
    """Sentences on what will not go well here; empty when all is well."""

    @property
    def sentence(self) -> str:
        """For a person, in a line."""
        if not self.minutes[1]:
            return "This avatar is already there."
        return f"{duration(self.minutes)}, {size(self.memory)} of memory, {size(self.disk)} on the disk"

    @property
    def trust(self) -> str:
        """How sure that is, in a sentence."""
        return _TRUST[self.certainty] if self.minutes[1] else ""


_TRUST: dict[Certainty, str] = {
    "clock": "The time is nearly sure, because training ends by the clock; the rest is about right.",
    "measured": "Scaled from measurements on two processor cores: half or twice as long is possible.",
    "guess": "A guess: this ends after a number of steps, and how fast yours are shows once it runs.",
}


def this_machine(home: Path) -> Machine:
    """The machine we run on. Loads no torch, so a window may ask."""
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    return Machine(
        likely_device(),
        usable_cores(),
        psutil.virtual_memory().available / GIGABYTE,
        shutil.disk_usage(place).free / GIGABYTE,
    )


def likely_device() -> DeviceKind:
    """What torch would probably choose, judged without loading it."""
    if platform.system() == "Darwin":
        return "mps" if platform.machine() == "arm64" else "cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    driver = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()
    return "cuda" if driver and not hidden else "cpu"


def clip_size(build: Build) -> ClipSize:
    """Of the clip of a build: from its tracking when that is made, else from the video. Raises Problem."""
    import numpy as np

    tracked = build.sequence()
    if is_made(tracked, tracked.name):
        from studio.project.sequence_files import load_sequence

        sequence = load_sequence(tracked)
        return ClipSize(int(np.count_nonzero(sequence.good)), sequence.width, sequence.height)
    from studio.media import probe

    info = probe(build.clip.source)
    return ClipSize(info.frames, info.width, info.height)


def forecast_build(build: Build, clip: ClipSize, machine: Machine) -> BuildForecast:
    """What is still to come of a build.

    Args:
        build: as planned.
        clip: see :func:`clip_size`.
        machine: see :func:`this_machine`.

    Raises:
        Problem: a setting is unusable.
    """
    root = build.clip.path.parents[1]
    stages = {stage.id: stage for stages in RECIPES.values() for stage in stages}
    settings: dict[str, Any] = {
        step.id: settings_from_plain(stages[step.id].settings_class, step.settings)
        for step in build.plan.steps
    }
    ahead = [step.id for step in build.plan.steps if not is_made(root / step.output, step.key)]
    costs = [COSTS[stage](settings, clip, machine) for stage in ahead if stage in COSTS]
    if not costs:
        return BuildForecast((0.0, 0.0), 0.0, 0.0, "clock", machine, ())
    low, high = (sum(cost.minutes[end] for cost in costs) for end in (0, 1))
    memory = max(cost.memory for cost in costs)
    disk = sum(cost.disk for cost in costs)
    # What decides is where most of the time goes.
    longest = max(costs, key=lambda cost: cost.minutes[1])
    certainty = "guess" if any(cost.certainty == "guess" for cost in costs) else longest.certainty
    return BuildForecast(
        (low, high), memory, disk, certainty, machine, tuple(_warnings(costs, memory, disk, machine))
    )


def _warnings(costs: list[Cost], memory: float, disk: float, machine: Machine) -> list[str]:
    found = []
    if disk > machine.disk_free:
        found.append(
            f"The disk has {size(machine.disk_free)} free and this needs {size(disk)}: make room first."
        )
    if machine.device == "cpu" and memory > machine.memory_free:
        found.append(
            f"It wants {size(memory)} of memory and {size(machine.memory_free)} are free: close other "
            "programs or choose a smaller preset."
        )
    if machine.device == "cpu" and min(cost.passes for cost in costs) < _FEW_PASSES:
        found.append(
            "Made for a graphics card, and none was found: in the same minutes a processor learns much less. "
            "Choose a smaller preset."
        )
    elif sum(cost.minutes[1] for cost in costs) > 24 * 60:
        found.append("This takes longer than a day here: choose a smaller preset.")
    return found


def duration(minutes: tuple[float, float]) -> str:
    """A range of minutes for a person: ``less than a minute``, ``8 to 9 min``, ``2 to 5 hours``…"""
    for unit, length, most in (("min", 1.0, 100.0), ("hours", 60.0, 48 * 60.0), ("days", 1440.0, math.inf)):
        low, high = (value / length for value in minutes)
        if minutes[1] > most:
            continue
        if high < 1.0:
            return "less than a minute"
        low, high = max(1, round(low)), max(1, round(high))
        one = {"min": "min", "hours": "hour", "days": "day"}[unit]
        if low == high:
            return f"about {high} {unit if high > 1 else one}"
        return f"{low} to {high} {unit}"
    raise ValueError(f"{minutes} is no range of minutes")


def size(gigabytes: float) -> str:
    """Gigabytes for a person: ``20 MB``, ``1.7 GB``, ``23 GB``."""
    if gigabytes < 0.095:
        return f"{max(1, round(gigabytes * 1000))} MB"
    return f"{gigabytes:.1f} GB" if gigabytes < 9.95 else f"{round(gigabytes)} GB"
