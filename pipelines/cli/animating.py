"""``animate NAME (--drive CLIP | --controls FILE) -o OUT``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pipelines.build_job import find_avatar
from pipelines.cli.importing import tracked_drive
from pipelines.cli.screen import Screen, counted
from pipelines.cli.words import Chosen, Everywhere, Name, Output, parse
from pipelines.control_file import open_control_file, tell_strong
from pipelines.export_place import refuse_target
from pipelines.export_settings import SIZES, ExportSettings, check_settings
from pipelines.retarget_motion import RetargetSettings
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.media import CODECS
from studio.project.store import Store, SubjectFolder

if TYPE_CHECKING:
    from pipelines.export_video import Exported

VIDEOS = tuple(CODECS["h264"].containers)
"""Endings of the videos that play everywhere."""
SMALLEST = 64
"""Side in pixels below which nobody sees a face."""


@dataclass(frozen=True, kw_only=True)
class AnimateOptions(Everywhere):
    """What ``animate`` can be told."""

    name: Name
    """The subject whose avatar moves."""
    drive: Annotated[Path | None, tyro.conf.arg(metavar="CLIP", help_behavior_hint="")] = None
    """A video of anybody, whose head and face the avatar follows."""
    controls: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """A control file (JSON keyframes) instead of a video."""
    output: Output
    """The video to write: .mp4, or what --codec asks for; with --codec png a folder."""
    overwrite: bool = False
    """Replace the output if there is such a file already."""
    engine: Chosen = None
    """Which kind of avatar; the newest of any kind otherwise."""
    clip: Chosen = None
    """Avatar of which of the subject's clips, by title or key; the newest avatar otherwise."""
    person: str = "auto"
    """Whom to follow in the driving clip: auto, or 0, 1, 2… in order of appearance, from left to right."""
    baked: bool = False
    """The newest copy with baked edits instead, see edit --bake."""
    retarget: Annotated[RetargetSettings, tyro.conf.arg(name="")] = field(default_factory=RetargetSettings)
    export: Annotated[ExportSettings, tyro.conf.arg(name="")] = field(default_factory=ExportSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Drive an avatar with a clip or a control file into a video."
    options: AnimateOptions = parse(AnimateOptions, words, "animate", description)
    if options.drive is None and options.controls is None:
        raise Problem("Say what drives the avatar: either --drive CLIP or --controls FILE.")
    if options.drive is not None and options.controls is not None:
        raise Problem("An avatar follows --drive or --controls: give one of them, not both.")
    store = options.store
    refuse_size(options.export.size)
    codec = check_settings(options.export)
    refuse_target(
        options.output,
        codec,
        store.home,
        sources=(options.drive, options.controls, options.export.sound_file),
        overwrite=options.overwrite,
        to_replace="add --overwrite to replace it",
    )
    if options.controls is not None:
        open_control_file(options.controls)  # whatever is wrong with it is said before the avatar is opened
    elif options.drive is not None and not options.drive.exists():
        raise Problem(f"There is no clip {options.drive}: check the name.")
    if options.drive is not None and options.retarget.expression_space != "head":
        from pipelines.expression_spaces import choose_space
        from studio.head import builtin_head

        choose_space(store.home, builtin_head().id, options.retarget.space_model)
    screen = Screen()
    subject = store.find(options.name)
    clip = None if options.clip is None else subject.clip(options.clip)
    avatar = find_avatar(subject, options.engine, clip, options.baked)
    done = animate(screen, store, subject, avatar, options)
    for warning in done.warnings:
        screen.note(warning)
    speed = done.frames / max(done.seconds, 1e-9)
    screen.say(f"{options.output}: {counted(done.frames, 'frame')} at {float(done.rate):.6g} a second.")
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
    from pipelines.edit_avatar import edited
    from pipelines.export_video import export_video
    from studio.engines.catalog import engine_spec

    with screen.working() as progress:
        progress(0, None, "Opening the avatar")
        engine = engine_spec(avatar.engine).load(edited(avatar))
        try:
            if drive is not None:
                track = track_from_clip(subject, avatar, drive, options.retarget)
                tell_strong(engine.sheet, engine.sheet.neutral().values[None], screen.note)
            else:
                assert options.controls is not None
                track = track_from_file(engine, options.controls, screen.note)
            return export_video(
                engine, track, avatar.stage, options.output, options.export, options.drive, progress
            )
        finally:
            engine.close()


def refuse_size(size: int) -> None:
    """Raise Problem for a side that makes no video worth seeing."""
    low, high = SMALLEST, SIZES[1]
    if not low <= size <= high:
        raise Problem(f"A video of {size} pixels cannot be made: choose a --size from {low} to {high}.")
