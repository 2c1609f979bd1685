"""Finding an edit as a job: it outlives the window, can be stopped, and goes on from what its method keeps.

::

    jobs/edit-<key>/found/    the edit as it was found, which the avatar has as well by then
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines import runner
from pipelines.edit_avatar import (
    check_strength,
    find_edit,
    method_spec,
    put_edit,
    refuse_method,
    tidy_title,
)
from pipelines.job import JobPlan, Step, Task, create_job, read_job, read_status
from studio.assets import AssetLibrary
from studio.domain.avatar import Avatar
from studio.domain.edits import Edit, EditStack
from studio.domain.problem import Problem
from studio.project.edit_files import load_edits, save_edits
from studio.project.settings_json import settings_from_plain, settings_to_plain
from studio.project.store import SubjectFolder

KIND = "edit"
"""Of jobs that find edits."""


@dataclass(frozen=True)
class EditJobSettings:
    """What is looked for."""

    method: str
    """Id of the way to find it."""
    wish: dict[str, Any] = field(default_factory=dict)
    """Settings of the method's own class, as plain values."""
    title: str = ""
    """What it shall be called; empty for what its method calls it."""
    strength: float | None = None
    """How much of it shows; None for what its method suggests."""


def edit_job(
    subject: SubjectFolder,
    avatar: Avatar,
    method_id: str,
    wish: Any,
    title: str = "",
    strength: float | None = None,
) -> Path:
    """Make the job that finds an edit; see `pipelines.runner.start`. The same wish again is the same job: one
    that was stopped or failed goes on, one that is finished begins anew.

    Args:
        subject: whose avatar it is.
        avatar: the avatar that gets the edit.
        method_id: one of ``studio.editing.catalog.METHODS``.
        wish: settings of the method's own class.
        title: see :class:`EditJobSettings`.
        strength: see :class:`EditJobSettings`.

    Returns:
        The job's folder.

    Raises:
        Problem: the method is not to be had here or with this avatar, or the disk said no.
    """
    spec = method_spec(method_id)
    home = subject.path.parents[1]
    refuse_method(subject, avatar, spec, AssetLibrary(home))
    title = tidy_title(title) if title else ""
    # Through plain values and back, as the worker reads them: what is out of range is said now.
    plain = settings_to_plain(settings_from_plain(spec.wish_class, settings_to_plain(wish)))
    asked = EditJobSettings(method_id, plain, title, strength)
    step = Step.plan(
        id=KIND,
        title=f"Finding an edit: {spec.title}",
        work="pipelines.edit_job:find",
        settings_class="pipelines.edit_job:EditJobSettings",
        settings=asked,
        version=1,
        inputs={"avatar": (avatar.folder.relative_to(subject.path).as_posix(), avatar.key)},
        output=lambda key: f"jobs/{KIND}-{key}/found",
    )
    plan = JobPlan(KIND, f"{KIND} {subject.name}: {title or spec.title}", (step,), subject.name)
    jobs = subject.path / "jobs"
    if read_status(jobs / plan.id).state == "finished":
        runner.discard(jobs / plan.id)
    return create_job(jobs, plan)


def find(task: Task) -> None:
    """The work of the job: find the edit and give it to the avatar."""
    from studio.devices import explaining_memory
    from studio.project.avatar_files import load_avatar

    asked: EditJobSettings = task.settings
    avatar = load_avatar(task.inputs["avatar"])
    subject = SubjectFolder(task.progress.folder.parents[1], task.subject)
    wish = settings_from_plain(method_spec(asked.method).wish_class, asked.wish)
    with explaining_memory("Finding the edit", "the avatar is as it was; close other programs and try again"):
        found = find_edit(subject, avatar, asked.method, wish, task.home, task.progress, asked.title)
    edit = strengthened(found, asked.strength)
    # A worker that is killed between the two finds it once more, and puts it in its own place.
    put_edit(avatar, edit)
    save_edits(task.out, EditStack((edit,)))


def strengthened(edit: Edit, strength: float | None) -> Edit:
    """An edit at a wanted strength. Raises Problem when it does not take it."""
    if strength is None:
        return edit
    check_strength(edit, strength)
    return replace(edit, strength=strength)


def read_found(job: Path) -> Edit:
    """What a finished job has found. Raises Problem when there is nothing, or it is damaged."""
    root = job.parents[1]
    edits = load_edits(root / read_job(job).steps[-1].output).edits
    if len(edits) != 1:
        raise Problem(f"The job {job.name} has found no edit: ask for it again.")
    return edits[0]
