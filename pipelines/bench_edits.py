"""What edits cost live: frames with them beside frames without, taking turns.

The edits are random, because what an edit shows does not change how long it takes; their strengths move from
frame to frame, as keyframes make them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from pipelines.bench_rendering import RUN_UP, wait_for_gpu
from pipelines.bench_result import Measured
from pipelines.export_video import stage_view
from studio.domain.avatar import Avatar
from studio.domain.camera import Floats
from studio.domain.controls import ControlState, ControlTrack
from studio.domain.edits import (
    Edit,
    EditStack,
    Effect,
    LatentMap,
    LatentShift,
    Recolour,
    ShapeShift,
    StyleShift,
)
from studio.domain.progress import Progress
from studio.domain.rendering import RenderRequest
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.painter import Painter
from studio.engines.pvp.prior import PretrainedGenerator

KEPT = 0.9
"""Share of the frame rate that three stacked edits leave: what is promised."""
SMALL = 0.05
"""Deviation of the random numbers that edits are made of."""


def edit_costs(
    parts: PvpParts,
    avatar: Avatar,
    track: ControlTrack,
    sides: tuple[int, ...],
    progress: Progress,
    device: str,
) -> Iterator[Measured]:
    """Share of the frame rate that is left with three directions, with a mapper among them, with three
    mappers, and with a direction, a shape and a colour together.

    Args:
        parts: an avatar whose generator is shown.
        avatar: whose stage is shown.
        track: what is asked for.
        sides: of the pictures, pixels.
        progress: told of every frame.
        device: torch's word for it.
    """
    kinds = {
        "directions": ("three directions", ("w+", "style", "w")),
        "mixed": ("two directions and a mapper", ("w+", "map", "style")),
        "mappers": ("three mappers", ("map", "map", "map")),
        "colour": ("a direction, a shape and a recoloured region", ("w+", "shape", "colour")),
    }
    engines = {"plain": PvpEngine(parts, device)}
    try:
        engines |= {
            name: PvpEngine(parts, device, random_edits(parts, shape)) for name, (_, shape) in kinds.items()
        }
        for side in sides:
            times = _take_turns(engines, avatar, track, side, progress)
            plain = np.median(times["plain"])
            for name, (title, _) in kinds.items():
                kept = float(plain / np.median(times[name]))
                words = f"Frame {side}² with {title}, beside none"
                yield Measured(f"pvp_{side}_edits_{name}", words, kept, "of the rate", KEPT)
    finally:
        for engine in engines.values():
            engine.close()


def random_edits(parts: PvpParts, kinds: tuple[str, ...]) -> EditStack:
    """Edits of these kinds (``w``, ``w+``, ``style``, ``map``, ``shape``, ``colour``) that fit an avatar."""
    generator = parts.generator
    assert isinstance(generator, Painter | PretrainedGenerator)
    network, chance = generator.synthesis, np.random.default_rng(0)
    rows, width = network.num_ws, network.w_dim
    channels = sum(len(layer.affine.weight) for block in network.blocks() for layer in block.layers)
    third = max(1, rows // 3)

    def normal(*shape: int) -> Floats:
        return (SMALL * chance.standard_normal(shape)).astype(np.float32)

    def effect(kind: str) -> Effect:
        if kind == "map":  # the paper's: coarse, medium and fine rows, four layers each
            groups = ((0, third), (third, 2 * third), (2 * third, rows))
            return LatentMap(groups, normal(3, 4, width, width), normal(3, 4, width))
        if kind == "style":
            return StyleShift(normal(channels))
        if kind == "shape":
            model = parts.base.mesh.model
            return ShapeShift(10.0 * normal(model.identities), model.id)
        if kind == "colour":
            return Recolour("hair", (8.0, 4.0, 12.0))
        return LatentShift(normal(1 if kind == "w" else rows, width))

    return EditStack(tuple(Edit(f"bench_{k}", kind, "bench", effect(kind)) for k, kind in enumerate(kinds)))


def _take_turns(
    engines: dict[str, PvpEngine], avatar: Avatar, track: ControlTrack, side: int, progress: Progress
) -> dict[str, list[float]]:
    """Name to seconds of every frame; who draws first changes from frame to frame."""
    view = stage_view(avatar.stage, side)
    names = list(engines)
    times: dict[str, list[float]] = {name: [] for name in names}
    order = [*range(min(RUN_UP, len(track))), *range(len(track))]
    for turn, frame in enumerate(order):
        progress(turn, len(order), f"edits at {side}²")
        for k in range(len(names)):
            name = names[(turn + k) % len(names)]
            request = RenderRequest(_state(track.state(frame), engines[name], turn), view)
            wait_for_gpu()
            began = time.perf_counter()
            engines[name].render(request)
            wait_for_gpu()
            if turn >= RUN_UP:
                times[name].append(time.perf_counter() - began)
    return times


def _state(state: ControlState, engine: PvpEngine, turn: int) -> ControlState:
    """The state with another strength of every edit in each turn."""
    names = engine.sheet.names
    own = dict(zip(state.names, state.values.tolist(), strict=True))
    values = [own.get(name, 0.3 + 0.5 * ((turn + k) % 7) / 7.0) for k, name in enumerate(names)]
    return ControlState(names, np.array(values, np.float32))
