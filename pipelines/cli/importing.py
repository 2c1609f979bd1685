"""``import CLIP --subject NAME``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.cli.screen import Screen, counted
from pipelines.cli.words import Everywhere, parse
from pipelines.import_job import (
    Import,
    bring_in,
    find_tracked,
    import_clip,
    refuse_photo,
    remember_settings,
)
from studio.domain.problem import Problem
from studio.engines.catalog import ENGINES
from studio.project.command_words import command_line
from studio.project.store import Store
from studio.tracking.settings import TrackSettings


@dataclass(frozen=True, kw_only=True)
class ImportOptions(Everywhere):
    """What ``import`` can be told."""

    clip: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CLIP")]
    """The video, anything that a phone records; or a photo (JPEG, HEIC, PNG, WebP), of which an avatar is
    made at once."""
    subject: str
    """Whose face it is; any name. A new name makes a new subject."""
    consent: str = ""
    """Whose face this is and with whose permission; kept with the subject."""
    track: Annotated[TrackSettings, tyro.conf.arg(name="")] = field(default_factory=TrackSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    options: ImportOptions = parse(
        ImportOptions, words, "import", "Bring a phone video or a photo in and track the face."
    )
    screen = Screen()
    done = import_and_track(
        screen,
        options.store,
        options.subject,
        options.clip,
        with_whole_path(options.track, options.store),
        options.consent,
    )
    if done.job is None:
        screen.say(f"{done.subject.name} has this clip, tracked, as {done.clip.clip.title}: nothing to do.")
    else:
        screen.say(f"{done.subject.name} has {done.clip.clip.title}.")
    report(screen, done.sequence)
    if done.engines:
        between = " and " if len(done.engines) == 2 else "; "  # titles have commas of their own
        ready = between.join(ENGINES[engine].title for engine in done.engines)
        what = "The avatar is" if len(done.engines) == 1 else "Avatars are"
        screen.say(f"{what} ready: {ready}.")
        screen.say(f"Next: {command_line('animate', done.subject.name, '--drive CLIP.mp4 -o OUT.mp4')}")
    else:
        screen.say(f"Next: {command_line('build', done.subject.name)}")
    return 0


def import_and_track(
    screen: Screen,
    store: Store,
    name: str,
    video: Path,
    settings: TrackSettings | None = None,
    consent: str = "",
) -> Import:
    """Import and track with progress shown. A clip that cannot be used leaves the project as it was."""
    with screen.working() as progress:
        done = import_clip(store, name, video, settings, progress, consent)
    for warning in done.warnings:
        screen.note(warning)
    track(screen, done)
    if settings is not None:
        remember_settings(done.clip, settings)
    return done


OWN_FILES = ("face-landmarker", "flame-2020", "flame-2023", "flame-2023-open")
"""Assets that tracking can be told to use."""


def with_whole_path(settings: TrackSettings, store: Store) -> TrackSettings:
    """The settings with the user's own files as absolute paths, because a job works in another folder.

    What is not found as named from here is looked for by its file name among the user's weights.
    """
    from studio.assets import AssetLibrary

    owned = [AssetLibrary(store.home).find(asset) for asset in OWN_FILES]

    def whole(name: str) -> str:
        file = Path(name).expanduser().absolute()
        kept = [o for o in owned if o is not None and o.name == file.name and not file.is_file()]
        return str(kept[0] if kept else file) if name else ""

    return replace(settings, landmarker=whole(settings.landmarker), flame=whole(settings.flame))


def track(screen: Screen, done: Import) -> None:
    """Do the job of an import, if there is one."""
    if done.job is None:
        return
    try:
        screen.follow(done.job)
    except Problem as problem:
        done.undo()
        raise done.explain(problem) from problem


def tracked_drive(screen: Screen, store: Store, video: Path, person: str = "auto") -> Path:
    """The tracked sequence of a clip that drives: found if it was tracked before, whoever it belongs to, else
    tracked now and kept beside the subjects.

    Raises:
        Problem: the clip cannot be used; nothing of it is kept.
    """
    from studio.media import probe

    info = probe(video)
    refuse_photo(video, info.photo)
    for warning in info.warnings:
        screen.note(warning)
    settings = TrackSettings(person=person)
    found = find_tracked(store, video, settings)
    if found is not None:
        return found
    with screen.working() as progress:
        done = bring_in(store.driving, video, settings, progress)
    track(screen, done)
    return done.sequence


def report(screen: Screen, sequence_folder: Path) -> None:
    """Say what tracking found and what to record next."""
    from pipelines.coverage import coverage
    from studio.domain.sequence import FLAG_SENTENCES
    from studio.project.sequence_files import load_sequence

    sequence = load_sequence(sequence_folder)
    if sequence.still:
        _report_photo(screen, sequence_folder)
        return
    good = int(sequence.good.sum())
    chosen = sequence.used.stop - sequence.used.start
    screen.say(f"{good} of {counted(chosen, 'frame')} are good to learn from.")
    for flag, sentence in FLAG_SENTENCES.items():
        count = int(((sequence.flags & int(flag)) != 0).sum())
        if count:
            screen.say(f"  {count:>6}  {sentence}")
    for gap in coverage(sequence).gaps:
        screen.say(f"The clip does not show {gap.what}. {gap.advice}")


def _report_photo(screen: Screen, sequence_folder: Path) -> None:
    """Say whose face of a photo was taken, where there are several."""
    from studio.project.people_files import load_people

    people = load_people(sequence_folder)
    if people is not None:
        last = len(people.people) - 1
        numbers = "0 or 1" if last == 1 else f"0 to {last}"
        screen.say(
            f"The photo shows {last + 1} faces; number {people.chosen} is used. --person {numbers}, from "
            "left to right, takes another one."
        )
