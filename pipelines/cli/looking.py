"""``consistency NAME``: is an avatar one head, from whichever side it is seen?"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pipelines.build_job import find_avatar, plan_build
from pipelines.cli.building import make
from pipelines.cli.places import refuse_figures, refuse_place
from pipelines.cli.screen import Screen
from pipelines.cli.words import Chosen, Everywhere, Name, parse
from pipelines.view_consistency import ConsistencyReport, ConsistencySettings, check
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.domain.sequence import HELD_OUT
from studio.engines.catalog import engine_spec
from studio.project.store import ClipFolder, Store, SubjectFolder

if TYPE_CHECKING:
    from pipelines.turned_views import Filmed
    from studio.metrics.identity import IdentityNetwork

NETWORK = "identity-mobilefacenet"
"""Weights of the identity network."""


@dataclass(frozen=True, kw_only=True)
class ConsistencyOptions(Everywhere):
    """What ``consistency`` can be told."""

    name: Name
    """The subject whose avatar is turned."""
    engine: Chosen = None
    """Which kind of avatar; the newest of any kind otherwise."""
    preset: Chosen = None
    """Built with which preset, made if it is not there; the newest avatar of the kind otherwise."""
    beside: Annotated[str | None, tyro.conf.arg(metavar="ENGINE[:PRESET]", help_behavior_hint="")] = None
    """Another kind of avatar of the same clip to turn beside it, e.g. pvp or pvp:draft; several with
    commas."""
    clip: Chosen = None
    """Which of the subject's clips, by title or key; the newest avatar's otherwise."""
    least: Annotated[float, tyro.conf.arg(name="from")] = ConsistencySettings.least
    """Yaw of the first view, degrees."""
    most: Annotated[float, tyro.conf.arg(name="to")] = ConsistencySettings.most
    """Yaw of the last view."""
    step: float = ConsistencySettings.step
    """Degrees between views."""
    looks: int = ConsistencySettings.looks
    """Pictures of each view, shifted by parts of a pixel, over which the tracker's landmarks are averaged."""
    truth: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """For an avatar of the bundled sample: its truth (NAME.truth.npz beside the clip), turned beside it."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a PNG of all views there."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    overwrite: bool = False
    """Replace the sheet if there is such a file already; figures always are."""

    @property
    def settings(self) -> ConsistencySettings:
        """From where the avatar is seen."""
        return ConsistencySettings(self.least, self.most, self.step, self.looks)


def command(words: list[str]) -> int:
    """Run the command."""
    description = "See an avatar from many sides, track every view by itself: is it one head, one person?"
    options: ConsistencyOptions = parse(ConsistencyOptions, words, "consistency", description)
    store = options.store
    check(options.settings)
    if options.preset is not None and options.engine is None:
        raise Problem("--preset says how an avatar was built: say --engine, too.")
    if options.json is not None:
        refuse_figures(options.json, store)
    if options.sheet is not None:
        refuse_place(options.sheet, (".png",), store=store, overwrite=options.overwrite, what="a PNG")
    screen = Screen()
    subject = store.find(options.name)
    wanted = [
        (options.engine, options.preset),
        *(_named(one.strip()) for one in (options.beside or "").split(",") if one.strip()),
    ]
    for engine, _ in wanted:
        if engine is not None:
            engine_spec(engine)  # refuses what there is not
    clip = None if options.clip is None else subject.clip(options.clip)
    avatars: list[Avatar] = []
    names: list[str] = []
    for engine, preset in wanted:
        avatar = _avatar(screen, subject, engine, preset, clip)
        clip = clip or subject.clip(avatar.lineage["inputs"]["clip"])
        avatars.append(avatar)
        names.append(avatar.engine + (f":{preset}" if preset else ""))
    assert clip is not None
    report = turn_all(screen, subject, clip, avatars, names, options)
    from pipelines.consistency_report import consistency_table

    screen.say(consistency_table(report))
    if options.json is not None:
        from studio.project.atomic import write_json

        write_json(options.json, report.to_json())
    return 0


def turn_all(
    screen: Screen,
    subject: SubjectFolder,
    clip: ClipFolder,
    avatars: list[Avatar],
    names: list[str],
    options: ConsistencyOptions,
) -> ConsistencyReport:
    """Open the avatars, turn them all and write the sheet, with progress shown."""
    from pipelines.consistency_report import ViewSheet
    from pipelines.turned_views import Shown
    from pipelines.view_consistency import view_consistency
    from studio.tracking.quiet import quiet

    filmed = _filmed(subject, clip, avatars[0], options.truth)
    sheet = ViewSheet(options.settings.yaws)
    network, off = _network(options.store)
    with ExitStack() as stack:
        shown = []
        for avatar, name in zip(avatars, names):
            engine = engine_spec(avatar.engine).load(avatar)
            stack.callback(engine.close)
            shown.append(Shown(engine, name, avatar.stage))
        progress = stack.enter_context(screen.working())
        stack.enter_context(quiet())
        report = view_consistency(
            shown,
            filmed,
            options.settings,
            identity=network,
            off=off,
            keep=sheet.add if options.sheet is not None else None,
            progress=progress,
        )
    if options.sheet is not None:
        sheet.save(options.sheet)
    return report


def _named(words: str) -> tuple[str, str | None]:
    """``ENGINE`` or ``ENGINE:PRESET``."""
    engine, _, preset = words.partition(":")
    return engine, preset or None


def _avatar(
    screen: Screen, subject: SubjectFolder, engine: str | None, preset: str | None, clip: ClipFolder | None
) -> Avatar:
    """A finished avatar: one that saw the whole clip, else the one made for evaluation; built if there is
    neither and a preset says how."""
    if engine is None or preset is None:
        return find_avatar(subject, engine, clip)
    from studio.project.avatar_files import load_avatar

    source = clip or subject.clip(None)
    whole, evaluated = (plan_build(subject, source, engine, preset, held_out=h) for h in (0.0, HELD_OUT))
    build = evaluated if evaluated.made and not whole.made else whole
    make(screen, build)
    return load_avatar(build.avatar)


def _filmed(subject: SubjectFolder, clip: ClipFolder, avatar: Avatar, truth: Path | None) -> Filmed:
    """The clip of an avatar."""

    from pipelines.animate_avatar import rest_camera, shown_frames, source_sequence
    from pipelines.cli.sweeping import read_truth
    from pipelines.turned_views import Filmed
    from studio.project.sequence_files import load_sequence

    sequence = load_sequence(source_sequence(subject, avatar))
    return Filmed(
        sequence=sequence,
        seen=shown_frames(avatar, sequence),
        rest_camera=rest_camera(avatar),
        stage=avatar.stage,
        video=clip.source,
        title=f"{subject.name}: {clip.clip.title}",
        truth=None if truth is None else read_truth(truth, sequence),
    )


def _network(store: Store) -> tuple[IdentityNetwork | None, str]:
    """The identity network, or why there is none."""
    from studio.assets import AssetLibrary
    from studio.metrics import Unavailable
    from studio.metrics.identity import MobileFaceNet

    assets = AssetLibrary(store.home)
    absent, path = assets.missing(NETWORK), assets.find(NETWORK)
    if absent or path is None:
        return None, f"Identity was not measured. {absent or ''}".strip()
    try:
        return MobileFaceNet(path), ""
    except Unavailable as reason:
        return None, f"Identity was not measured. {reason}."
