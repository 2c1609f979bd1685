"""How much of a job is done: steps and phases weigh the time they take, so that a bar moves evenly."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from pipelines.job import JobPlan, Step
from pipelines.stage_costs import COSTS, ClipSize, Machine
from studio.project.settings_json import settings_from_plain

PHASES: dict[str, dict[str, float]] = {
    "track": {"finding the face": 52, "fitting the head": 3, "cutting the person out": 45},
    "instant": {
        "Cutting out the pivots": 48,
        "Learning how hair and shoulders move": 24,
        "Looking for covered parts": 24,
        "Writing the avatar": 4,
    },
    "pvp": {
        "tuning the generator": 45,
        "shrinking crops for the estimator": 1,
        "learning to read this person's face": 12,
        "starting the mappers": 9,
        "training the mappers": 32,
        "choosing how much of the painting to show": 1,
    },
    "volume_material": {"Cutting out what to learn from": 100},
    "tri2plane": {"training the volume": 100},
    "bake": {
        "Training the edit into the avatar": 10,
        "Recolouring pictures": 5,
        "Drawing pictures with the edits": 10,
        "training the edits in": 70,
        "Looking at the copy": 5,
    },
}
"""Stage to what it reports, in order, and how long that takes, in hundredths of the stage. One that is not
here counts once from nothing to all."""
_USUAL_CLIP = ClipSize(600, 512, 512)
_USUAL_MACHINE = Machine("cpu", 2, 8.0, 100.0)
_OTHERWISE = 0.25
"""Minutes of a stage that nobody has measured."""


class JobShare:
    """Share of a job's work that is done; it never goes back, whatever its steps report."""

    def __init__(self, plan: JobPlan, made: Sequence[bool]) -> None:
        """
        Args:
            plan: of the job.
            made: of each step, whether it was there before: it takes no time now.
        """
        self._steps = plan.steps
        weights = [0.0 if there else weight for there, weight in zip(made, _weights(plan.steps))]
        whole = sum(weights) or 1.0
        self._spans = [weight / whole for weight in weights]
        self._reached = 0.0

    def __call__(self, step: int, what: str, done: int, total: int | None) -> float:
        """0..1 when step number ``step`` (0-based) reports ``done`` of ``total`` units of ``what``."""
        share = sum(self._spans[:step])
        if step < len(self._steps):
            share += self._spans[step] * _within(self._steps[step].id, what, done, total)
        self._reached = min(1.0, max(self._reached, share))
        return self._reached


def _within(stage: str, what: str, done: int, total: int | None) -> float:
    """Share 0..1 of one step."""
    part = min(1.0, done / total) if total else 0.0
    phases = PHASES.get(stage)
    if phases is None:
        return part
    if what not in phases:
        return 0.0
    names = list(phases)
    before = sum(phases[name] for name in names[: names.index(what)])
    return (before + phases[what] * part) / sum(phases.values())


def _weights(steps: Sequence[Step]) -> list[float]:
    """Minutes of each step on a usual clip and machine; only how they compare is of interest."""
    settings: dict[str, Any] = {}
    found = []
    for step in steps:
        cost = COSTS.get(step.id)
        if cost is None:
            found.append(_OTHERWISE)
            continue
        module, name = step.settings_class.split(":")
        settings[step.id] = settings_from_plain(getattr(importlib.import_module(module), name), step.settings)
        try:
            low, high = cost(settings, _USUAL_CLIP, _USUAL_MACHINE).minutes
        except KeyError:  # it looks at the settings of a stage that this job does not have
            low = high = _OTHERWISE
        found.append((low + high) / 2)
    return found
