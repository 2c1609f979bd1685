"""How fast Tri²-plane draws live here: whole frames, a camera around a still face, and each part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from pipelines.bench_rendering import draw_all, lines, own_motion, wait_for_gpu
from pipelines.bench_result import Bench, Measured, peak_memory, this_machine
from pipelines.bench_trained import LIVE, QUALITIES, Filmed, evenly, sizes, whole_frames
from pipelines.export_video import stage_view
from pipelines.tri2plane_bench_settings import Tri2BenchSettings
from studio.devices import choose_device
from studio.domain.controls import ControlTrack, motion_from_values
from studio.domain.free_camera import FreeCamera
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import Quality
from studio.engines.tri2plane.artefact import Tri2Parts, load_tri2plane
from studio.engines.tri2plane.engine import Tri2PlaneEngine, widened
from studio.engines.tri2plane.live_volume import LiveVolume
from studio.head.neutral_crop import aligned_crop
from studio.warping.warper import Warper

T = TypeVar("T")
ORBIT = 30.0
"""Degrees to each side that the camera goes while only it moves."""
RUN_UP = 3
"""Rounds of the parts that are not timed."""


def bench_tri2plane(
    filmed: Filmed, settings: Tri2BenchSettings | None = None, progress: Progress = silent
) -> Bench:
    """Measure an avatar over its clip's own motion, and the instant avatar that it stands on beside it.

    Args:
        filmed: built by Tri²-plane.
        settings: see :class:`Tri2BenchSettings`.
        progress: told of each stage.

    Raises:
        Problem: the settings make no sense, or the avatar's files are damaged.
    """
    chosen = settings or Tri2BenchSettings()
    if chosen.size < 64 or chosen.frames < 10:
        raise Problem("A measurement needs a size of at least 64 and at least 10 frames.")
    machine, device = this_machine(), choose_device().kind
    parts = load_tri2plane(filmed.avatar.folder)
    shape = parts.network.shape
    title = (
        f"Tri²-plane avatar of {filmed.avatar.subject} (crop of {shape.resolution}², {shape.levels} planes) "
        "over its clip's own motion"
    )
    results = [*_drawn(parts, filmed, chosen, device, progress)]
    results += _parts(parts, filmed, chosen, device, progress)
    results.append(Measured("memory", "Peak memory of the process", peak_memory(), "GB"))
    return Bench(machine, title, tuple(results), chosen)


def promised(device: str, size: int, quality: Quality) -> float | None:
    """Frames a second that are promised of whole frames: at 512² on graphics cards; None elsewhere."""
    return LIVE if device == "cuda" and size == 512 and quality == "full" else None


def around(track: ControlTrack) -> ControlTrack:
    """The track's first state throughout, seen by a camera that goes from one side to the other."""
    values = np.tile(track.values[:1], (len(track), 1))
    values[:, track.names.index("orbit_yaw")] = np.linspace(-ORBIT, ORBIT, len(track))
    return replace(track, values=values)


def _drawn(
    parts: Tri2Parts, filmed: Filmed, settings: Tri2BenchSettings, device: str, progress: Progress
) -> Iterator[Measured]:
    """Whole frames, camera alone, and the instant avatar in the same run."""
    resolution = parts.network.shape.resolution
    sides = sizes(settings.size, resolution, device)
    engine, instant = Tri2PlaneEngine(parts, device), Warper(parts.base)
    try:
        track = evenly(own_motion(engine, filmed.sequence), settings.frames)
        title = f"Tri²-plane {resolution}²"
        found = [
            *whole_frames(
                *(engine, ("tri2plane", title), filmed, track, sides),
                lambda size, quality: promised(device, size, quality),
                progress,
            )
        ]
        yield from found
        orbit = around(track)
        for size in sides:
            view = stage_view(filmed.avatar.stage, size)
            for quality in QUALITIES:
                words = f"Camera alone, planes kept: frame {size}², {quality}"
                drawn = draw_all(engine, orbit, view, quality, progress, words)
                yield from lines(f"camera_{size}_{quality}", words, drawn, None)
        own = evenly(own_motion(instant, filmed.sequence), settings.frames)
        rates = {line.id: line.value for line in found}
        beside = whole_frames(
            *(instant, ("instant", "Instant"), filmed, own, sides), lambda *_: None, progress
        )
        for line in beside:
            yield line
            if line.unit == "frames/s":
                ratio = rates[line.id.replace("instant", "tri2plane")] / line.value
                yield Measured(f"{line.id}_ratio", "… Tri²-plane beside it", ratio, "ratio")
    finally:
        engine.close()
        instant.close()


def _parts(
    parts: Tri2Parts, filmed: Filmed, settings: Tri2BenchSettings, device: str, progress: Progress
) -> Iterator[Measured]:
    """What a frame's window costs: planes of a new face, rays, and the upsampler.

    What a whole frame takes beyond these is warping what is around the window and laying it in.
    """
    volume = LiveVolume(parts, torch.device(device))
    person = parts.person
    engine = Warper(parts.base)
    try:
        track = evenly(own_motion(engine, filmed.sequence), settings.frames)
    finally:
        engine.close()
    free = FreeCamera.neutral()
    for quality in QUALITIES:
        new, kept, up = [], [], []
        side = 0
        for k, values in enumerate(track.values):
            motion = motion_from_values(values[None], person.rest_camera)
            window = widened(aligned_crop(person.neutral, motion), parts.margin)
            # The same face again: its planes are there, and only rays are sent.
            look = partial(volume.look, motion, window, free, quality)
            first, _ = _timed(look)
            again, seen = _timed(look)
            last, _ = _timed(partial(volume.picture, seen))
            side = int(seen.cover.shape[-1])
            if k >= RUN_UP:
                new.append(first - again)
                kept.append(again)
                up.append(last)
            progress(k + 1, len(track), f"parts of a frame, {quality} quality")
        for name, title, times in (
            ("planes", "Planes of a new face", new),
            ("rays", f"Rays, {side}²", kept),
            ("upsampler", "Upsampler", up),
        ):
            yield Measured(f"{name}_{quality}", f"{title}, {quality}, median", float(np.median(times)), "ms")


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    wait_for_gpu()
    return 1000.0 * (time.perf_counter() - began), result
