"""Plan the choice of pivots alone, so that it can be looked at and changed before anything is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.import_job import track_settings
from pipelines.job import JobPlan, create_job, is_made
from pipelines.pick_pivots import PivotSettings
from pipelines.recipes import PIVOTS, TRACK, plan
from studio.domain.pivots import PivotWishes
from studio.project.store import ClipFolder, SubjectFolder


@dataclass(frozen=True)
class PivotChoice:
    """A pivot set, made or about to be."""

    plan: JobPlan
    """What makes it."""
    root: Path
    """The subject's folder."""
    wishes: PivotWishes
    """What it heeds."""

    @property
    def folder(self) -> Path:
        """Of the pivot set."""
        return self.root / self.plan.steps[-1].output

    @property
    def sequence(self) -> Path:
        """Folder of the tracked sequence that it is chosen from."""
        return self.root / self.plan.steps[0].output

    @property
    def tracked(self) -> bool:
        """Whether the clip is tracked."""
        return is_made(self.sequence, self.plan.steps[0].key)

    @property
    def made(self) -> bool:
        """Whether it is there."""
        return is_made(self.folder, self.plan.steps[-1].key)

    def job(self) -> Path:
        """The job that makes it, created if new. Raises Problem when the disk says no."""
        return create_job(self.root / "jobs", self.plan)


def plan_pivots(subject: SubjectFolder, clip: ClipFolder, wishes: PivotWishes) -> PivotChoice:
    """Plan a choice of pivots; building with :func:`wished` then finds it."""
    settings = {TRACK.id: track_settings(clip), **wished(wishes)}
    job_plan = plan("pivots", subject.name, (TRACK, PIVOTS), clip, settings)
    return PivotChoice(job_plan, clip.path.parents[1], wishes)


def wished(wishes: PivotWishes) -> dict[str, Any]:
    """The stage's settings by its id, as :func:`pipelines.build_job.plan_build` takes them."""
    return {PIVOTS.id: replace(PivotSettings(), locked=wishes.locked, forbidden=wishes.forbidden)}
