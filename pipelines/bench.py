"""How fast is the main path on this machine: tracking, rendering, export, and the first picture."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.aligned_crop import cut_view
from pipelines.bench_rendering import draw_all, lines, own_motion
from pipelines.bench_result import Bench, Measured, peak_memory, this_machine
from pipelines.export_video import ExportSettings, export_video, stage_view
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlTrack
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import Quality, RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.engines.engine import Engine
from studio.media import VideoWriter, probe, read_frames


@dataclass(frozen=True)
class BenchSettings:
    """What is measured."""

    size: int = 512
    """Side of the pictures that are tracked, rendered and exported, pixels."""
    frames: int = 240
    """Frames of the clip that are used, at most."""
    engine: str = "instant"
    """Engine that is built, rendered and exported."""
    preset: str = "standard"
    """Preset that it is built with."""


def bench(
    clip: Path | None = None,
    settings: BenchSettings | None = None,
    progress: Progress = silent,
    sample: Path | None = None,
) -> Bench:
    """Run the main path once cold and its parts again warm, in a temporary folder.

    Args:
        clip: a video of one face; None for the bundled sample. Brought to ``size`` square first, untimed.
        settings: see :class:`BenchSettings`.
        progress: told of each stage.
        sample: where the bundled sample is kept once it is rendered; None to throw it away again.

    Raises:
        Problem: the clip cannot be read or tracked, or the disk is full.
    """
    chosen = settings or BenchSettings()
    if chosen.size < 64 or chosen.size % 2 or chosen.frames < 10:
        raise Problem("A measurement needs an even size of at least 64 and at least 10 frames.")
    machine = this_machine()
    with tempfile.TemporaryDirectory(prefix="avatar-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        square, title = _square_clip(clip, sample, folder, chosen, progress)
        results = tuple(_measure(square, folder, chosen, progress))
    return Bench(machine, title, results, chosen)


def _measure(clip: Path, folder: Path, settings: BenchSettings, progress: Progress) -> Iterator[Measured]:
    from pipelines.track_video import track_video

    info = probe(clip)
    rate = float(info.rate)
    spent: dict[str, float] = {}

    with _clock(spent, "first"):
        # Cold: this pays for importing, loading networks and compiling, as a user's first command does.
        track_video(clip, folder / "cold", progress=_named(progress, "cold start"))
        built = _build(clip, folder / "cold", folder / "avatar-cold", settings, progress)
        built.engine.render(RenderRequest(built.track.state(0), built.view))
        built.engine.close()
    yield Measured("first_frame", "Clip to first rendered frame, cold", spent["first"], "s")

    with _clock(spent, "read"):
        count = sum(1 for _ in read_frames(clip))
    yield Measured("read", "Decoding alone", count / spent["read"], "frames/s")

    mesh = _mesh_alone(clip, progress)
    yield Measured("mesh", "Decoding and landmark network alone", mesh, "frames/s")

    # Next to the wall clock, CPU time tells slow work from a machine that was busy with something else.
    busy = time.process_time()
    with _clock(spent, "track"):
        sequence = track_video(clip, folder / "warm", progress=_named(progress, "tracking"))
    tracked = len(sequence) / spent["track"]
    yield Measured("track", "Tracking with fit, masks and quality", tracked, "frames/s", 60.0)
    yield Measured("track_share", "… beside the landmark network alone", tracked / mesh, "ratio")

    cost = 1000.0 * (time.process_time() - busy) / len(sequence)
    yield Measured("track_cpu", "… all threads, a frame", cost, "ms of CPU")

    with _clock(spent, "build"):
        built = _build(clip, folder / "warm", folder / "avatar", settings, progress)
    yield Measured("build", f"Choosing pivots and building ({settings.engine})", spent["build"], "s")

    targets: dict[Quality, float | None] = {"full": 54.0, "draft": None}
    for quality, target in targets.items():
        what = f"rendering in {quality} quality"
        drawn = draw_all(built.engine, built.track, built.view, quality, progress, what)
        yield from lines(f"render_{quality}", f"Render {settings.size}², {quality}", drawn, target)

    export = ExportSettings(size=settings.size)
    out, told = folder / "out.mp4", _named(progress, "exporting")
    written = export_video(built.engine, built.track, built.stage, out, export, clip, told)
    built.engine.close()
    exported = written.frames / written.seconds
    yield Measured("export", "Export to MP4 with sound", exported, "frames/s", rate)
    yield Measured("export_ratio", "… beside the clip's own rate", exported / rate, "ratio", 1.0)
    yield Measured("memory", "Peak memory of the process", peak_memory(), "GB")


@dataclass(frozen=True)
class _Built:
    """An opened avatar and what it is asked for."""

    engine: Engine
    track: ControlTrack
    stage: View
    view: View


def _build(clip: Path, tracked: Path, folder: Path, settings: BenchSettings, progress: Progress) -> _Built:
    from pipelines.recipes import settings_for
    from studio.domain.avatar import Avatar
    from studio.engines.catalog import engine_spec
    from studio.project.sequence_files import load_sequence

    spec = engine_spec(settings.engine)
    stage_settings = settings_for(settings.engine, settings.preset)
    sequence = load_sequence(tracked)
    folder.mkdir()
    stage = _BUILDERS[settings.engine](clip, tracked, sequence, stage_settings, folder, progress)
    avatar = Avatar("bench", settings.engine, "bench", folder, stage)
    engine = spec.load(avatar)
    return _Built(engine, own_motion(engine, sequence), stage, stage_view(stage, settings.size))


def _build_instant(
    clip: Path,
    tracked: Path,
    sequence: TrackedSequence,
    settings: dict[str, Any],
    folder: Path,
    progress: Progress,
) -> View:
    from pipelines.build_instant import build_instant
    from pipelines.pick_pivots import pick_pivots

    pivots = pick_pivots(sequence, settings["pivots"], slice(0, len(sequence)), progress)
    return build_instant(clip, tracked, pivots, settings["instant"], folder, progress)


_BUILDERS: dict[str, Callable[..., View]] = {"instant": _build_instant}
"""Engines whose whole build is quick enough to be measured here."""


def _mesh_alone(clip: Path, progress: Progress) -> float:
    """Frames a second of decoding and MediaPipe alone: what tracking could at best reach."""
    from studio.tracking.mediapipe_tracker import MediapipeTracker
    from studio.tracking.quiet import quiet

    with quiet(), closing(MediapipeTracker(max_faces=1)) as tracker:
        began, count = time.perf_counter(), 0
        for picture in read_frames(clip):
            tracker.faces(picture)
            count += 1
            progress(count, None, "landmark network alone")
        return count / (time.perf_counter() - began)


def _square_clip(
    clip: Path | None, sample: Path | None, folder: Path, settings: BenchSettings, progress: Progress
) -> tuple[Path, str]:
    """The middle of the clip's first ``frames`` frames at ``size`` square, and a title."""
    title = "Bundled sample"
    if clip is None:
        from pipelines.make_sample import make_sample

        clip = sample or folder / "sample.mp4"
        make_sample(clip, progress=progress)
    else:
        title = clip.name
    info = probe(clip)
    side = min(info.width, info.height)
    left, top = (info.width - side) / 2, (info.height - side) / 2
    scale = settings.size / side
    view = View(Similarity(scale, 0.0, -left * scale, -top * scale), settings.size, settings.size)
    square = folder / "square.mp4"
    count = 0
    with VideoWriter(square, settings.size, settings.size, Fraction(info.rate), sound_from=clip) as writer:
        for picture in read_frames(clip, 0, settings.frames):
            writer.write(cut_view(picture, view))
            count += 1
            progress(count, settings.frames, "preparing the clip")
    return square, f"{title}: {count} frames of {settings.size}² at {float(info.rate):.4g} frames/s"


def _named(progress: Progress, stage: str) -> Progress:
    def report(done: int, total: int | None, what: str) -> None:
        progress(done, total, f"{stage}: {what}")

    return report


@contextmanager
def _clock(spent: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    spent[name] = time.perf_counter() - began
