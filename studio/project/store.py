"""The home folder: every subject with their clips, tracked sequences, pivots, avatars and jobs.

::

    HOME/subjects/<slug>/subject.json
                         clips/<clip key>/source.<ext>  clip.json  track/<key>/
                         pivots/<key>/  avatars/<engine>-<key>/  jobs/<job id>/
    HOME/driving/        the same below a pseudo-subject: clips that only drive others
    HOME/trash/<entry>/  what was removed, until the trash is emptied

What exists is what is in the folders: nothing is listed twice, so nothing can disagree after a crash.
"""

from __future__ import annotations

import difflib
import os
import shutil
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.subject import Clip, Subject
from studio.project.atomic import explaining_disk, is_aside, new_folder, remove_folder, rename, tidy
from studio.project.command_words import command_line, typed
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.lineage import file_key
from studio.project.slug import slug_of, tidy_name

SUBJECT = DocumentKind("subject")
CLIP = DocumentKind("clip")
TRASH = DocumentKind("trash")

HOME_VARIABLE = "AVATAR_STUDIO_HOME"


def home_folder(chosen: Path | None = None) -> Path:
    """Where projects live: the chosen folder, else AVATAR_STUDIO_HOME, else the platform's own place."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    if from_environment := os.environ.get(HOME_VARIABLE):
        return Path(from_environment).expanduser().absolute()
    return Path(platformdirs.user_data_dir("avatar-studio", appauthor=False))


@dataclass(frozen=True)
class ClipFolder:
    """An imported clip on disk."""

    path: Path
    """Its folder."""
    clip: Clip
    """What it is."""
    source: Path
    """The video, a copy of the imported file."""
    imported: str
    """When, ISO 8601 in UTC; clips are listed in this order."""
    track_settings: dict[str, Any] | None
    """Settings that tracking of this clip starts from (for example which person), None for the defaults."""

    def sequence(self, key: str) -> Path:
        """Folder of the tracked sequence with this key, whether made or not."""
        return self.path / "track" / key

    def with_track_settings(self, settings: dict[str, Any]) -> ClipFolder:
        """Remember how this clip is tracked. Raises Problem when the disk says no."""
        file = self.path / "clip.json"
        write_document(file, CLIP, {**read_document(file, CLIP), "track": settings})
        return open_clip(self.path)


def open_clip(folder: Path) -> ClipFolder:
    """Read a clip's folder. Raises Problem when it is damaged."""
    content = read_document(folder / "clip.json", CLIP)
    try:
        clip = Clip(key=str(content["key"]), title=str(content["title"]))
        source = folder / Path(str(content["source"])).name
        imported = str(content["imported"])
    except KeyError as error:
        raise Problem(
            f"The clip file {folder / 'clip.json'} is damaged (it has no {error}): import the clip again."
        ) from error
    if not source.is_file():
        raise Problem(f"The video {source} is missing: import the clip again.")
    return ClipFolder(folder, clip, source, imported, content.get("track"))


@dataclass(frozen=True)
class SubjectFolder:
    """A subject on disk."""

    path: Path
    """Their folder; its name is the slug."""
    name: str
    """What the user calls them."""
    consent: str = ""
    """Whose face this is and with whose permission."""

    @property
    def home(self) -> Path:
        """The home folder they live in."""
        return self.path.parents[1]

    def clips(self) -> tuple[ClipFolder, ...]:
        """Imported clips, oldest first. Raises Problem when one is damaged."""
        found = [open_clip(folder) for folder in _folders(self.path / "clips")]
        return tuple(sorted(found, key=lambda clip: (clip.imported, clip.clip.key)))

    def subject(self) -> Subject:
        """The subject as a plain value. Raises Problem when a clip is damaged."""
        return Subject(self.name, tuple(folder.clip for folder in self.clips()), self.consent)

    def clip(self, wanted: str | None) -> ClipFolder:
        """One clip by its title, its key or the start of its key; None for the only one.

        Raises:
            Problem: there is none, or more than one fits.
        """
        clips = self.clips()
        if not clips:
            raise Problem(
                f"{self.name} has no clip yet: import one with "
                f"{command_line('import CLIP.mp4 --subject', self.name)}"
            )
        fitting = [
            c for c in clips if wanted is None or wanted == c.clip.title or c.clip.key.startswith(wanted)
        ]
        if len(fitting) == 1:
            return fitting[0]
        titles = ", ".join(f"{c.clip.title} ({c.clip.key})" for c in clips)
        if fitting:
            raise Problem(f"{self.name} has several clips: choose one with --clip: {titles}")
        raise Problem(f"{self.name} has no clip {wanted!r}: choose one with --clip: {titles}")

    def pivots(self, key: str) -> Path:
        """Folder of the pivot set with this key, whether made or not."""
        return self.path / "pivots" / key

    def avatar(self, engine: str, key: str) -> Path:
        """Folder of the avatar with this key, whether made or not."""
        return self.path / "avatars" / f"{engine}-{key}"

    def avatars(self) -> tuple[Path, ...]:
        """Folders of finished avatars of any engine, known or not, oldest first."""
        return tuple(sorted(_folders(self.path / "avatars"), key=lambda p: (p.stat().st_mtime_ns, p.name)))

    def jobs(self) -> tuple[Path, ...]:
        """Job folders, oldest first."""
        return tuple(sorted(_folders(self.path / "jobs"), key=lambda p: (p.stat().st_mtime_ns, p.name)))

    def has_clip(self, key: str) -> bool:
        """Whether a clip with this content is here."""
        return (self.path / "clips" / key / "clip.json").is_file()

    def add_clip(self, video: Path, progress: Progress = silent) -> tuple[ClipFolder, bool]:
        """Copy a video in; a video with the same content is not copied again.

        Args:
            video: an existing file; what is in it is not checked here.
            progress: counts megabytes.

        Returns:
            The clip's folder and whether it is new.

        Raises:
            Problem: no such file, or the disk said no. Nothing is left behind.
        """
        with explaining_disk(video):
            total = video.stat().st_size
            megabytes = max(1, total >> 20)
            key = file_key(video)
        target = self.path / "clips" / key
        if self.has_clip(key):
            return open_clip(target), False
        with explaining_disk(self.path):
            free = shutil.disk_usage(self.path).free
        if total > free:
            raise Problem(
                f"The disk that holds {self.path} is full: {video.name} needs {megabytes} MB and "
                f"{free >> 20} MB are free."
            )
        with new_folder(target) as folder:
            source = folder / f"source{_extension(video)}"
            done = 0
            with source.open("wb") as out:

                def copy(block: bytes) -> None:
                    nonlocal done
                    out.write(block)
                    done += len(block)
                    progress(done >> 20, megabytes, "Copying the clip")

                if file_key(video, copy) != key:
                    raise Problem(f"{video} changed while it was read: try again once it is complete.")
            content = {"key": key, "title": video.name, "source": source.name, "imported": _now()}
            write_document(folder / "clip.json", CLIP, content)
        return open_clip(target), True


