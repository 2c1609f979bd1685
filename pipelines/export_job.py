"""An export as a job: it outlives the window, waits for its turn, can pause, and starts over if killed.

::

    jobs/export-<key>/track.npz   the motion, as it was when the export was asked for
                      edits/      the avatar's edits, likewise
                      pause       its being there pauses the export; it keeps its turn
                      written/    what became of it: made.json, export.json
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import filelock

from pipelines import runner
from pipelines.export_place import refuse_target
from pipelines.export_settings import ExportSettings, check_settings
from pipelines.job import JobPlan, JobStatus, Step, Task, create_job, read_job, read_status
from pipelines.motion_cut import cut_motion
from pipelines.track_file import load_track, save_track
from studio.domain.avatar import Avatar
from studio.domain.controls import ControlTrack
from studio.domain.problem import Problem
from studio.media import CODECS
from studio.project.atomic import explaining_disk
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.edit_files import load_edits, save_edits
from studio.project.settings_json import settings_from_plain
from studio.project.store import Store, SubjectFolder

KIND = "export"
RECEIPT = DocumentKind("export")
WAITING = "Waiting for the export before this one"
PAUSED = "Paused"
_LOOK = 0.1
"""Seconds between two looks while waiting or paused."""


@dataclass(frozen=True)
class ExportJobSettings:
    """What an export's job does; every export is its own, so that the same one can be asked for again."""

    export: ExportSettings
    """How it is written."""
    target: Path
    """The file or folder of pictures to write, a whole path."""
    queued: float
    """Unix time at which it was asked for: earlier ones come first."""
    name: str
    """Tells it from all others."""
    sound_from: Path | None = None
    """The driving clip."""
    overwrite: bool = False
    """Whether a file that is there may be replaced."""


@dataclass(frozen=True)
class Export:
    """An export that was asked for."""

    job: Path
    """Its job folder."""
    subject: str
    """Whose avatar it shows."""
    engine: str
    """What kind of avatar that is."""
    settings: ExportJobSettings
    """What was asked for."""
    status: JobStatus
    """Where it stands."""
    paused: bool
    """Whether somebody paused it."""
    receipt: ExportReceipt | None
    """What was written, once finished."""


@dataclass(frozen=True)
class ExportReceipt:
    """What an export wrote."""

    frames: int
    """Pictures."""
    rate: Fraction
    """Frames per second."""
    seconds: float
    """Time it took, without waiting."""
    size_bytes: int
    """On the disk."""
    warnings: tuple[str, ...]
    """One sentence for each thing to know."""


