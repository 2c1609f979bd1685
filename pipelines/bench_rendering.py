"""How fast an opened avatar draws: the same lines for every engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.bench_result import GIGABYTE, Measured
from studio.domain.camera import Floats, View
from studio.domain.controls import ControlTrack, track_from_motion
from studio.domain.progress import Progress
from studio.domain.rendering import Quality, RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.engines.engine import Engine

RUN_UP = 5
"""Frames drawn before rendering is timed."""


@dataclass(frozen=True)
class Drawn:
    """What a run of frames took."""

    milliseconds: Floats
    """``[T]`` each frame, from the request to the picture in the processor's memory."""
    cpu: float
    """Milliseconds of all processor cores, a frame."""
    gpu_memory: float | None
    """The most memory that was allocated on the graphics card, GB; None where there is none."""


def own_motion(engine: Engine, sequence: TrackedSequence) -> ControlTrack:
    """The clip's own motion as the engine's controls; its other controls stay at their default."""
    camera = np.median(sequence.motion.camera[sequence.good], axis=0)
    track = track_from_motion(sequence.motion, camera, sequence.rate)
    names = engine.sheet.names
    values = np.tile(engine.sheet.neutral().values, (len(track), 1))
    for column, name in enumerate(track.names):
        if name in names:
            values[:, names.index(name)] = track.values[:, column]
    return ControlTrack(names, values, track.rate)


def draw_all(
    engine: Engine, track: ControlTrack, view: View, quality: Quality, progress: Progress, what: str
) -> Drawn:
    """Draw every frame of a track once, after a short run-up."""
    requests = [RenderRequest(track.state(k), view, quality) for k in range(len(track))]
    run_up = requests[:RUN_UP]
    for request in run_up:
        engine.render(request)
    wait_for_gpu(forget=True)
    busy = time.process_time()
    times = []
    for k, request in enumerate(requests):
        began = time.perf_counter()
        engine.render(request)
        wait_for_gpu()
        times.append(1000.0 * (time.perf_counter() - began))
        progress(k + 1, len(requests), what)
    cpu = 1000.0 * (time.process_time() - busy) / len(requests)
    return Drawn(np.array(times, np.float32), cpu, gpu_memory())


def lines(name: str, title: str, drawn: Drawn, target: float | None) -> Iterator[Measured]:
    """What a run of frames is reported as; ``target``: frames a second."""
    times = drawn.milliseconds
    yield Measured(name, title, 1000.0 / float(times.mean()), "frames/s", target)
    yield Measured(f"{name}_p50", f"{title}, median", float(np.median(times)), "ms")
    yield Measured(f"{name}_p95", f"{title}, 95 % within", float(np.percentile(times, 95)), "ms")
    yield Measured(f"{name}_cpu", f"{title}, all threads", drawn.cpu, "ms of CPU")
    if drawn.gpu_memory is not None:
        yield Measured(f"{name}_gpu_memory", f"{title}, peak on the card", drawn.gpu_memory, "GB")


def gpu_memory() -> float | None:
    """The most memory allocated on a graphics card since it was last forgotten, GB; None without."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    return torch.cuda.max_memory_allocated() / GIGABYTE


def wait_for_gpu(forget: bool = False) -> None:
    """Until everything asked of a graphics card in use is done; ``forget``: its memory peak too."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        if forget:
            torch.cuda.reset_peak_memory_stats()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()