@dataclass(frozen=True)
class Listing:
    """What is in a home folder."""

    subjects: tuple[SubjectFolder, ...]
    """Subjects that can be read, by name."""
    problems: tuple[Problem, ...]
    """One for each subject that cannot."""


@dataclass(frozen=True)
class TrashEntry:
    """Something removed that can come back."""

    path: Path
    """Its folder in the trash."""
    title: str
    """What a person calls it."""
    origin: str
    """Where it was, relative to home, with forward slashes."""
    removed: str
    """When, ISO 8601 in UTC."""


@dataclass(frozen=True)
class Store:
    """All projects of one home folder. Holds no state of its own: every call looks at the disk."""

    home: Path
    """The home folder; made when something is first written."""

    @property
    def driving(self) -> SubjectFolder:
        """The pseudo-subject for clips that only drive others; made when first asked for."""
        folder = self.home / "driving"
        self._make(folder)
        return SubjectFolder(folder, "driving clips")

    def subjects(self) -> Listing:
        """Everyone here; a damaged subject does not hide the others. Raises Problem if home is unreadable."""
        found, problems = [], []
        for folder in _folders(self.home / "subjects"):
            try:
                found.append(_open_subject(folder))
            except Problem as problem:
                problems.append(problem)
        return Listing(tuple(sorted(found, key=lambda s: (s.name.casefold(), s.name))), tuple(problems))

    def find(self, name: str) -> SubjectFolder:
        """A subject by name. Raises Problem when there is none, naming the nearest."""
        name = tidy_name(name)
        listing = self.subjects()
        for subject in listing.subjects:
            if subject.name == name:
                return subject
        names = [subject.name for subject in listing.subjects]
        near = _nearest(name, names)
        if near is not None:
            hint = f"did you mean {typed(near)}?"
        elif names:
            hint = "there are: " + ", ".join(repr(n) for n in names[:8]) + (" …" if len(names) > 8 else "")
        else:
            hint = f"import a clip first: {command_line('import CLIP.mp4 --subject', name)}"
        damaged = f" ({listing.problems[0]})" if listing.problems else ""
        raise Problem(f"There is no subject named {name!r} in {self.home}; {hint}{damaged}")

    def has(self, name: str) -> bool:
        """Whether a subject of this name is here."""
        name = tidy_name(name)
        return any(subject.name == name for subject in self.subjects().subjects)

    def add(self, name: str, consent: str = "") -> SubjectFolder:
        """The subject of this name, made if new. Raises Problem for a bad name or when the disk says no."""
        name = tidy_name(name)
        with self._alone():
            if self.has(name):
                return self.find(name)
            target = self._free_place(name)
            with new_folder(target) as folder:
                content = {"name": name, "consent": consent, "created": _now()}
                write_document(folder / "subject.json", SUBJECT, content)
        return _open_subject(target)

    def change(
        self, subject: SubjectFolder, name: str | None = None, consent: str | None = None
    ) -> SubjectFolder:
        """Rename a subject or state their consent; the folder stays. Raises Problem if the name is taken."""
        file = subject.path / "subject.json"
        with self._alone():
            content = read_document(file, SUBJECT)
            if name is not None and tidy_name(name) != subject.name:
                if self.has(name):
                    raise _taken(tidy_name(name))
                content["name"] = tidy_name(name)
            if consent is not None:
                content["consent"] = consent
            write_document(file, SUBJECT, content)
        return _open_subject(subject.path)

    def discard(self, folder: Path, title: str) -> TrashEntry:
        """Move a folder (a subject, clip or avatar) to the trash. Raises Problem when the disk says no."""
        origin = folder.relative_to(self.home).as_posix()
        place = self.home / "trash" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
        with explaining_disk(place):
            place.mkdir(parents=True)
            write_document(place / "entry.json", TRASH, {"title": title, "origin": origin, "removed": _now()})
            try:
                rename(folder, place / "content")
            except OSError:
                shutil.rmtree(place, ignore_errors=True)
                raise
        return _open_trash(place)

    def trash(self) -> tuple[TrashEntry, ...]:
        """What can be restored, oldest first."""
        places = [p for p in _folders(self.home / "trash") if (p / "content").is_dir()]
        return tuple(sorted((_open_trash(p) for p in places), key=lambda entry: entry.removed))

    def restore(self, entry: TrashEntry, name: str | None = None) -> Path:
        """Put something back where it was.

        Args:
            entry: what to restore.
            name: for a subject whose name has been taken meanwhile, the name it gets instead.

        Returns:
            The folder it has now.

        Raises:
            Problem: its name or place is taken, or the folder it belongs to is gone.
        """
        target = self.home / entry.origin
        content = entry.path / "content"
        with self._alone(), explaining_disk(target):
            if target.parent == self.home / "subjects":
                subject = _open_subject(content)
                new_name = tidy_name(name or subject.name)
                if self.has(new_name):
                    raise _taken(new_name)
                if new_name != subject.name:
                    file = content / "subject.json"
                    write_document(file, SUBJECT, {**read_document(file, SUBJECT), "name": new_name})
                if target.exists():
                    target = self._free_place(new_name)
                target.parent.mkdir(parents=True, exist_ok=True)
            elif target.exists():
                raise Problem(f"{entry.title} cannot be restored: {target} exists again.")
            elif not target.parent.parent.is_dir():
                raise Problem(f"{entry.title} cannot be restored alone: restore its subject first.")
            else:
                target.parent.mkdir(exist_ok=True)
            rename(content, target)
        shutil.rmtree(entry.path, ignore_errors=True)
        return target

    def empty_trash(self) -> None:
        """Delete for good what was removed. Raises Problem when the disk says no."""
        remove_folder(self.home / "trash")

    def _free_place(self, name: str) -> Path:
        places = self.home / "subjects"
        taken = {p.name for p in places.iterdir()} if places.is_dir() else set()
        return places / slug_of(name, taken)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process changes the list of subjects meanwhile."""
        self._make(self.home)
        with explaining_disk(self.home), filelock.FileLock(self.home / ".lock"):
            yield

    def _make(self, folder: Path) -> None:
        with explaining_disk(self.home):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except FileNotFoundError as error:  # no such drive, or a place like /proc that makes nothing
                raise Problem(f"{self.home} cannot be made: choose another place with --home.") from error


def _open_subject(folder: Path) -> SubjectFolder:
    content = read_document(folder / "subject.json", SUBJECT)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise Problem(
            f"The subject file {folder / 'subject.json'} is damaged (it has no name): "
            "restore it from a backup or remove its folder."
        )
    return SubjectFolder(folder, name, str(content.get("consent", "")))


def _nearest(name: str, names: list[str]) -> str | None:
    """The name that was meant: written without accents or capitals, begun, or misspelt."""
    plain = {_plain(known): known for known in reversed(names)}
    wanted = _plain(name)
    begun = [known for spelt, known in plain.items() if wanted and spelt.startswith(wanted)]
    if begun:
        return begun[-1]
    near = difflib.get_close_matches(wanted, plain, 1)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    """Letters without accents, lower case."""
    split = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def _taken(name: str) -> Problem:
    return Problem(f"There is already a subject named {name!r}: choose another name.")


def _open_trash(place: Path) -> TrashEntry:
    content = read_document(place / "entry.json", TRASH)
    return TrashEntry(place, str(content["title"]), str(content["origin"]), str(content["removed"]))


def _folders(parent: Path) -> list[Path]:
    """Finished folders in ``parent``; none when it does not exist."""
    with explaining_disk(parent):
        try:
            tidy(parent)
            return [p for p in sorted(parent.iterdir()) if p.is_dir() and not is_aside(p.name)]
        except FileNotFoundError:
            return []


def _extension(video: Path) -> str:
    """A short, plain extension; video readers do not need it, people and players do."""
    extension = video.suffix.lower()
    return extension if extension.isascii() and extension[1:].isalnum() and len(extension) <= 6 else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
