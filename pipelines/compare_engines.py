"""Several engines on the same held-out frames of one clip: how good, how fast, how long to build, how large.

Each avatar is judged by itself through :func:`pipelines.evaluate_avatar.evaluate_avatar`. Real frames and
nearest training frames are the same in all of these evaluations, and that is made sure of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.build_job import NOTHING_HELD_OUT, Build, plan_build
from pipelines.build_times import BuildTime, build_time
from pipelines.drawing_memory import DrawingMemory, drawing_memory
from pipelines.evaluate_avatar import EvaluateSettings, Evaluation, Picture, evaluate_avatar
from pipelines.import_job import is_photo
from pipelines.judged_avatar import judged_by_the_end, open_avatar
from pipelines.one_picture_stages import BASE_MODEL
from pipelines.recipes import TRACK, settings_for
from studio.assets import AssetLibrary
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import HELD_OUT
from studio.engines.catalog import ENGINES
from studio.project.sequence_files import load_sequence
from studio.project.store import ClipFolder, SubjectFolder
from studio.tracking.settings import TrackSettings

SHOWN = 6
"""Frames whose pictures are kept, spread over the held-out part."""


@dataclass(frozen=True)
class Contestant:
    """An avatar that is compared, or is about to be."""

    engine: str
    """Engine id."""
    preset: str
    """One of its presets."""
    build: Build
    """Of the avatar that never saw the end of the clip; ``made`` says whether it was there already."""

    @property
    def name(self) -> str:
        """What reports call it, e.g. ``pvp:draft``."""
        return f"{self.engine}:{self.preset}"


@dataclass(frozen=True)
class Measured:
    """What is known of one avatar."""

    contestant: Contestant
    """Which one."""
    evaluation: Evaluation
    """How good it is on the held-out frames, and how fast it draws them."""
    build: BuildTime
    """What building took."""
    memory: DrawingMemory
    """What drawing takes."""
    size: int
    """Bytes of the avatar's own files."""
    model_size: int
    """Bytes of the base model that it refers to; 0 for none."""


@dataclass(frozen=True)
class KeptFrame:
    """The pictures of one held-out frame, each ``[S, S, 3]``."""

    real: Picture
    """What the camera saw."""
    nearest: Picture
    """The nearest training frame."""
    drawn: Mapping[str, Picture]
    """Contestant's name to what it drew."""


@dataclass(frozen=True)
class EngineComparison:
    """Several avatars on the same frames."""

    subject: str
    """Whose they are."""
    clip: str
    """Name of the clip."""
    measured: tuple[Measured, ...]
    """In the order of asking; never empty."""
    frames: Mapping[int, KeptFrame]
    """Frame number to its pictures, of :data:`SHOWN` frames."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Engine id to why it is not compared, one sentence."""


class Watch:
    """Sees an evaluation's pictures: keeps some, and tells of all whether real and nearest were the same."""

    def __init__(self, wanted: set[int]) -> None:
        """``wanted``: numbers of the frames to keep."""
        self.kept: dict[int, tuple[Picture, Picture, Picture]] = {}
        """Frame number to the real frame, the engine's and the nearest training frame."""
        self._wanted, self._digest = wanted, hashlib.sha256()

    @property
    def digest(self) -> str:
        """The same for evaluations that saw the same real and nearest frames in the same order."""
        return self._digest.hexdigest()

    def saw(self, frame: int, pictures: Sequence[Picture]) -> None:
        """The pictures of one frame: real, engine, nearest training frame."""
        real, engine, nearest = pictures[:3]
        self._digest.update(f"{frame} {real.shape}".encode())
        for picture in (real, nearest):
            self._digest.update(np.ascontiguousarray(picture).tobytes())
        if frame in self._wanted:
            self.kept[frame] = (real, engine, nearest)

    def measured(self, values: Sequence[Mapping[str, npt.NDArray[np.float64]]]) -> None:
        """Means are enough."""


