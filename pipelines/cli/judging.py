"""``judge NAME``: do an avatar's edits do what they say, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.build_job import find_avatar
from pipelines.cli.places import refuse_figures
from pipelines.cli.screen import Screen
from pipelines.cli.words import Chosen, Everywhere, Name, parse
from pipelines.edit_avatar import edited, suggest
from pipelines.judge_settings import JudgeSettings
from studio.domain.avatar import Avatar
from studio.project.store import Store, SubjectFolder


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(Everywhere):
    """What ``judge`` can be told."""

    name: Name
    """The subject whose edits are measured."""
    engine: Chosen = None
    """Which kind of avatar; the newest of any kind otherwise."""
    clip: Chosen = None
    """Avatar of which of the subject's clips, by title or key; the newest avatar otherwise."""
    narrow: bool = False
    """Suggest of each edit only those strengths at which its bounds of drift and leak are kept."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    measure: Annotated[JudgeSettings, tyro.conf.arg(name="")] = field(default_factory=JudgeSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = (
        "Measure each edit of an avatar by itself, over its suggested strengths: what it moves, whether the "
        "person stays who they are, and whether pose and expression stay."
    )
    options: JudgeOptions = parse(JudgeOptions, words, "judge", description)
    store = options.store
    if options.json is not None:
        refuse_figures(options.json, store)
    screen = Screen()
    subject = store.find(options.name)
    avatar = edited(
        find_avatar(subject, options.engine, None if options.clip is None else subject.clip(options.clip))
    )
    judge(screen, store, subject, avatar, options)
    return 0


def judge(
    screen: Screen, store: Store, subject: SubjectFolder, avatar: Avatar, options: JudgeOptions
) -> None:
    """Open the avatar, measure its edits and say what was found, with progress shown."""
    import torch

    from pipelines.animate_avatar import rest_camera, shown_frames, source_sequence
    from pipelines.face_reading import face_reader
    from pipelines.judge_edits import LEGEND, Judged, edits_json, edits_table, judge_edits
    from studio.assets import AssetLibrary
    from studio.editing.identity_drift import identity_meter
    from studio.engines.catalog import engine_spec
    from studio.project.sequence_files import load_sequence
    from studio.tracking.quiet import quiet

    sequence = load_sequence(source_sequence(subject, avatar))
    engine = engine_spec(avatar.engine).load(avatar)
    try:
        with screen.working() as progress, quiet(), face_reader() as faces:
            meter, without = identity_meter(AssetLibrary(store.home), faces, torch.device("cpu"))
            figures = judge_edits(
                Judged(
                    engine=engine,
                    edits=avatar.edits,
                    sequence=sequence,
                    rest_camera=rest_camera(avatar),
                    seen=shown_frames(avatar, sequence),
                    stage=avatar.stage,
                ),
                options.measure,
                faces=faces,
                meter=meter,
                progress=progress,
            )
    finally:
        engine.close()
    screen.say(edits_table(figures))
    screen.note(LEGEND)
    if options.narrow:
        for one in figures:
            low, high = (round(strength, 2) for strength in one.holds)
            edit = suggest(avatar, one.name, (low, high)).edits.find(one.name)
            beyond = "" if low <= edit.strength <= high else f"; it rests at {edit.strength:g}, beyond that"
            screen.say(f"“{edit.title}”: suggested is now {low:g} to {high:g}{beyond}.")
    if without:
        screen.note(f"Drift is not measured: {without}")
    if options.json is not None:
        from studio.project.atomic import write_json

        write_json(options.json, {"engine": avatar.engine, "edits": edits_json(figures)})
