"""``bench``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pipelines.bench import BenchSettings
from pipelines.bench_live import LiveBenchSettings
from pipelines.bench_result import Bench
from pipelines.cli.places import refuse_figures
from pipelines.cli.screen import Screen
from pipelines.cli.words import Everywhere, parse
from pipelines.one_picture_bench_settings import OnePictureBenchSettings
from pipelines.people_systems import SYSTEMS
from pipelines.pvp_bench_settings import PvpBenchSettings
from pipelines.tri2plane_bench_settings import Tri2BenchSettings
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence
from studio.project.store import SubjectFolder

if TYPE_CHECKING:
    from pipelines.bench_trained import Filmed

TRAINED = ("pvp", "tri2plane", *SYSTEMS)
"""Engines whose avatars take too long to build here: a finished one is drawn."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions(Everywhere):
    """What ``bench`` can be told."""

    what: Annotated[
        str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[CLIP|NAME]", help_behavior_hint="")
    ] = None
    """A video of one face; the bundled sample otherwise. With --engine and an engine that is trained: whose
    avatar is drawn."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    network_only: bool = False
    """With --engine pvp: its networks alone, with random weights; needs no avatar."""
    live: bool = False
    """Measure inside the window: pictures shown a second and slider to pixel, alone and beside a build."""
    measure: Annotated[BenchSettings, tyro.conf.arg(name="")] = field(default_factory=BenchSettings)
    pvp: PvpBenchSettings = field(default_factory=PvpBenchSettings)
    tri2plane: Tri2BenchSettings = field(default_factory=Tri2BenchSettings)
    picture: OnePictureBenchSettings = field(default_factory=OnePictureBenchSettings)
    window: LiveBenchSettings = field(default_factory=LiveBenchSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Measure the speed of tracking, rendering and export here."
    options: BenchOptions = parse(BenchOptions, words, "bench", description)
    from studio.project.atomic import write_json

    if options.json is not None:
        read = None if options.measure.engine in TRAINED or options.what is None else Path(options.what)
        refuse_figures(options.json, options.store, (read,))
    screen = Screen()
    if options.live:
        result = _live(screen, options)
    else:
        trained = options.measure.engine in TRAINED
        result = _trained(screen, options) if trained else _built(screen, options)
    screen.say(result.table())
    if options.json is not None:
        write_json(options.json, result.to_json())
    return 0


def _built(screen: Screen, options: BenchOptions) -> Bench:
    """An engine that is built on the way."""
    from pipelines.bench import bench
    from pipelines.make_sample import sample_path

    if options.network_only:
        raise Problem("--network-only is for engines with networks: add --engine pvp.")
    clip = None if options.what is None else Path(options.what)
    with screen.working() as progress:
        return bench(clip, options.measure, progress, sample_path(options.store.home))


def _live(screen: Screen, options: BenchOptions) -> Bench:
    """The window, dragging."""
    from pipelines.bench_live import bench_live
    from pipelines.make_sample import sample_path

    if options.network_only or options.measure != BenchSettings():
        raise Problem("--live always measures the instant engine at 512²: leave the other options out.")
    clip = None if options.what is None else Path(options.what)
    with screen.working() as progress:
        return bench_live(clip, options.window, progress, sample_path(options.store.home))


def _trained(screen: Screen, options: BenchOptions) -> Bench:
    """An engine whose avatars take too long to build: one that is there."""
    from studio.tracking.quiet import quiet

    engine = options.measure.engine
    if options.network_only and engine != "pvp":
        raise Problem("--network-only is for PVP: leave it out.")
    if options.what is None and not options.network_only:
        hint = ", or add --network-only" if engine == "pvp" else ""
        raise Problem(f"Say whose avatar is drawn (python main.py bench NAME --engine {engine}){hint}.")
    if options.what is not None and options.network_only:
        raise Problem("--network-only draws nobody: leave the name out.")
    filmed = None if options.what is None else _filmed(options, options.what)
    with screen.working() as progress, quiet():
        if engine == "tri2plane" and filmed is not None:
            from pipelines.bench_tri2plane import bench_tri2plane

            return bench_tri2plane(filmed, options.tri2plane, progress)
        if engine in SYSTEMS and filmed is not None:
            from pipelines.bench_one_picture import bench_one_picture

            return bench_one_picture(filmed, options.picture, progress)
        from pipelines.bench_pvp import bench_pvp

        return bench_pvp(filmed, options.pvp, progress)


def _filmed(options: BenchOptions, name: str) -> Filmed:
    """The newest avatar of somebody and what was tracked in its clip."""
    from pipelines.bench_trained import Filmed
    from pipelines.build_job import find_avatar

    subject = options.store.find(name)
    avatar = find_avatar(subject, options.measure.engine)
    return Filmed(avatar, _tracked(subject, avatar))


def _tracked(subject: SubjectFolder, avatar: Avatar) -> TrackedSequence:
    """What was tracked in the clip that an avatar was built from."""
    from studio.project.sequence_files import load_sequence

    key = avatar.lineage["inputs"]["track"]
    for clip in subject.clips():
        if clip.sequence(key).is_dir():
            return load_sequence(clip.sequence(key))
    raise Problem(f"The clip that the avatar of {subject.name} was built from is no longer there.")
