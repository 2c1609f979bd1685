"""``animate NAME (--drive CLIP | --controls FILE) -o OUT.mp4``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.build_job import find_avatar
from pipelines.cli.importing import tracked_drive
from pipelines.cli.screen import Screen
from pipelines.cli.words import Everywhere, Name, Output, parse
from pipelines.export_video import Exported, ExportSettings
from pipelines.retarget_motion import RetargetSettings
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.media import CODECS
from studio.project.store import Store, SubjectFolder


@dataclass(frozen=True, kw_only=True)
class AnimateOptions(Everywhere):
    """What ``animate`` can be told."""

    name: Name
    """The subject whose avatar moves."""
    drive: Annotated[Path | None, tyro.conf.arg(metavar="CLIP")] = None
    """A video of anybody, whose head and face the avatar follows."""
    controls: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A control file (JSON keyframes) instead of a video."""
    output: Output
    """The MP4 to write."""
    engine: str | None = None
    """Which kind of avatar; the newest of any kind otherwise."""
    clip: str | None = None
    """Avatar of which of the subject's clips, by title or key; the newest avatar otherwise."""
    person: str = "auto"
    """Whom to follow in the driving clip: auto, or 0, 1, 2… in order of appearance, from left to right."""
    retarget: Annotated[RetargetSettings, tyro.conf.arg(name="")] = field(default_factory=RetargetSettings)
    export: Annotated[ExportSettings, tyro.conf.arg(name="")] = field(default_factory=ExportSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Drive an avatar with a clip or a control file into an MP4."
    options: AnimateOptions = parse(AnimateOptions, words, "animate", description)
    if (options.drive is None) == (options.controls is None):
        raise Problem("Say what drives the avatar: either --drive CLIP or --controls FILE.")
    refuse_place(options.output)
    screen = Screen()
    store = options.store
    subject = store.find(options.name)
    avatar = find_avatar(
        subject, options.engine, None if options.clip is None else subject.clip(options.clip)
    )
    done = animate(screen, store, subject, avatar, options)
    for warning in done.warnings:
        screen.note(warning)
    speed = done.frames / max(done.seconds, 1e-9)
    screen.say(f"{options.output}: {done.frames} frames at {float(done.rate):.6g} a second.")
    screen.note(f"Rendered and written at {speed:.0f} frames a second.")
    return 0


def animate(
    screen: Screen, store: Store, subject: SubjectFolder, avatar: Avatar, options: AnimateOptions
) -> Exported:
    """Track the driver if need be, render and write, with progress shown."""
    drive = None
    if options.drive is not None:
        drive = tracked_drive(screen, store, options.drive, options.person)
    from pipelines.animate_avatar import track_from_clip, track_from_file
    from pipelines.export_video import export_video
    from studio.engines.catalog import engine_spec

    with screen.working() as progress:
        progress(0, None, "Opening the avatar")
        engine = engine_spec(avatar.engine).load(avatar)
        try:
            if drive is not None:
                track = track_from_clip(subject, avatar, drive, options.retarget)
            else:
                assert options.controls is not None
                track = track_from_file(engine, options.controls)
            return export_video(
                engine, track, avatar.stage, options.output, options.export, options.drive, progress
            )
        finally:
            engine.close()


def refuse_place(output: Path) -> None:
    """Say at once what would otherwise fail after minutes."""
    endings = CODECS["h264"].containers
    if output.is_dir():
        raise Problem(f"{output} is a folder: give a file name that ends in .mp4.")
    if output.suffix.lower() not in endings:
        raise Problem(f"{output} is no name for a video: let it end in {' or '.join(endings)}.")
    if not output.absolute().parent.is_dir():
        raise Problem(f"There is no folder {output.absolute().parent}: make it first or write elsewhere.")
