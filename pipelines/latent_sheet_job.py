"""Sheets of what a person's generator can do as jobs, for a window to choose from.

::

    jobs/sheet-<key>/sheet/    sheet.png, and sheet.json with the place of every picture on it
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.edit_avatar import GENERATORS
from pipelines.job import JobPlan, Step, Task, create_job, read_job
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.project.command_words import command_line
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.store import SubjectFolder

KIND = "sheet"
"""Of jobs that draw sheets."""
SHEET = DocumentKind("sheet")
Shows = Literal["components", "samples"]
"""GANSpace's strongest components, one a row; or samples to like or dislike."""


@dataclass(frozen=True)
class LatentSheetSettings:
    """What is drawn."""

    shows: Shows = "components"
    """See :data:`Shows`."""


@dataclass(frozen=True)
class LatentSheet:
    """A sheet that was drawn."""

    shows: Shows
    """What is on it."""
    picture: Path
    """A PNG."""
    rows: tuple[tuple[tuple[int, int, int], ...], ...]
    """Left, top and side of every picture on it, in pixels, row by row."""


def latent_sheet_job(subject: SubjectFolder, avatar: Avatar, shows: Shows) -> Path:
    """Make the job that draws a sheet; the same one again is the same job, which finds it drawn.

    Raises:
        Problem: the avatar has no generator, or the disk said no.
    """
    if avatar.engine not in GENERATORS:
        build = command_line("build", subject.name, f"--engine {GENERATORS[0]}")
        raise Problem(f"This avatar has no generator whose latents could be shown: build one with {build}")
    step = Step.plan(
        id=KIND,
        title="Drawing what this person’s generator can do",
        work="pipelines.latent_sheet_job:draw",
        settings_class="pipelines.latent_sheet_job:LatentSheetSettings",
        settings=LatentSheetSettings(shows),
        version=1,
        inputs={"avatar": (avatar.folder.relative_to(subject.path).as_posix(), avatar.key)},
        output=lambda key: f"jobs/{KIND}-{key}/sheet",
    )
    return create_job(
        subject.path / "jobs", JobPlan(KIND, f"{shows} of {subject.name}", (step,), subject.name)
    )


def draw(task: Task) -> None:
    """The work of the job."""
    from PIL import Image

    from pipelines import latent_sheets
    from studio.editing.contact_sheet import GAP, HEADS, TITLES
    from studio.project.avatar_files import load_avatar

    settings: LatentSheetSettings = task.settings
    avatar, picture = load_avatar(task.inputs["avatar"]), task.out / "sheet.png"
    if settings.shows == "components":
        count = latent_sheets.components_sheet(avatar, picture, task.progress)
        columns = len(latent_sheets.STRENGTHS)
        count *= columns
    else:
        count = latent_sheets.judging_sheet(avatar, picture, task.progress)
        columns = 10
    with Image.open(picture) as sheet:
        width = sheet.width
    # As laid_out() lays them: all columns are alike, and nothing is right of the last gap.
    side = (width - TITLES) // columns - GAP
    places = [
        [TITLES + n % columns * (side + GAP), HEADS + n // columns * (side + GAP), side] for n in range(count)
    ]
    rows = [places[start : start + columns] for start in range(0, count, columns)]
    write_document(task.out / "sheet.json", SHEET, {"shows": settings.shows, "rows": rows})


def read_sheet(job: Path) -> LatentSheet:
    """What a finished job has drawn. Raises Problem when there is nothing, or it is damaged."""
    folder = job.parents[1] / read_job(job).steps[-1].output
    content: dict[str, Any] = read_document(folder / "sheet.json", SHEET)
    try:
        rows = tuple(tuple((int(x), int(y), int(side)) for x, y, side in row) for row in content["rows"])
        return LatentSheet(content["shows"], folder / "sheet.png", rows)
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(f"The sheet {folder} is damaged: remove the folder {job}.") from error
