"""How fast is the main path on this machine: tracking, rendering, export, and the first picture."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from pipelines.aligned_crop import cut_view
from pipelines.export_video import ExportSettings, export_video, stage_view
from studio.devices import devices, usable_cores
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlTrack, track_from_motion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import Quality, RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.engines.engine import Engine
from studio.media import VideoWriter, probe, read_frames

GIGABYTE = 1024**3
_RUN_UP = 5
"""Frames drawn before rendering is timed."""


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


@dataclass(frozen=True)
class Machine:
    """Where it was measured: figures of different machines cannot be compared."""

    processor: str
    """Model name."""
    cores: int
    """Cores that this process may use."""
    memory_gb: float
    """All of it."""
    gpu: str
    """Name, or ``none``."""
    system: str
    """Operating system and version."""
    python: str
    """Version."""
    torch: str
    """Version and build."""
    load: float
    """Other programs' demand for cores when the measurement began (1 minute average), in cores."""


@dataclass(frozen=True)
class Measured:
    """One line of the result."""

    id: str
    """Stable key."""
    title: str
    """What a person reads."""
    value: float
    """The figure."""
    unit: str
    """Its unit."""
    target: float | None = None
    """What the project promises on two cores: at least this many frames a second; None for no promise."""

    @property
    def reached(self) -> bool | None:
        """Whether the promise is kept; None where there is none."""
        return None if self.target is None else bool(self.value >= self.target)


@dataclass(frozen=True)
class Bench:
    """All of one run."""

    machine: Machine
    """Where."""
    clip: str
    """What was measured with, in words."""
    results: tuple[Measured, ...]
    """In the order of the pipeline."""
    settings: BenchSettings
    """How."""

    def __getitem__(self, name: str) -> float:
        return next(entry.value for entry in self.results if entry.id == name)

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "machine": asdict(self.machine),
            "clip": self.clip,
            "settings": asdict(self.settings),
            "results": [asdict(entry) | {"reached": entry.reached} for entry in self.results],
        }

    def table(self) -> str:
        """Markdown, the machine named above the table."""
        m = self.machine
        head = (
            f"{m.processor}, {m.cores} cores, {m.memory_gb:.0f} GB, GPU: {m.gpu}; {m.system}; "
            f"Python {m.python}, torch {m.torch}. {self.clip}. Other load at the start: {m.load:.1f} cores."
        )
        lines = [head, "", "| | value | unit | at least | |", "|---|---:|---|---:|---|"]
        for entry in self.results:
            target = "" if entry.target is None else f"{entry.target:.4g}"
            word = {None: "", True: "reached", False: "missed"}[entry.reached]
            lines.append(f"| {entry.title} | {entry.value:.4g} | {entry.unit} | {target} | {word} |")
        return "\n".join(lines) + "\n"


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


def this_machine() -> Machine:
    """Name this machine."""
    import torch

    cards = [device.title for device in devices()[:-1]]
    return Machine(
        processor=processor_name(),
        cores=usable_cores(),
        memory_gb=round(psutil.virtual_memory().total / GIGABYTE, 1),
        gpu=", ".join(cards) or "none",
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        torch=str(torch.__version__),
        load=round(psutil.getloadavg()[0], 1),
    )


def processor_name() -> str:
    """The processor's model name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return os.environ.get("PROCESSOR_IDENTIFIER") or platform.processor() or platform.machine()


def peak_memory() -> float:
    """The most memory that this process held so far, GB."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return float(info.peak_wset) / GIGABYTE
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIGABYTE


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
        busy = time.process_time()
        times = _render_times(built, quality, progress)
        busy = time.process_time() - busy
        name = f"Render {settings.size}², {quality}"
        yield Measured(f"render_{quality}", name, 1000.0 / times.mean(), "frames/s", target)
        yield Measured(f"render_{quality}_p50", f"{name}, median", float(np.median(times)), "ms")
        yield Measured(f"render_{quality}_p95", f"{name}, 95 % within", float(np.percentile(times, 95)), "ms")
        cost = 1000.0 * busy / (len(times) + _RUN_UP)
        yield Measured(f"render_{quality}_cpu", f"{name}, all threads", cost, "ms of CPU")

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
    return _Built(engine, _own_motion(engine, sequence), stage, stage_view(stage, settings.size))


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


def _own_motion(engine: Engine, sequence: TrackedSequence) -> ControlTrack:
    """The clip's own motion as the engine's controls; its other controls stay at their default."""
    camera = np.median(sequence.motion.camera[sequence.good], axis=0)
    track = track_from_motion(sequence.motion, camera, sequence.rate)
    names = engine.sheet.names
    values = np.tile(engine.sheet.neutral().values, (len(track), 1))
    for column, name in enumerate(track.names):
        if name in names:
            values[:, names.index(name)] = track.values[:, column]
    return ControlTrack(names, values, track.rate)


def _render_times(built: _Built, quality: Quality, progress: Progress) -> np.ndarray:
    """``[T]`` milliseconds for each frame of the clip, after a short run-up."""
    requests = [RenderRequest(built.track.state(k), built.view, quality) for k in range(len(built.track))]
    for request in requests[:_RUN_UP]:
        built.engine.render(request)
    times = []
    for k, request in enumerate(requests):
        began = time.perf_counter()
        built.engine.render(request)
        times.append(1000.0 * (time.perf_counter() - began))
        progress(k + 1, len(requests), f"rendering in {quality} quality")
    return np.array(times)


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
