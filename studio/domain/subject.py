"""Subject: a person, their clips and their consent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clip:
    """A video of the subject inside the project."""

    key: str
    """Hash of the file's content; the clip's folder is named by it."""
    title: str
    """File name it was imported from."""


@dataclass(frozen=True)
class Subject:
    """A person in the studio."""

    name: str
    """What the user calls them; any text."""
    clips: tuple[Clip, ...] = ()
    """Imported clips, oldest first."""
    consent: str = ""
    """Whose face this is and with whose permission; empty until stated."""
