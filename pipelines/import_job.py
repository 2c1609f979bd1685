"""Bring a clip or a photo into a subject's folder and plan its tracking, with a way back if it turns out
unusable."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines import runner
from pipelines.job import JobPlan, create_job, is_made, read_job
from pipelines.recipes import RECIPES, TRACK, plan, result, settings_for
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.engines.catalog import ENGINES
from studio.project.atomic import remove_folder
from studio.project.lineage import file_key
from studio.project.settings_json import settings_from_plain, settings_to_plain
from studio.project.store import ClipFolder, Store, SubjectFolder

KIND = "import"
"""Of jobs that track a clip."""


@dataclass(frozen=True)
class Import:
    """A clip that is in the project, tracked or about to be."""

    subject: SubjectFolder
    """Whose it is."""
    clip: ClipFolder
    """The clip."""
    sequence: Path
    """Folder of its tracked sequence, made or not."""
    job: Path | None
    """Job that tracks it, and of a photo makes avatars at once; None when that was done before."""
    new_clip: bool
    """Whether the clip was not here before."""
    new_subject: bool
    """Whether the subject was not here before."""
    warnings: tuple[str, ...] = ()
    """What the user should know about the file."""
    tracked_before: dict[str, Any] | None = None
    """Settings that the clip goes back to when this is undone; None where they were left alone."""
    engines: tuple[str, ...] = ()
    """Engines whose avatars are made with the tracking: of a photo that takes no time worth asking for."""

    def explain(self, problem: Problem) -> Problem:
        """A problem of tracking, with the name that the user knows the clip by."""
        return Problem(str(problem).replace(self.clip.source.name, self.clip.clip.title))

    def undo(self, patience: float = 0.0) -> None:
        """Take out again what this import brought in, so that the project is as it was.

        Args:
            patience: seconds to wait for a worker that has said its last word but still holds the job.
        """
        self.go_back()
        if self.job is None:
            return
        with suppress(Problem):
            runner.discard(self.job, patience)
        if self.new_clip and not self._used_elsewhere():
            remove_folder(self.clip.path)
            if self.new_subject and not self.subject.clips():
                remove_folder(self.subject.path)

    def go_back(self) -> None:
        """After tracking again came to nothing: the clip is tracked as before. Its job stays to be read."""
        if self.tracked_before is not None:
            self.clip.with_track_settings(self.tracked_before)

    def _used_elsewhere(self) -> bool:
        """Whether somebody has started to use the clip meanwhile."""
        if _tracked(self.clip):
            return True
        for job in self.subject.jobs():
            with suppress(Problem):
                if any(self.clip.clip.key in step.input_keys.values() for step in read_job(job).steps):
                    return True
        return False


def import_clip(
    store: Store,
    name: str,
    video: Path,
    settings: Any | None = None,
    progress: Progress = silent,
    consent: str = "",
) -> Import:
    """Copy a clip into a subject, who is made if new, and create the job that tracks it.

    Args:
        store: the home folder.
        name: the subject's name.
        video: the file, a video or a photo; looked at before anything is written.
        settings: how to track it; None for what this clip was tracked with before, else the defaults.
        progress: counts megabytes while copying.
        consent: whose face this is and with whose permission; empty to leave it as it is.

    Raises:
        Problem: the file cannot be used, or the disk said no. The project is then as it was.
    """
    from studio.media import probe
    from studio.tracking.trimming import chosen_frames

    info = probe(video)
    if settings is not None:
        chosen_frames(settings, info.rate, info.frames)  # says now what tracking would say later
    new_subject = not store.has(name)
    subject = store.add(name, consent)
    if consent and subject.consent != consent:
        subject = store.change(subject, consent=consent)
    try:
        return bring_in(subject, video, settings, progress, new_subject, info.warnings)
    except BaseException:
        if new_subject:
            with suppress(Problem):
                if not subject.clips():
                    remove_folder(subject.path)
        raise


def bring_in(
    subject: SubjectFolder,
    video: Path,
    settings: Any | None = None,
    progress: Progress = silent,
    new_subject: bool = False,
    warnings: tuple[str, ...] = (),
) -> Import:
    """The part of :func:`import_clip` after the subject is there; also for clips that only drive."""
    clip, new_clip = subject.add_clip(video, progress)
    try:
        chosen = settings if settings is not None else track_settings(clip)
        job_plan = _plan(subject.name, clip, chosen)
        sequence = result(job_plan, clip)
        engines: tuple[str, ...] = ()
        if is_photo(clip):
            engines, said = engines_of_photo(subject.home, chosen)
            warnings += said
            job_plan = _photo_plan(subject.name, clip, chosen, engines)
        if is_made(result(job_plan, clip), job_plan.steps[-1].key):
            job = None
        else:
            job = create_job(subject.path / "jobs", job_plan)
    except BaseException:
        if new_clip:
            remove_folder(clip.path)
        raise
    return Import(subject, clip, sequence, job, new_clip, new_subject, warnings, engines=engines)


def is_photo(clip: ClipFolder) -> bool:
    """Whether a clip is a photo: one frame, that nothing can be held out of."""
    from studio.media.photo import photo_kind

    return photo_kind(clip.source) is not None


def engines_of_photo(home: Path, settings: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which avatars a photo becomes at once, the plainest first, and what to say about those it does not.

    Args:
        home: where base models are.
        settings: how it is tracked.
    """
    from pipelines.people_systems import SYSTEMS
    from studio.head import builtin_head

    if settings.flame:
        return (), ()  # no engine draws FLAME's head
    engines, warnings = ["instant"], []
    for engine, system in SYSTEMS.items():
        if system.shelf.missing(home) is not None:
            continue
        try:
            system.find("check")(system.shelf.choose(home), builtin_head().id)
        except Problem as problem:
            warnings.append(str(problem))
        else:
            engines.append(engine)
    return tuple(engines), tuple(warnings)