def export_job(
    subject: SubjectFolder,
    avatar: Avatar,
    track: ControlTrack,
    target: Path,
    settings: ExportSettings,
    sound_from: Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Make the job of an export; nothing is rendered yet, see `pipelines.runner.start`.

    Args:
        subject: whose avatar it is.
        avatar: the avatar, with the edits that are to be seen.
        track: what it does, kept with the job as it is now.
        target: file, or folder of pictures, to write.
        settings: how.
        sound_from: the driving clip.
        overwrite: whether an existing file may be replaced.

    Returns:
        The job's folder.

    Raises:
        Problem: settings or place will not do, or the disk said no.
    """
    codec = check_settings(settings)
    cut_motion(track, settings.range, settings.rate)
    target = target.absolute()
    home = subject.path.parents[1]
    sources = (sound_from, settings.sound_file)
    refuse_target(target, codec, home, sources=sources, overwrite=overwrite)
    if settings.sound_file is not None:
        settings = replace(settings, sound_file=settings.sound_file.absolute())
    asked = ExportJobSettings(
        export=settings,
        target=target,
        queued=time.time(),
        name=uuid.uuid4().hex,
        sound_from=None if sound_from is None else sound_from.absolute(),
        overwrite=overwrite,
    )
    place = f"jobs/{KIND}-{{key}}"
    step = Step.plan(
        id=KIND,
        title="Exporting",
        work="pipelines.export_job:export",
        settings_class="pipelines.export_job:ExportJobSettings",
        settings=asked,
        version=1,
        inputs={
            "avatar": (avatar.folder.relative_to(subject.path).as_posix(), avatar.key),
            "track": (f"{place}/track.npz", _track_key(track)),
        },
        output=lambda key: f"{place.format(key=key)}/written",
    )
    step = replace(step, inputs={name: path.format(key=step.key) for name, path in step.inputs.items()})
    plan = JobPlan(KIND, f"Export {target.name}", (step,), subject.name)
    folder = subject.path / "jobs" / plan.id
    with explaining_disk(folder):
        folder.mkdir(parents=True)
    save_track(folder / "track.npz", track)
    save_edits(folder, avatar.edits)
    return create_job(subject.path / "jobs", plan)


def _track_key(track: ControlTrack) -> str:
    digest = hashlib.sha256(repr((track.names, track.rate, track.values.shape)).encode())
    digest.update(track.values.tobytes())
    return digest.hexdigest()[:16]


def export(task: Task) -> None:
    """The work of an export's job: wait for its turn, render, write, leave a receipt."""
    asked: ExportJobSettings = task.settings
    job = task.progress.folder
    with _Turn(task.home, asked, job, task.progress):
        from pipelines.export_video import export_video
        from studio.engines.catalog import engine_spec
        from studio.media.provenance import read_comment
        from studio.project.avatar_files import load_avatar

        # A worker that was killed at the very end has written the file and could not say so.
        ours = asked.target.exists() and task.step.key in read_comment(asked.target)
        refuse_target(
            asked.target,
            CODECS[asked.export.codec],
            task.home,
            sources=(asked.sound_from, asked.export.sound_file),
            overwrite=asked.overwrite or ours,
        )
        track = load_track(task.inputs["track"])
        avatar = replace(load_avatar(task.inputs["avatar"]), edits=load_edits(job))
        progress = _Pausing(task.progress, job / "pause")
        progress(0, None, "Opening the avatar")
        engine = engine_spec(avatar.engine).load(avatar)
        try:
            done = export_video(
                engine,
                track,
                avatar.stage,
                asked.target,
                asked.export,
                asked.sound_from,
                progress,
                mark=task.step.key,
            )
        finally:
            engine.close()
    for warning in done.warnings:
        task.progress.say(warning)
    write_document(
        task.out / "export.json",
        RECEIPT,
        {
            "frames": done.frames,
            "rate": [done.rate.numerator, done.rate.denominator],
            "seconds": done.seconds - progress.slept,
            "size_bytes": _size(asked.target),
            "warnings": list(done.warnings),
        },
    )
    (job / "pause").unlink(missing_ok=True)


def exports(store: Store) -> tuple[Export, ...]:
    """Every export that was asked for and not forgotten, earliest first. Damaged ones are left out."""
    found = []
    for job in store.home.glob(f"subjects/*/jobs/{KIND}-*"):
        with suppress(Problem):
            found.append(read_export(job))
    return tuple(sorted(found, key=_order))


def read_export(job: Path) -> Export:
    """An export from its job folder. Raises Problem when it is damaged."""
    plan = read_job(job)
    settings = settings_from_plain(ExportJobSettings, plan.steps[0].settings)
    receipt = None
    with suppress(Problem):
        receipt = _receipt(job)
    engine = Path(plan.steps[0].inputs["avatar"]).name.rpartition("-")[0]
    return Export(job, plan.subject, engine, settings, read_status(job), (job / "pause").exists(), receipt)


def pause(job: Path) -> None:
    """Let an export rest where it is; it keeps its turn."""
    with explaining_disk(job):
        (job / "pause").touch()


def go_on(job: Path) -> None:
    """Let a paused export go on, if its worker is there; otherwise start it and it begins anew."""
    with explaining_disk(job):
        (job / "pause").unlink(missing_ok=True)


def forget(job: Path) -> None:
    """Remove an export from the list, and what a killed worker may have left beside its target; what was
    written stays. Raises Problem when somebody works on it."""
    from studio.media.output import clear_leftovers

    target = None
    with suppress(Problem):
        target = read_export(job).settings.target
    runner.discard(job)
    if target is not None:
        clear_leftovers(target)


def _receipt(job: Path) -> ExportReceipt:
    content: dict[str, Any] = read_document(job / "written" / "export.json", RECEIPT)
    try:
        return ExportReceipt(
            frames=int(content["frames"]),
            rate=Fraction(*content["rate"]),
            seconds=float(content["seconds"]),
            size_bytes=int(content["size_bytes"]),
            warnings=tuple(content["warnings"]),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise Problem(f"The receipt of the export {job.name} is damaged.") from error


def _size(target: Path) -> int:
    files = target.iterdir() if target.is_dir() else [target]
    return sum(file.stat().st_size for file in files)


def _order(export: Export) -> tuple[float, str]:
    return export.settings.queued, export.settings.name


class _Pausing:
    """Progress that rests while somebody wants it to, and hears a stop meanwhile."""

    def __init__(self, progress: Callable[[int, int | None, str], None], wish: Path) -> None:
        self._progress, self._wish = progress, wish
        self.slept = 0.0
        """Seconds of rest."""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        self._progress(done, total, what)
        while self._wish.exists():
            began = time.monotonic()
            self._progress(done, total, PAUSED)
            time.sleep(_LOOK)
            self.slept += time.monotonic() - began


class _Turn:
    """Wait until no other export of this home is at work and none that was asked for earlier waits."""

    def __init__(
        self,
        home: Path,
        asked: ExportJobSettings,
        job: Path,
        progress: Callable[[int, int | None, str], None],
    ) -> None:
        self._store, self._job, self._progress = Store(home), job, progress
        self._place = (asked.queued, asked.name)
        self._lock = filelock.FileLock(home / ".exports.lock")

    def __enter__(self) -> None:
        while True:
            with explaining_disk(self._store.home):
                try:
                    self._lock.acquire(timeout=0)
                except filelock.Timeout:
                    pass
                else:
                    if not self._earlier():
                        return
                    self._lock.release()
            self._progress(0, None, WAITING)
            time.sleep(_LOOK)

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _earlier(self) -> bool:
        return any(
            _order(other) < self._place and other.status.state == "running" and other.job != self._job
            for other in exports(self._store)
        )
