"""What the library shows of everybody, read on a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDate, QLocale

from studio.domain.problem import Problem
from studio.project.avatar_files import load_avatar
from studio.project.store import Store, SubjectFolder, TrashEntry
from ui.words import engine_title


@dataclass(frozen=True)
class Entry:
    """One person."""

    subject: SubjectFolder
    """Who."""
    clips: int
    """How many clips they have."""
    engines: tuple[str, ...]
    """Ids of the engines that are built, the latest first."""
    used: datetime
    """When somebody last worked on them."""
    picture: Path | None
    """The picture kept of them, which may be of an older clip."""
    trouble: str = ""
    """A sentence when part of their folder cannot be read."""
    photos: int = 0
    """How many of the clips are photos."""


@dataclass(frozen=True)
class Library:
    """Everything in a home."""

    entries: tuple[Entry, ...]
    """The latest used first."""
    problems: tuple[tuple[str, Path], ...]
    """A sentence and a folder for each subject that cannot be read."""
    trash: tuple[TrashEntry, ...]
    """What can be restored, the latest first."""


def read_library(store: Store, opened: Mapping[str, str]) -> Library:
    """Look at the disk.

    Args:
        store: the home.
        opened: folder name to when it was last opened, ISO 8601.

    Raises:
        Problem: the home cannot be read.
    """
    listing = store.subjects()
    entries = [_entry(subject, opened.get(subject.path.name, "")) for subject in listing.subjects]
    entries.sort(key=lambda entry: entry.used, reverse=True)
    fine = {subject.path for subject in listing.subjects}
    broken = [p for p in _folders(store.home / "subjects") if p not in fine]
    problems = tuple(
        (str(problem), next((p for p in broken if str(p) in str(problem)), store.home / "subjects"))
        for problem in listing.problems
    )
    try:
        trash = tuple(reversed(store.trash()))
    except Problem:  # one entry that cannot be read must not hide the people
        trash = ()
    return Library(tuple(entries), problems, trash)


def ago(when: datetime, now: datetime | None = None) -> str:
    """Used today, yesterday, 3 days ago, or a date."""
    now = now or datetime.now(UTC)
    days = (now.astimezone().date() - when.astimezone().date()).days
    if days <= 0:
        return _tr("used today")
    if days == 1:
        return _tr("used yesterday")
    if days < 14:
        return _tr("used {n} days ago").format(n=days)
    date = QDate(when.year, when.month, when.day)
    return _tr("used {date}").format(date=QLocale().toString(date, QLocale.FormatType.ShortFormat))


def clips_and_use(entry: Entry) -> str:
    """The small words of a card."""
    films = entry.clips - entry.photos
    said = []
    if films:
        said.append(_tr("1 clip") if films == 1 else _tr("{n} clips").format(n=films))
    if entry.photos:
        said.append(_tr("1 photo") if entry.photos == 1 else _tr("{n} photos").format(n=entry.photos))
    return f"{', '.join(said) or _tr('no clip yet')} · {ago(entry.used)}"


def engine_titles(engines: tuple[str, ...], most: int = 2) -> tuple[str, ...]:
    """The chips of a card: the first few engines, and how many more there are."""
    if len(engines) <= most:
        return tuple(engine_title(engine) for engine in engines)
    rest = _tr("+{n}").format(n=len(engines) - most + 1)
    return (*(engine_title(engine) for engine in engines[: most - 1]), rest)


def _entry(subject: SubjectFolder, opened: str) -> Entry:
    from pipelines.import_job import is_photo
    from pipelines.thumbnail import kept_thumbnail

    trouble, clips, photos = "", 0, 0
    try:
        found = subject.clips()
        clips, photos = len(found), sum(map(is_photo, found))
    except Problem as problem:
        trouble = str(problem)
    engines: dict[str, None] = {}
    for folder in reversed(subject.avatars()):
        try:
            engines.setdefault(load_avatar(folder).engine)
        except Problem as problem:
            trouble = trouble or str(problem)
    used, picture = _used(subject, opened), kept_thumbnail(subject)
    return Entry(subject, clips, tuple(engines), used, picture, trouble, photos)


def _used(subject: SubjectFolder, opened: str) -> datetime:
    """The latest of: opened, something came or went."""
    places = [subject.path / name for name in ("subject.json", "clips", "avatars", "jobs")]
    times = [place.stat().st_mtime for place in places if place.exists()]
    latest = datetime.fromtimestamp(max(times, default=0.0), UTC)
    try:
        return max(latest, datetime.fromisoformat(opened))
    except (ValueError, TypeError):  # never opened, or a note of another make
        return latest


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []


def _tr(text: str) -> str:
    return QCoreApplication.translate("library", text)
