"""``evaluate NAME --json FILE``, and several names for the mean over clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.build_job import PRESET, Build, plan_build
from pipelines.cli.animating import VIDEOS
from pipelines.cli.building import make
from pipelines.cli.places import refuse_figures, refuse_place
from pipelines.cli.screen import Screen
from pipelines.cli.words import Chosen, Everywhere, Names, parse
from pipelines.evaluate_avatar import EvaluateSettings, Evaluation, Judged, evaluate_avatar
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.domain.sequence import HELD_OUT, held_out_split
from studio.project.store import SubjectFolder


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Everywhere):
    """What ``evaluate`` can be told."""

    names: Names
    """The subject; several are judged one after the other and averaged."""
    engine: str = "instant"
    """What kind of avatar is judged."""
    preset: str = PRESET
    """The preset it is built with."""
    clip: Chosen = None
    """Which of the subject's clips, by title or key; needed when there are several."""
    held_out: float = HELD_OUT
    """Share of the clip's end to judge by, at most 0.2: tracking learns the person's shape from the rest. An
    avatar that never saw it is built if there is none."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Write evaluations.json and evaluations.md (the mean, and a row for each clip) there."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a PNG of real frame, avatar, nearest frame and their differences there."""
    video: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write an MP4 of real frame, avatar and nearest frame side by side there."""
    overwrite: bool = False
    """Replace the sheet or the video if there is such a file already; figures always are."""
    compare: Annotated[EvaluateSettings, tyro.conf.arg(name="")] = field(default_factory=EvaluateSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Measure an avatar on the part of its clip it never saw, beside the nearest training frame."
    options: EvaluateOptions = parse(EvaluateOptions, words, "evaluate", description)
    if not 0.0 < options.held_out <= HELD_OUT:
        raise Problem(
            f"The share held out must be more than 0 and at most {HELD_OUT:g}, not {options.held_out:g}: "
            "tracking has learnt the person's shape from what comes before."
        )
    store = options.store
    if not options.names:
        raise Problem("Say whose avatar is judged: python main.py evaluate NAME")
    if len(options.names) > 1 and (options.json or options.sheet or options.video or options.clip):
        raise Problem(
            "--json, --sheet, --video and --clip are for one name; use --report FOLDER for several."
        )
    if options.json is not None:
        refuse_figures(options.json, store)
    for place, endings, what in ((options.sheet, (".png",), "a PNG"), (options.video, VIDEOS, "a video")):
        if place is not None:
            refuse_place(place, endings, store=store, overwrite=options.overwrite, what=what)
    subjects = [store.find(name) for name in options.names]
    evaluations = [judge(Screen(), subject, options) for subject in subjects]
    _report(Screen(), evaluations, options)
    return 0


def judge(screen: Screen, subject: SubjectFolder, options: EvaluateOptions) -> Evaluation:
    """Build the avatar that never saw the end of the clip, if there is none, and judge it."""
    clip = subject.clip(options.clip)
    build = plan_build(subject, clip, options.engine, options.preset, held_out=options.held_out)
    make(screen, build)
    return evaluate(screen, subject, build, options)


def _report(screen: Screen, evaluations: list[Evaluation], options: EvaluateOptions) -> None:
    from pipelines.evaluation_report import (
        clip_table,
        mean_table,
        verdict,
        write_evaluation,
        write_evaluations,
    )

    if options.json is not None:
        write_evaluation(options.json, evaluations[0])
    if options.report is not None:
        write_evaluations(options.report, evaluations)
    for evaluation in evaluations:
        screen.say(verdict(evaluation))
        screen.say(f"{evaluation.title}, frames {evaluation.held_out[0]} to {evaluation.held_out[1]}.")
    screen.say(mean_table(evaluations))
    if len(evaluations) > 1:
        screen.say(clip_table(evaluations))


def evaluate(screen: Screen, subject: SubjectFolder, build: Build, options: EvaluateOptions) -> Evaluation:
    """Open the avatar and judge it, with progress shown."""
    import numpy as np

    from studio.assets import AssetLibrary
    from studio.engines.catalog import engine_spec
    from studio.project.avatar_files import load_avatar
    from studio.project.sequence_files import MaskReader, load_sequence
    from studio.tracking.quiet import quiet

    avatar: Avatar = load_avatar(build.avatar)
    sequence = load_sequence(build.sequence())
    train, held_out = held_out_split(len(sequence), options.held_out)
    engine = engine_spec(avatar.engine).load(avatar)
    try:
        with MaskReader(build.sequence()) as masks, screen.working() as progress, quiet():
            judged = Judged(
                engine=engine,
                engine_id=avatar.engine,
                rest_camera=np.array(avatar.lineage["rest_camera"], np.float32),
                sequence=sequence,
                video=build.clip.source,
                train=train,
                held_out=held_out,
                title=f"{subject.name}: {build.clip.clip.title}",
                masks=masks.read,
            )
            return evaluate_avatar(
                judged,
                options.compare,
                avatar=avatar,
                assets=AssetLibrary(options.store.home),
                contact_sheet=options.sheet,
                video_out=options.video,
                progress=progress,
            )
    finally:
        engine.close()