def import_driver(store: Store, video: Path, progress: Progress = silent) -> Import:
    """Copy in a clip that only drives others, and create the job that tracks it.

    Args:
        store: the home folder.
        video: the file; looked at before anything is written.
        progress: counts megabytes while copying.

    Raises:
        Problem: the file cannot be used, or the disk said no. The project is then as it was.
    """
    from studio.media import probe

    info = probe(video)
    refuse_photo(video, info.photo)
    return bring_in(store.driving, video, progress=progress, warnings=info.warnings)


def refuse_photo(video: Path, photo: bool) -> None:
    """Raise Problem where somebody who drives would not move."""
    if photo:
        raise Problem(f"“{video.name}” is a photo, and what drives an avatar has to move: choose a video.")


def retrack(subject: SubjectFolder, clip: ClipFolder, settings: Any) -> Import:
    """Plan tracking a clip that is here with other settings, which builds of it start from at once: a window
    that is closed meanwhile forgets nothing. What was tracked before stays, and is found again.

    Args:
        subject: whose clip it is.
        clip: one of their clips.
        settings: how to track it.

    Raises:
        Problem: the settings do not fit the clip, or the disk said no. The project is then as it was.
    """
    from studio.media import probe
    from studio.tracking.trimming import chosen_frames

    info = probe(clip.source)
    chosen_frames(settings, info.rate, info.frames)
    before = settings_to_plain(track_settings(clip))
    done = bring_in(subject, clip.source, settings)
    return replace(done, clip=remember_settings(done.clip, settings), tracked_before=before)


def tracked_sequence(clip: ClipFolder) -> Path | None:
    """Folder of the clip's tracked sequence as it is to be tracked now; None until that is made."""
    folder = result(_plan("", clip, track_settings(clip)), clip)
    return folder if is_made(folder, folder.name) else None


def newest_sequence(clip: ClipFolder) -> Path | None:
    """Folder of the sequence that was made last, whatever its settings; None when there is none."""
    place = clip.path / "track"
    made = [p for p in place.iterdir() if is_made(p, p.name)] if place.is_dir() else []
    return max(made, key=lambda p: (p.stat().st_mtime_ns, p.name), default=None)


def tracking_job(subject: SubjectFolder, clip: ClipFolder) -> Path | None:
    """The newest job that tracks this clip, whatever became of it."""
    for job in reversed(subject.jobs()):
        with suppress(Problem):
            plan_of_job = read_job(job)
            if plan_of_job.kind == KIND and clip.clip.key in plan_of_job.steps[-1].input_keys.values():
                return job
    return None


def _plan(subject: str, clip: ClipFolder, settings: Any) -> JobPlan:
    return plan(KIND, subject, (TRACK,), clip, {TRACK.id: settings})


def _photo_plan(subject: str, clip: ClipFolder, settings: Any, engines: tuple[str, ...]) -> JobPlan:
    chosen: dict[str, Any] = {}
    for engine in engines:
        chosen |= settings_for(engine, ENGINES[engine].at_import)
    chosen[TRACK.id] = settings
    stages = dict.fromkeys(stage for engine in engines for stage in RECIPES[engine])
    return plan(KIND, subject, tuple(stages) or (TRACK,), clip, chosen)


def remember_settings(clip: ClipFolder, settings: Any) -> ClipFolder:
    """After tracking: builds of this clip start from these settings."""
    plain = settings_to_plain(settings)
    return clip if clip.track_settings == plain else clip.with_track_settings(plain)


def track_settings(clip: ClipFolder, changes: Mapping[str, Any] | None = None) -> Any:
    """How a clip is tracked: as last time, else the defaults, with some fields changed."""
    kind = TRACK.settings_class
    remembered = kind() if clip.track_settings is None else settings_from_plain(kind, clip.track_settings)
    return replace(remembered, **(changes or {}))


def find_tracked(store: Store, video: Path, settings: Any) -> Path | None:
    """The sequence of a clip that some subject has tracked with these settings already."""
    key = file_key(video)
    for subject in store.subjects().subjects:
        if not subject.has_clip(key):
            continue
        with suppress(Problem):
            clip = subject.clip(key)
            job_plan = _plan(subject.name, clip, settings)
            if is_made(result(job_plan, clip), job_plan.steps[-1].key):
                return result(job_plan, clip)
    return None


def _tracked(clip: ClipFolder) -> bool:
    place = clip.path / "track"
    return place.is_dir() and any(is_made(folder, folder.name) for folder in place.iterdir())
