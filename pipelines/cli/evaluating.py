"""``evaluate NAME --json FILE``, and several names for the mean over clips."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from pipelines.ablations import with_changes
from pipelines.build_job import PRESET, Build, plan_build
from pipelines.cli.animating import VIDEOS
from pipelines.cli.building import make
from pipelines.cli.places import refuse_figures, refuse_place
from pipelines.cli.recipe_options import RecipeOptions, named, with_stages
from pipelines.cli.screen import Screen
from pipelines.cli.words import Names, parse
from pipelines.evaluate_avatar import EvaluateSettings, Evaluation, evaluate_avatar
from pipelines.recipes import TRACK, settings_for
from studio.domain.problem import Problem
from studio.domain.sequence import HELD_OUT
from studio.project.store import SubjectFolder


@dataclass(frozen=True, kw_only=True)
class JudgingOptions(RecipeOptions):
    """Options of commands that build avatars without the end of their clips and judge them by it."""

    names: Names
    """The subject; several are judged one after the other and averaged."""
    beside: Annotated[str | None, tyro.conf.arg(metavar="ENGINE[:PRESET]", help_behavior_hint="")] = None
    """Another kind of avatar of the same clip to measure beside it on the same frames, e.g. instant or
    instant:draft."""
    held_out: float = HELD_OUT
    """Share of the clip's end to judge by, at most 0.2: tracking learns the person's shape from the rest. An
    avatar that never saw it is built if there is none."""
    compare: Annotated[EvaluateSettings, tyro.conf.arg(name="")] = field(default_factory=EvaluateSettings)

    def check(self, command: str) -> None:
        """Say now what cannot work. Raises Problem."""
        check_share(self.held_out)
        if not self.names:
            raise Problem(f"Say whose avatar is judged: python main.py {command} NAME")
        if self.beside is not None:
            settings_for(*rival(self.beside))


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(JudgingOptions):
    """What ``evaluate`` can be told."""

    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Write evaluations.json and evaluations.md (the mean, and a row for each clip) there."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a PNG there: the real frame, the engine beside it, the avatar, the nearest frame and errors."""
    video: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write an MP4 of the same pictures side by side there."""
    overwrite: bool = False
    """Replace the sheet or the video if there is such a file already; figures always are."""


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Measure an avatar on the part of its clip it never saw, beside the nearest training frame."
    kind = with_stages(EvaluateOptions, *named(words))
    options: EvaluateOptions = parse(kind, words, "evaluate", description)
    options.check("evaluate")
    store = options.store
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
    evaluations = [
        judge(Screen(), subject, options, sheet=options.sheet, video=options.video) for subject in subjects
    ]
    _report(Screen(), evaluations, options)
    return 0


def check_share(held_out: float) -> None:
    """Whether a clip can be judged by so much of its end. Raises Problem."""
    if not 0.0 < held_out <= HELD_OUT:
        raise Problem(
            f"The share held out must be more than 0 and at most {HELD_OUT:g}, not {held_out:g}: "
            "tracking has learnt the person's shape from what comes before."
        )


def rival(named: str) -> tuple[str, str]:
    """``ENGINE`` or ``ENGINE:PRESET`` as engine and preset."""
    engine, _, preset = named.partition(":")
    return engine, preset or PRESET


def judge(
    screen: Screen,
    subject: SubjectFolder,
    options: JudgingOptions,
    changes: Mapping[str, Any] | None = None,
    *,
    sheet: Path | None = None,
    video: Path | None = None,
) -> Evaluation:
    """Build the avatars that never saw the end of the clip, if they are not there, and judge.

    Args:
        screen: where progress is shown.
        subject: whose avatar.
        options: what is judged and how.
        changes: settings (``stage.field`` to value) that differ from the options.
        sheet: contact sheet to write.
        video: film to write.
    """
    clip = subject.clip(options.clip)
    stages = with_changes(options.stages(clip), changes or {})
    build = plan_build(subject, clip, options.engine, options.preset, stages, options.held_out)
    other = None
    if options.beside is not None:
        # The same tracking, because the same frames are judged.
        track = {TRACK.id: stages[TRACK.id]}
        other = plan_build(subject, clip, *rival(options.beside), track, options.held_out)
        make(screen, other)
    make(screen, build)
    about = {
        "avatar": build.avatar.name,
        "preset": options.preset,
        "changes": {**options.differences(), **(changes or {})},
        **({"beside_avatar": other.avatar.name} if other else {}),
    }
    return _compare(screen, subject, options, build, other, about, sheet, video)


def _report(screen: Screen, evaluations: list[Evaluation], options: EvaluateOptions) -> None:
    from pipelines.evaluation_report import (
        clip_table,
        mean_table,
        verdicts,
        write_evaluation,
        write_evaluations,
    )

    if options.json is not None:
        write_evaluation(options.json, evaluations[0])
    if options.report is not None:
        write_evaluations(options.report, evaluations)
    for evaluation in evaluations:
        for line in verdicts(evaluation):
            screen.say(line)
        screen.say(f"{evaluation.title}, frames {evaluation.held_out[0]} to {evaluation.held_out[1]}.")
    screen.say(mean_table(evaluations))
    if len(evaluations) > 1:
        screen.say(clip_table(evaluations))


def _compare(
    screen: Screen,
    subject: SubjectFolder,
    options: JudgingOptions,
    build: Build,
    other: Build | None,
    about: Mapping[str, Any],
    sheet: Path | None,
    video: Path | None,
) -> Evaluation:
    """Open the avatars and judge, with progress shown."""
    from pipelines.judged_avatar import judged_by_the_end, open_avatar
    from studio.assets import AssetLibrary
    from studio.tracking.quiet import quiet

    with ExitStack() as stack:
        opened = open_avatar(build.avatar, stack)
        beside = None
        if other is not None and options.beside is not None:
            beside = open_avatar(other.avatar, stack).beside(options.beside)
        title = f"{subject.name}: {build.clip.clip.title}"
        judged = judged_by_the_end(
            opened, build.sequence(), build.clip.source, options.held_out, stack, title, about
        )
        with screen.working() as progress, quiet():
            return evaluate_avatar(
                judged,
                options.compare,
                avatar=opened.avatar,
                beside=beside,
                assets=AssetLibrary(options.store.home),
                contact_sheet=sheet,
                video_out=video,
                progress=progress,
            )
