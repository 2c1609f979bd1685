"""How fast PVP draws live here: its networks alone, and whole frames of an avatar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

from pipelines.bench_edits import edit_costs
from pipelines.bench_networks import (
    LIVE,
    NetworkCase,
    measure_networks,
    network_cases,
    painter_shape,
    random_network,
)
from pipelines.bench_rendering import own_motion
from pipelines.bench_result import Bench, Measured, peak_memory, this_machine
from pipelines.bench_trained import Filmed, evenly, sizes, whole_frames
from pipelines.pvp_bench_settings import PvpBenchSettings
from studio.devices import choose_device
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import Quality
from studio.engines.pvp.artefact import PriorKind, PvpParts, load_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.mappers import EYE_INPUTS, FACE_INPUTS, ExpressionMapper, Mappers, PoseMapper
from studio.engines.pvp.painter import Painter
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.stylegan2 import StyleGan2Config

DRAFT = 128
"""Side of the crop up to which an avatar must be live without a graphics card."""


def bench_pvp(
    filmed: Filmed | None,
    settings: PvpBenchSettings | None = None,
    progress: Progress = silent,
    cases: tuple[NetworkCase, ...] | None = None,
) -> Bench:
    """Measure the networks, and with an avatar whole frames too: warping, network and laying over.

    With a graphics card, the avatar's base is drawn with untaught networks of larger shapes as well, because
    what they were taught does not change how long they take.

    Args:
        filmed: None measures the networks alone.
        settings: see :class:`PvpBenchSettings`.
        progress: told of each stage.
        cases: networks; None for the draft's painter and StyleGAN2 config-f at 512² and 1024².

    Raises:
        Problem: the settings make no sense, or the avatar's files are damaged.
    """
    chosen = settings or PvpBenchSettings()
    if chosen.size < 64 or chosen.frames < 10 or chosen.seconds <= 0:
        raise Problem("A measurement needs a size of at least 64, at least 10 frames and some seconds.")
    machine, device = this_machine(), choose_device().kind
    results: list[Measured] = []
    title = "Networks with random weights"
    if filmed is not None:
        parts = load_pvp(filmed.avatar.folder)
        resolution = int(parts.generator.resolution)  # type: ignore[arg-type]
        title = (
            f"PVP avatar of {filmed.avatar.subject} ({parts.kind}, crop of {resolution}²) over its clip's "
            "own motion; networks beside each other with random weights"
        )
        results += _whole_frames("pvp", f"PVP {resolution}²", parts, filmed, chosen, progress)
        if chosen.edits:
            results += _edited_frames(parts, filmed, chosen, progress)
        if device == "cuda":
            for case in larger_cases():
                untaught = untaught_parts(parts, case)
                results += _whole_frames(case.id, case.title, untaught, filmed, chosen, progress)
    results += measure_networks(
        network_cases() if cases is None else cases, device, chosen.seconds, chosen.compiled, progress
    )
    results.append(Measured("memory", "Peak memory of the process", peak_memory(), "GB"))
    return Bench(machine, title, tuple(results), chosen)


def larger_cases() -> tuple[NetworkCase, ...]:
    """Networks that are meant for graphics cards."""
    painters = [(preset, painter_shape(preset)) for preset in ("standard", "full")]
    return (
        *(
            NetworkCase(f"untaught_painter_{preset}", f"Untaught painter {shape.resolution}²", shape)
            for preset, shape in painters
        ),
        *(
            NetworkCase(f"untaught_config_f_{side}", f"Untaught config-f {side}²", StyleGan2Config(side))
            for side in (512, 1024)
        ),
    )


def untaught_parts(parts: PvpParts, case: NetworkCase) -> PvpParts:
    """An avatar with the same base, whose generator and mappers know nothing."""
    made = random_network(case.shape)
    generator = made if isinstance(made, Painter) else PretrainedGenerator(made)
    rows, pivots = generator.num_ws, parts.mappers.pivots.shape[0]
    mappers = Mappers(
        PoseMapper(pivots),
        ExpressionMapper(generator.w_dim, min(8, rows), FACE_INPUTS + EYE_INPUTS),
        torch.zeros(pivots, rows, generator.w_dim),
    )
    kind: PriorKind = "scratch" if isinstance(made, Painter) else "pretrained"
    # Half of what it knows, so that the correction is neither left out nor taken for a special case.
    return replace(parts, kind=kind, generator=generator, mappers=mappers, strength=0.5)


def promised(device: str, resolution: int, size: int, quality: Quality) -> float | None:
    """Frames a second that are promised of whole frames; None where nothing is.

    On graphics cards 512² and 1024², without one the draft avatar at the size of its crop and at 256².
    """
    live = size in (512, 1024) if device == "cuda" else resolution <= DRAFT and size <= 256
    return LIVE if live and quality == "full" else None


def _edited_frames(
    parts: PvpParts, filmed: Filmed, settings: PvpBenchSettings, progress: Progress
) -> Iterator[Measured]:
    generator, device = parts.generator, choose_device().kind
    assert isinstance(generator, Painter | PretrainedGenerator)
    if isinstance(generator, Painter) and not parts.strength:
        return  # it is not shown, and cannot be edited
    engine = PvpEngine(parts, device)
    track = evenly(own_motion(engine, filmed.sequence), settings.frames)
    engine.close()
    sides = sizes(settings.size, generator.resolution, device)
    yield from edit_costs(parts, filmed.avatar, track, sides, progress, device)


def _whole_frames(
    name: str,
    title: str,
    parts: PvpParts,
    filmed: Filmed,
    settings: PvpBenchSettings,
    progress: Progress,
) -> Iterator[Measured]:
    device = choose_device().kind
    generator = parts.generator
    assert isinstance(generator, Painter | PretrainedGenerator)
    engine = PvpEngine(parts, device)
    try:
        track = evenly(own_motion(engine, filmed.sequence), settings.frames)
        sides = sizes(settings.size, generator.resolution, device)
        yield from whole_frames(
            *(engine, (name, title), filmed, track, sides),
            partial(promised, device, generator.resolution),
            progress,
        )
    finally:
        engine.close()
