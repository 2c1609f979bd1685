"""What measuring a trained engine has in common: an avatar that is there, drawn whole at several sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pipelines.bench_rendering import draw_all, lines
from pipelines.bench_result import Measured
from pipelines.export_video import stage_view
from studio.domain.avatar import Avatar
from studio.domain.controls import ControlTrack
from studio.domain.progress import Progress
from studio.domain.rendering import Quality
from studio.domain.sequence import TrackedSequence
from studio.engines.engine import Engine

LIVE = 54.0
"""Frames a second that are promised."""
QUALITIES: tuple[Quality, ...] = ("full", "draft")


@dataclass(frozen=True)
class Filmed:
    """An avatar to draw and the motion of its own clip."""

    avatar: Avatar
    """Finished."""
    sequence: TrackedSequence
    """What was tracked in its clip."""


def sizes(largest: int, resolution: int, device: str) -> tuple[int, ...]:
    """Sides of the pictures: the crop's own, 256, 512 and so on to the largest, at least 1024 on a card."""
    most = max(largest, 1024) if device == "cuda" else largest
    steps = [256 * 2**k for k in range(8)]
    found = {largest, *(side for side in (resolution, *steps) if side <= most)}
    return tuple(sorted(found))


def evenly(track: ControlTrack, most: int) -> ControlTrack:
    """At most so many states, evenly spread over the track: what is drawn depends on the pose."""
    if len(track) <= most:
        return track
    return replace(track, values=track.values[np.linspace(0, len(track) - 1, most).round().astype(int)])


def whole_frames(
    engine: Engine,
    named: tuple[str, str],
    filmed: Filmed,
    track: ControlTrack,
    sides: tuple[int, ...],
    promised: Callable[[int, Quality], float | None],
    progress: Progress,
) -> Iterator[Measured]:
    """Draw a track at every size in full and draft quality.

    Args:
        engine: opened.
        named: stable key and what a person reads.
        filmed: whose stage is shown.
        track: what is asked for.
        sides: of the pictures, pixels.
        promised: frames a second for a side and a quality; None where nothing is.
        progress: told of every frame.
    """
    name, title = named
    for size in sides:
        view = stage_view(filmed.avatar.stage, size)
        for quality in QUALITIES:
            drawn = draw_all(engine, track, view, quality, progress, f"{title}, {quality} quality at {size}²")
            key, words = f"{name}_{size}_{quality}", f"{title}: frame {size}², {quality}"
            yield from lines(key, words, drawn, promised(size, quality))
