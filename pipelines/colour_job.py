"""Measuring a person's colours as a job: what a window needs to know to offer others.

::

    jobs/colours-<key>/measured/colours.json    region to its mean colour and share
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.job import JobPlan, Step, Task, create_job, is_made
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.domain.region_colours import RegionColour, RegionColours
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.store import SubjectFolder

KIND = "colours"
"""Of jobs that measure colours."""
COLOURS = DocumentKind("colours")


@dataclass(frozen=True)
class ColourSettings:
    """Nothing can be set."""


def colour_job(subject: SubjectFolder, avatar: Avatar) -> Path:
    """Make the job that measures an avatar's colours; see `pipelines.runner.start`. Raises Problem when the
    disk says no."""
    return create_job(subject.path / "jobs", _plan(subject, avatar))


def measured_colours(subject: SubjectFolder, avatar: Avatar) -> RegionColours | None:
    """What was measured; None before that. Raises Problem when it is damaged."""
    step = _plan(subject, avatar).steps[0]
    folder = subject.path / step.output
    if not is_made(folder, step.key):
        return None
    content = read_document(folder / "colours.json", COLOURS)
    try:
        return {
            region: RegionColour((float(lab[0]), float(lab[1]), float(lab[2])), float(share))
            for region, (lab, share) in content["regions"].items()
        }
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise Problem(f"The colours in {folder} are damaged: remove the folder {folder.parent}.") from error


def measure(task: Task) -> None:
    """The work of the job."""
    from pipelines.edit_avatar import person_colours
    from studio.project.avatar_files import load_avatar

    task.progress(0, None, "Looking at hair, skin, lips and eyes")
    found = person_colours(load_avatar(task.inputs["avatar"]))
    regions = {region: [list(one.lab), one.share] for region, one in found.items()}
    write_document(task.out / "colours.json", COLOURS, {"regions": regions})


def _plan(subject: SubjectFolder, avatar: Avatar) -> JobPlan:
    step = Step.plan(
        id=KIND,
        title="Measuring colours",
        work="pipelines.colour_job:measure",
        settings_class="pipelines.colour_job:ColourSettings",
        settings=ColourSettings(),
        version=1,
        inputs={"avatar": (avatar.folder.relative_to(subject.path).as_posix(), avatar.key)},
        output=lambda key: f"jobs/{KIND}-{key}/measured",
    )
    return JobPlan(KIND, f"{KIND} of {subject.name}", (step,), subject.name)
