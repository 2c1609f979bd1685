"""Baking edits as a job, and the copies that it leaves: undoing is removing the copy.

::

    avatars/pvp-<key>/            the copy, an avatar like any other
    jobs/bake-<key>/baked/        which copy it is: baked.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines import runner
from pipelines.build_job import BAKED, avatars
from pipelines.edit_avatar import edited, put_edit
from pipelines.job import JobPlan, Step, Task, create_job, read_job, read_status
from studio.domain.avatar import Avatar
from studio.domain.edits import LATENT, Edit, EditStack, Effect, Recolour, Relight, ShapeShift
from studio.domain.problem import Problem
from studio.engines.pvp.card import draws_by_itself
from studio.project.avatar_files import load_avatar
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.lineage import key_of
from studio.project.store import Store, SubjectFolder, TrashEntry

KIND = "bake"
"""Of jobs that bake edits."""
RECEIPT = DocumentKind("baked copy")
COLOUR: tuple[type[Effect], ...] = (Recolour, Relight)
"""Effects on the picture's colours."""
BAKED_INTO: Mapping[str, tuple[type[Effect], ...]] = {
    "pvp": (*LATENT, ShapeShift, *COLOUR),
    "instant": (ShapeShift, *COLOUR),
    "tri2plane": (ShapeShift, *COLOUR),
}
"""Engine id to the effects that can be baked into its avatars; see :func:`baked_into` for one of them."""


@dataclass(frozen=True)
class BakeSettings:
    """What is baked: edits by name, as they rest when the work begins."""

    names: tuple[str, ...]
    """Of the edits."""
    asked: str
    """Key of the edits as they were when it was asked for, which tells one asking from another."""


def bake_job(subject: SubjectFolder, avatar: Avatar, names: tuple[str, ...] = ()) -> Path:
    """Make the job that bakes edits into a copy of an avatar; see `pipelines.runner.start`.

    Args:
        subject: whose avatar it is.
        avatar: the avatar; its stored edits count.
        names: edits to bake; all that show and can be baked when empty. The others stay edits, of the copy,
            too, unless they are of latents, which mean nothing to another generator.

    Returns:
        The job's folder.

    Raises:
        Problem: there is nothing to bake, or the disk said no.
    """
    stack = edited(avatar).edits
    chosen = _chosen(avatar, stack, names)
    rest = [[edit.name, edit.strength, edit.on, edit.found] for edit in stack.edits]
    asked = BakeSettings(
        tuple(edit.name for edit in chosen), key_of("asked", 1, {"avatar": avatar.key}, {"edits": rest})
    )
    step = Step.plan(
        id=KIND,
        title="Baking edits into a copy",
        work="pipelines.bake_job:bake_edits",
        settings_class="pipelines.bake_job:BakeSettings",
        settings=asked,
        version=1,
        inputs={"avatar": (avatar.folder.relative_to(subject.path).as_posix(), avatar.key)},
        output=lambda key: f"jobs/{KIND}-{key}/baked",
    )
    plan = JobPlan(KIND, f"{KIND} {subject.name}", (step,), subject.name)
    jobs = subject.path / "jobs"
    if read_status(jobs / plan.id).state == "finished":
        runner.discard(jobs / plan.id)  # the copy may have been removed since; if not, it is found again
    return create_job(jobs, plan)


def bake_edits(task: Task) -> None:
    """The work of the job."""
    from pipelines.bake_edits import bake

    settings: BakeSettings = task.settings
    avatar = edited(load_avatar(task.inputs["avatar"]))
    subject = SubjectFolder(task.progress.folder.parents[1], task.subject)
    chosen = _chosen(avatar, avatar.edits, settings.names)
    shown = replace(avatar, edits=EditStack(tuple(chosen)))
    copy = bake(subject, shown, progress=task.progress, scratch=task.progress.scratch(task.step))
    for edit in avatar.edits.edits:
        if edit not in chosen and not isinstance(edit.effect, LATENT):
            put_edit(copy, edit)
    write_document(task.out / "baked.json", RECEIPT, {"avatar": copy.folder.name})


def read_baked(job: Path) -> Avatar:
    """The copy that a finished job has made. Raises Problem when there is none, or it was removed."""
    folder = job.parents[1] / read_job(job).steps[-1].output
    name = str(read_document(folder / "baked.json", RECEIPT).get("avatar"))
    return load_avatar(job.parents[1] / "avatars" / Path(name).name)


def baked_copies(subject: SubjectFolder) -> list[Avatar]:
    """Copies with baked edits, oldest first."""
    return [avatar for avatar in avatars(subject) if BAKED in avatar.lineage]


def about_copy(copy: Avatar) -> str:
    """What is baked into a copy, for a person: ``“older” at 0.7, “smile” at 1``."""
    edits = copy.lineage.get(BAKED, {}).get("edits", ())
    return ", ".join(f"“{edit['title']}” at {edit['strength']:g}" for edit in edits)


def remove_copy(store: Store, subject: SubjectFolder, key: str) -> TrashEntry:
    """Move a copy to the trash, by the start of its key. Raises Problem unless exactly one fits."""
    copies = baked_copies(subject)
    fitting = [copy for copy in copies if key and copy.key.startswith(key)]
    if len(fitting) != 1:
        there = "; ".join(f"{copy.key} ({about_copy(copy)})" for copy in copies)
        known = f"there are: {there}." if there else "there are none."
        raise Problem(f"{subject.name} has no copy with baked edits of key {key!r}; {known}")
    title = f"{subject.name}: copy with {about_copy(fitting[0])}"
    return store.discard(fitting[0].folder, title)


def baked_into(avatar: Avatar) -> tuple[type[Effect], ...]:
    """Effects that can be baked into an avatar: no colours where a generator draws the face by itself, for
    they go into the pictures that warping reads. Raises Problem when its files are damaged."""
    kinds = BAKED_INTO.get(avatar.engine, ())
    if avatar.engine == "pvp" and draws_by_itself(avatar.folder):
        return tuple(kind for kind in kinds if kind not in COLOUR)
    return kinds


def _chosen(avatar: Avatar, stack: EditStack, names: tuple[str, ...]) -> list[Edit]:
    kinds = baked_into(avatar)
    able = [edit for edit in stack.edits if isinstance(edit.effect, kinds)]
    found = [edit for edit in able if (edit.name in names if names else edit.on and edit.strength)]
    if not found:
        what = "those edits cannot be baked into its kind" if names else "no edit shows that can be baked"
        raise Problem(f"There is nothing to bake into this {avatar.engine} avatar, because {what}.")
    return found