def contestants(
    subject: SubjectFolder,
    clip: ClipFolder,
    track: TrackSettings,
    wanted: Sequence[tuple[str, str]] = (),
    held_out: float = HELD_OUT,
) -> tuple[list[Contestant], dict[str, str]]:
    """Who takes part, and for engines that cannot: why, one sentence each.

    Args:
        subject: whose clip it is.
        clip: one of their clips.
        track: how the clip was tracked; the same for all.
        wanted: engine and preset of each, an empty preset standing for the first, which is the fastest to
            build; nothing for every engine that can be built here.
        held_out: share of the clip's end that no avatar may see.

    Raises:
        Problem: the clip is a photo, or one that was asked for is unknown, cannot be built here, or was asked
            for twice.
    """
    if is_photo(clip):
        raise Problem(NOTHING_HELD_OUT)
    found: list[Contestant] = []
    lacking: dict[str, str] = {}
    for engine, preset in wanted or [(engine, "") for engine in ENGINES]:
        if not preset and engine in ENGINES:
            preset = ENGINES[engine].presets[0]
        settings_for(engine, preset)
        missing = ENGINES[engine].missing(subject.home)
        if missing is not None:
            if wanted:
                raise Problem(f"{ENGINES[engine].title} cannot be compared. {missing}")
            lacking[engine] = missing
            continue
        try:
            build = plan_build(subject, clip, engine, preset, {TRACK.id: track}, held_out)
        except Problem as problem:  # e.g. a damaged base model
            if wanted:
                raise
            lacking[engine] = str(problem)
            continue
        if any(other.build.avatar == build.avatar for other in found):
            raise Problem(f"{engine}:{preset} is named twice: name each kind of avatar once.")
        found.append(Contestant(engine, preset, build))
    return found, lacking


def compare_engines(
    subject: SubjectFolder,
    clip: ClipFolder,
    taking_part: Sequence[Contestant],
    settings: EvaluateSettings | None = None,
    held_out: float = HELD_OUT,
    *,
    lacking: Mapping[str, str] | None = None,
    assets: AssetLibrary | None = None,
    progress: Progress = silent,
) -> EngineComparison:
    """Judge avatars that are made, one after the other.

    Args:
        subject: whose clip it is.
        clip: one of their clips.
        taking_part: see :func:`contestants`; at least one.
        settings: see :class:`EvaluateSettings`.
        held_out: share of the clip that they are judged by.
        lacking: engine id to why it does not take part.
        assets: where LPIPS and identity weights are looked for; None for none.
        progress: told after every frame.

    Raises:
        Problem: an avatar has seen the held-out frames or is damaged, or none of these frames is good.
    """
    chosen = settings or EvaluateSettings()
    sequence = load_sequence(taking_part[0].build.sequence())
    frames = np.arange(len(sequence))[sequence.split(held_out)[1]]
    frames = frames[sequence.good[frames]]
    spread = np.linspace(0, max(0, len(frames) - 1), min(SHOWN, len(frames))).round().astype(int)
    wanted = {int(frame) for frame in frames[spread]}
    jobs = subject.jobs()
    measured: list[Measured] = []
    watches: list[Watch] = []
    for contestant in taking_part:
        name, build = ENGINES[contestant.engine].title, contestant.build

        def told(done: int, total: int | None, what: str, name: str = name) -> None:
            progress(done, total, f"{name}: {what}")

        watch = Watch(wanted)
        evaluation = _judged(contestant, chosen, held_out, subject, assets, watch, told)
        if watches and watch.digest != watches[0].digest:
            raise RuntimeError(f"{contestant.name} was judged by other pictures than {taking_part[0].name}")
        watches.append(watch)
        measured.append(
            Measured(
                contestant,
                evaluation,
                build_time(build, jobs),
                drawing_memory(build.avatar, build.sequence(), held_out, chosen.size, told),
                bytes_in(build.avatar),
                _model_size(build, subject),
            )
        )
    kept = {
        frame: KeptFrame(
            real, nearest, {one.name: watch.kept[frame][1] for one, watch in zip(taking_part, watches)}
        )
        for frame, (real, _, nearest) in watches[0].kept.items()
    }
    return EngineComparison(subject.name, clip.clip.title, tuple(measured), kept, dict(lacking or {}))


def bytes_in(folder: Path) -> int:
    """Bytes of all files in a folder, a linked one counting where it is."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _judged(
    contestant: Contestant,
    settings: EvaluateSettings,
    held_out: float,
    subject: SubjectFolder,
    assets: AssetLibrary | None,
    watch: Watch,
    progress: Progress,
) -> Evaluation:
    from studio.tracking.quiet import quiet

    build = contestant.build
    with ExitStack() as stack:
        opened = open_avatar(build.avatar, stack)
        title = f"{subject.name}: {build.clip.clip.title}"
        about = {"avatar": build.avatar.name, "preset": contestant.preset}
        judged = judged_by_the_end(opened, build.sequence(), build.clip.source, held_out, stack, title, about)
        with quiet():
            return evaluate_avatar(
                judged, settings, avatar=opened.avatar, assets=assets, witness=watch, progress=progress
            )


def _model_size(build: Build, subject: SubjectFolder) -> int:
    model = build.plan.steps[-1].inputs.get(BASE_MODEL)
    return 0 if model is None else bytes_in(subject.path / model)
