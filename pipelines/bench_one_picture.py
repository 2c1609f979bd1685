"""How fast avatars of one picture are drawn here, whatever network draws them, and what stands under them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from pipelines.bench_result import Bench, Measured, peak_memory, this_machine
from pipelines.bench_trained import Filmed, sizes, whole_frames
from pipelines.one_picture_bench_settings import OnePictureBenchSettings
from studio.devices import choose_device
from studio.domain.controls import ControlSheet, ControlTrack
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.engines.catalog import ENGINES
from studio.one_picture.person_files import load_person
from studio.warping.warper import Warper

SWAY = {"yaw": 0.7, "pitch": 0.6, "roll": 0.4}
"""Share of what one picture carries to which the head goes."""
TALK = {"jaw_open": 12.0, "expression_00": 1.5, "expression_03": -1.0}
"""How far the face goes, in the control's own unit."""


def bench_one_picture(
    filmed: Filmed, settings: OnePictureBenchSettings | None = None, progress: Progress = silent
) -> Bench:
    """Measure an avatar that talks and sways, and the warped picture that it stands on beside it.

    Args:
        filmed: an avatar of one picture.
        settings: see :class:`OnePictureBenchSettings`.
        progress: told of each stage.

    Raises:
        Problem: the settings make no sense, or the avatar's files are damaged.
    """
    chosen = settings or OnePictureBenchSettings()
    if chosen.size < 64 or chosen.frames < 10:
        raise Problem("A measurement needs a size of at least 64 and at least 10 frames.")
    machine, device = this_machine(), choose_device().kind
    spec = ENGINES[filmed.avatar.engine]
    results = [*_drawn(filmed, chosen, device, progress)]
    results.append(Measured("memory", "Peak memory of the process", peak_memory(), "GB"))
    title = f"{spec.title} avatar of {filmed.avatar.subject}, talking and swaying"
    return Bench(machine, title, tuple(results), chosen)


def swaying(sheet: ControlSheet, frames: int) -> ControlTrack:
    """A head that sways within what one picture carries, each way at a pace of its own, and talks."""
    values = np.tile(sheet.neutral().values, (frames, 1))
    time = np.linspace(0.0, 2.0 * np.pi, frames, endpoint=False)
    for pace, (name, share) in enumerate(SWAY.items(), 1):
        column = sheet.names.index(name)
        low, high = sheet.controls[column].reliable or (-20.0, 20.0)
        values[:, column] = 0.5 * (low + high) + 0.5 * share * (high - low) * np.sin(pace * time)
    for name, reach in TALK.items():
        values[:, sheet.names.index(name)] = reach * (0.5 - 0.5 * np.cos(5.0 * time))
    return ControlTrack(sheet.names, values.astype(np.float32), Fraction(25))


def _drawn(
    filmed: Filmed, settings: OnePictureBenchSettings, device: str, progress: Progress
) -> Iterator[Measured]:
    spec = ENGINES[filmed.avatar.engine]
    person = load_person(filmed.avatar.folder, spec.id)
    sides = sizes(settings.size, 256, device)
    engine, warped = spec.load(filmed.avatar), Warper(person.base)
    try:
        for drawn, name, title in ((engine, spec.id, spec.title), (warped, "warped", "Warped picture alone")):
            track = swaying(drawn.sheet, settings.frames)
            yield from whole_frames(drawn, (name, title), filmed, track, sides, lambda *_: None, progress)
    finally:
        engine.close()
        warped.close()
