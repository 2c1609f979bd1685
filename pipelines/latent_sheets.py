"""Sheets of what a person's generator can do: its main variations, and samples for somebody to judge."""

from __future__ import annotations

from pathlib import Path

from pipelines.edit_person import latent_person
from pipelines.sheet_file import write_png
from studio.domain.avatar import Avatar
from studio.domain.progress import Progress, silent
from studio.editing.contact_sheet import contact_sheet, samples_sheet
from studio.editing.ganspace import GanSpaceWish, principal_components
from studio.editing.interfacegan import InterfaceGanWish, shown_to_judge

COMPONENTS = 10
"""Variations that are shown."""
STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""How far each is followed, in the person's own standard deviations."""


def components_sheet(avatar: Avatar, out: Path, progress: Progress = silent) -> int:
    """Write a PNG of GANSpace's strongest components, one a row. Returns how many there are on it.

    Raises:
        Problem: the avatar has no generator, or the disk said no.
    """
    progress(0, None, "Opening the avatar")
    person = latent_person(avatar)
    wish = GanSpaceWish()
    found = principal_components(person, wish.space, wish.samples, wish.seed)
    count = min(COMPONENTS, len(found.deviations))
    rows = [(f"{k + 1}: {found.shares[k]:.0%} of all variation", found.shift(k)) for k in range(count)]
    progress(0, None, "Drawing the components")
    write_png(out, contact_sheet(person, rows, STRENGTHS))
    return count


def judging_sheet(avatar: Avatar, out: Path, progress: Progress = silent) -> int:
    """Write a PNG of numbered samples to like or dislike. Returns how many there are on it.

    Raises:
        Problem: the avatar has no generator, or the disk said no.
    """
    progress(0, None, "Opening the avatar")
    person = latent_person(avatar)
    wish = InterfaceGanWish()
    progress(0, None, "Drawing samples")
    write_png(out, samples_sheet(person, shown_to_judge(person, wish)))
    return wish.judged
