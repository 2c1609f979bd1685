"""How long building took: read from the records of the jobs that did it.

A job notes when each of its steps began and was made (``events.jsonl``). One that was stopped or killed
meanwhile counts only while somebody worked on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.build_job import Build
from pipelines.job import read_events
from pipelines.recipes import TRACK

SOURCE = "the records of the jobs that built them"
"""Where these figures come from, for reports."""


@dataclass(frozen=True)
class BuildTime:
    """What making an avatar took, whenever that was."""

    stages: Mapping[str, float | None] = field(default_factory=dict)
    """Stage id to seconds at work; None where no record is left."""

    @property
    def seconds(self) -> float | None:
        """From the tracked clip to the avatar. Tracking itself is left out, because all avatars of a clip
        share it; stages that several avatars share count for each. None where a record is missing."""
        own = [seconds for stage, seconds in self.stages.items() if stage != TRACK.id]
        known = [seconds for seconds in own if seconds is not None]
        return sum(known) if len(known) == len(own) else None


def build_time(build: Build, jobs: Iterable[Path]) -> BuildTime:
    """What the stages of an avatar took.

    Args:
        build: the avatar, made.
        jobs: folders of the subject's jobs, oldest first; the newest that made a stage counts.
    """
    wanted = {(step.id, step.key): step.id for step in build.plan.steps}
    found: dict[str, float | None] = {step.id: None for step in build.plan.steps}
    for job in jobs:
        for made, seconds in seconds_at_work(read_events(job)).items():
            if made in wanted:
                found[wanted[made]] = seconds
    return BuildTime(found)


def seconds_at_work(events: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """Stage id and key of everything that a job made, to the seconds that it took.

    Args:
        events: of one job, oldest first. What it found ready is left out.
    """
    made: dict[tuple[str, str], float] = {}
    spent: dict[tuple[str, str], float] = {}
    working: tuple[str, str] | None = None
    since = last = 0.0
    for event in events:
        try:
            time, kind = float(event["time"]), str(event["event"])
        except (KeyError, TypeError, ValueError):
            continue
        if working is not None and kind in ("state", "step"):
            # Whoever begins anew after a worker was killed does not count the time in between.
            end = last if event.get("state") == "running" else time
            spent[working] = spent.get(working, 0.0) + max(0.0, end - since)
            if kind == "step" and event.get("state") == "made":
                made[working] = spent.pop(working)
            elif kind == "step" and event.get("state") == "found":
                spent.pop(working)
            working = None
        if kind == "step" and event.get("state") == "begun":
            working, since = (str(event.get("step")), str(event.get("key"))), time
        last = time
    return made
