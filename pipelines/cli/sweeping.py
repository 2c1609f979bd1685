"""``sweep NAME``: does an avatar do what it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pipelines.build_job import find_avatar
from pipelines.cli.places import refuse_figures, refuse_place
from pipelines.cli.screen import Screen
from pipelines.cli.words import Chosen, Everywhere, Name, parse
from pipelines.sweep_avatar import SweepReport, SweepSettings, Swept, sweep_avatar
from pipelines.sweep_report import SweepPicture, sweep_table
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence
from studio.project.store import SubjectFolder

if TYPE_CHECKING:
    from pipelines.sample.rigid import RigidSample


@dataclass(frozen=True, kw_only=True)
class SweepOptions(Everywhere):
    """What ``sweep`` can be told."""

    name: Name
    """The subject whose avatar is asked."""
    engine: Chosen = None
    """Which kind of avatar; the newest of any kind otherwise."""
    clip: Chosen = None
    """Avatar of which of the subject's clips, by title or key; the newest avatar otherwise."""
    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a PNG there: the yaw sweep above, the strongest expression direction below."""
    truth: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """For an avatar of the bundled sample: its truth (NAME.truth.npz beside the clip), which tells the
    avatar's own leak from the tracker's."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    overwrite: bool = False
    """Replace the picture if there is such a file already; figures always are."""
    measure: Annotated[SweepSettings, tyro.conf.arg(name="")] = field(default_factory=SweepSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Sweep an avatar's controls one by one and read them back: does it do what it is asked?"
    options: SweepOptions = parse(SweepOptions, words, "sweep", description)
    store = options.store
    if options.json is not None:
        refuse_figures(options.json, store)
    if options.picture is not None:
        refuse_place(options.picture, (".png",), store=store, overwrite=options.overwrite, what="a PNG")
    screen = Screen()
    subject = store.find(options.name)
    avatar = find_avatar(
        subject, options.engine, None if options.clip is None else subject.clip(options.clip)
    )
    report = sweep(screen, subject, avatar, options)
    screen.say(sweep_table(report))
    if options.json is not None:
        from studio.project.atomic import write_json

        write_json(options.json, report.to_json())
    return 0


def sweep(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: SweepOptions) -> SweepReport:
    """Open the avatar, sweep it and write the picture, with progress shown."""

    from pipelines.animate_avatar import rest_camera, shown_frames, source_sequence
    from studio.engines.catalog import engine_spec
    from studio.project.sequence_files import load_sequence
    from studio.tracking.quiet import quiet

    clip = subject.clip(avatar.lineage["inputs"]["clip"])
    sequence = load_sequence(source_sequence(subject, avatar))
    truth = None if options.truth is None else read_truth(options.truth, sequence)
    pictures = SweepPicture(options.measure.steps)
    engine = engine_spec(avatar.engine).load(avatar)
    try:
        with screen.working() as progress, quiet():
            report = sweep_avatar(
                Swept(
                    engine=engine,
                    engine_id=avatar.engine,
                    rest_camera=rest_camera(avatar),
                    sequence=sequence,
                    seen=shown_frames(avatar, sequence),
                    stage=avatar.stage,
                    title=f"{subject.name}: {clip.clip.title}",
                    video=clip.source,
                    truth=truth,
                ),
                options.measure,
                keep=pictures.add if options.picture is not None else None,
                progress=progress,
            )
    finally:
        engine.close()
    if options.picture is not None:
        pictures.save(options.picture, report)
    return report


def read_truth(file: Path, sequence: TrackedSequence) -> RigidSample:
    """The truth beside a sample clip, drawing its true head turned. Raises Problem for another file."""
    from pipelines.make_sample import SampleTruth
    from pipelines.sample.rigid import RigidSample

    try:
        truth = SampleTruth.load(file)
    except (OSError, ValueError, KeyError) as error:
        raise Problem(
            f"{file} is not the truth of a sample clip: name the .truth.npz that lies beside it."
        ) from error
    return RigidSample(truth, sequence)
