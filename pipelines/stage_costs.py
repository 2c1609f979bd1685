"""What each stage of a recipe takes: minutes, memory and room, scaled from what was measured.

The figures come from two processor cores and 20 seconds of film at 512² (docs/benchmarks.md). A training that
ends by the clock takes its minutes anywhere; everything else grows with pictures and pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

from pipelines.nofa_avatar_settings import NofaAvatarSettings
from pipelines.pvp_settings import MaterialSettings, PriorSettings, PvpSettings
from pipelines.training.settings import LoopSettings
from pipelines.tri2plane_settings import VolumeMaterialSettings
from pipelines.tri2plane_training_settings import Tri2PlaneSettings
from studio.devices import DeviceKind
from studio.engines.tri2plane.shape import Tri2Shape

GIGABYTE = 1e9
_CORES = 2
"""Of the machine that was measured."""
_FASTER = {"cpu": 1.0, "mps": 10.0, "cuda": 60.0}
"""How much faster a device trains than those two cores; a guess for anything but the processor."""
_STEP = 2.5e-6
"""Seconds for a pixel of a picture in a training step of the draft's painter: 3.1 steps of eight pictures at
128² a second."""
_TUNING, _MAPPING = 2.9, 2.1
"""What a picture costs in the other two trainings, in pictures of the painter's; measured likewise."""
_HELD = 4e-6
"""Gigabytes that the same pixel holds."""
_FITTED_STEP = 0.08
"""Seconds for an example in a step of fitting a small network to a picture."""
_FITTED_HELD, _FITTED_KEPT = 1.0, 0.002
"""Gigabytes that fitting a small network to a picture holds beside torch, and that it leaves; large networks
need more of both."""
_BASE = 1.3
"""Gigabytes of a worker with torch in it."""
_VOLUME_STEP = 0.1
"""Seconds for an example in a training step of Tri²-plane's draft: 5 steps of two examples a second."""
_DRAFT_RAYS, _DRAFT_PLANES = 1.03e8, 4.49e8
"""Multiplications for an example of that draft: along its rays, which take about two thirds of its time, and
for its planes."""
_VOLUME_HELD = {"cpu": 10e-9, "mps": 10e-9, "cuda": 5e-9}
"""Gigabytes for a number that an example holds, gradients included; cards hold most of them by halves."""

Certainty = Literal["clock", "measured", "guess"]
"""clock: it ends by the clock; measured: scaled from measurements; guess: of a kind never measured."""


@dataclass(frozen=True)
class ClipSize:
    """What of a clip decides how long work takes."""

    frames: int
    """How many frames may be learnt from."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


@dataclass(frozen=True)
class Machine:
    """What of a machine decides how long work takes."""

    device: DeviceKind
    """What trains."""
    cores: int
    """Cores of the processor that may be used."""
    memory_free: float
    """Gigabytes of main memory that nobody uses."""
    disk_free: float
    """Gigabytes left where projects live."""

    @property
    def speed(self) -> float:
        """How much faster it trains than the machine that was measured."""
        return _FASTER[self.device] if self.device != "cpu" else self.processor

    @property
    def processor(self) -> float:
        """How much faster its processor draws pictures; more cores help less and less."""
        return float((self.cores / _CORES) ** 0.7)


@dataclass(frozen=True)
class Cost:
    """What one stage takes."""

    minutes: tuple[float, float]
    """From, to."""
    memory: float = 0.5
    """Gigabytes at the most, where the training happens."""
    disk: float = 0.0
    """Gigabytes that it leaves, or needs meanwhile."""
    certainty: Certainty = "measured"
    """How sure that is."""
    passes: float = math.inf
    """How often its shortest training sees each frame, about."""


def _tracking(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    pixels = clip.width * clip.height
    seconds = 6.0 + clip.frames * (0.016 + 10e-9 * pixels) / machine.processor
    masks = clip.frames * 0.012e-3
    return Cost(_scaled(seconds), 1.2, masks)


def _pivots(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    count = min(settings["pivots"].count, max(2, clip.frames // 2))
    return Cost(_scaled(1.5 + 2e-5 * clip.frames * count), 0.4, 0.0001)


def _instant(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    pivots = min(settings["pivots"].count, max(2, clip.frames // 2))
    side = min(settings["instant"].texture_size, clip.width, clip.height)
    textures = pivots * (side / 512) ** 2
    reading = clip.frames * clip.width * clip.height * 8e-9
    return Cost(
        _scaled(3.0 + (reading + 0.09 * textures) / machine.processor),
        0.6 + textures * 4e-3,
        0.14e-3 * textures,
    )


def _one_picture(engine: str, settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    side = min(settings[engine].texture_size, clip.width, clip.height)
    return Cost(_scaled(2.0 + 0.3 * (side / 512) ** 2 / machine.processor), 0.6, 1.5e-3 * (side / 512) ** 2)


def _nofa(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    made, chosen = _one_picture("nofa", settings, clip, machine), cast("NofaAvatarSettings", settings["nofa"])
    loop = chosen.tune.loop
    if not chosen.fine_tune:
        return made
    # How fast it is depends on the base model, which settings do not know: the clock ends it, or the steps.
    ends = loop.minutes or math.inf
    guess = math.isinf(ends)
    fitted = loop.steps * _FITTED_STEP * loop.batch / machine.speed / 60.0 if guess else ends
    low, high = made.minutes
    return Cost(
        (low + (0.4 if guess else 1.0) * fitted, high + (2.5 if guess else 1.0) * fitted + 0.2),
        _BASE + _FITTED_HELD,
        made.disk + _FITTED_KEPT,
        "guess" if guess else "clock",
    )


def _material(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    material: MaterialSettings = settings["material"]
    pixels = material.resolution**2
    drawn = clip.frames * material.guides + 2 * material.recombined
    seconds = 6.0 + drawn * (0.005 + 6e-8 * pixels) / machine.processor
    return Cost(_scaled(seconds), 0.8 + 3e-9 * pixels, material_bytes(material, clip.frames) / GIGABYTE)


def material_bytes(settings: MaterialSettings, frames: int) -> int:
    """Bytes of the arrays that cutting material leaves for ``frames`` good frames."""
    of_a_frame = 3 + 3 * settings.guides + 3  # the picture, its guides, three masks
    return settings.resolution**2 * (frames * of_a_frame + settings.recombined * 6)


def _prior(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    prior: PriorSettings = settings["prior"]
    pixels = settings["material"].resolution ** 2
    if prior.kind == "pretrained":
        steps = settings["pivots"].count * (
            prior.invert.neighbour_w_steps + prior.invert.neighbour_plus_steps
        )
        return _training(LoopSettings(steps=steps, batch=1), 1.0, pixels * 8, clip, machine, 1.5)
    wide = _width(prior, settings["material"].resolution)
    return _training(prior.painter.loop, 1.0, pixels * wide, clip, machine, 0.3, _weights(settings))


def _avatar(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    pvp: PvpSettings = settings["pvp"]
    resolution = settings["material"].resolution
    prior: PriorSettings = settings["prior"]
    pixels = resolution**2 * (8.0 if prior.kind == "pretrained" else _width(prior, resolution))
    pivots = min(settings["pivots"].count, max(2, clip.frames // 2))
    tuning = LoopSettings(
        steps=min(pvp.tune.loop.steps, math.ceil(pivots * pvp.tune.steps_per_image / pvp.tune.loop.batch)),
        minutes=pvp.tune.loop.minutes,
        batch=pvp.tune.loop.batch,
    )
    tune = _training(tuning, _TUNING, pixels, clip, machine, 0.2, _weights(settings))
    mapper = _training(pvp.mapper.loop, _MAPPING, pixels, clip, machine, 0.6)
    reading = pvp.estimator.steps * 0.05 / 60
    guess = "guess" in (tune.certainty, mapper.certainty)
    return Cost(
        (
            tune.minutes[0] + mapper.minutes[0] + 0.5 * reading,
            tune.minutes[1] + mapper.minutes[1] + reading,
        ),
        max(tune.memory, mapper.memory),
        tune.disk,
        "guess" if guess else "clock",
    )


def _volume_material(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    material: VolumeMaterialSettings = settings["volume_material"]
    room = 2 * round(material.resolution * material.margin)
    pixels = (material.resolution + room) ** 2
    seconds = 4.0 + clip.frames * (0.009 + 3e-7 * pixels + 1.1e-6 * material.map_size**2) / machine.processor
    return Cost(_scaled(seconds), 0.8, volume_material_bytes(material, clip.frames) / GIGABYTE)


def volume_material_bytes(settings: VolumeMaterialSettings, frames: int) -> int:
    """Bytes of the arrays that cutting volume material leaves for ``frames`` good frames."""
    side = settings.resolution + 2 * round(settings.resolution * settings.margin)
    of_a_pixel = 3 + 1 + 1 + 3  # the picture, where it is one, the person, what is behind
    of_a_place = 2 * (6 + 3)  # motion map and displacement, halves
    return frames * (side**2 * of_a_pixel + settings.map_size**2 * of_a_place)


def _volume(settings: dict[str, Any], clip: ClipSize, machine: Machine) -> Cost:
    volume: Tri2PlaneSettings = settings["tri2plane"]
    rays, planes = volume_work(volume.shape)
    effort = (2.0 * rays / _DRAFT_RAYS + planes / _DRAFT_PLANES) / 3.0
    weights = 4e-9 * volume_weights(volume.shape)
    held = _VOLUME_HELD[machine.device] * volume_held(volume.shape) * volume.loop.batch
    return _looped(
        volume.loop,
        _VOLUME_STEP * effort / machine.speed,
        _BASE + held + 6 * weights,
        clip,
        0.5,
        # The avatar, and two checkpoints with Adam's moments, the average and the best so far.
        11 * weights,
    )


def _blocks(shape: Tri2Shape) -> Iterator[tuple[int, int, int, int]]:
    """Of each of the generator's blocks: its side, its channels, the weights of its convolutions and of those
    that make its tri-plane."""
    side = 4
    while side <= shape.sides[-1]:
        channels, planes = shape.channels(side), 0
        if side in shape.sides:
            planes = 27 * channels * shape.features + (shape.plane_convolutions - 1) * 81 * shape.features**2
        yield side, channels, 9 * channels**2 * shape.convolutions, planes
        side *= 2


def volume_work(shape: Tri2Shape) -> tuple[float, float]:
    """Multiplications for one example of a training step: along its rays, and for its planes."""
    density = shape.features * (shape.hidden + 12) + shape.hidden
    colour = (2 * shape.features + 6 * shape.view_octaves) * shape.hidden
    # Coarse samples have no colour and no way back.
    sample = shape.coarse_samples * density / 3 + shape.fine_samples * (density + colour)
    planes = sum(side**2 * (weights + more) for side, _, weights, more in _blocks(shape))
    return _passes(shape) * sample, float(planes)


def volume_held(shape: Tri2Shape) -> float:
    """Numbers that one example holds for the way back."""
    sample = 5 * shape.features + 6 * shape.view_octaves + 4 * shape.hidden + 30
    held = _passes(shape) * shape.fine_samples * sample
    for side, channels, _, more in _blocks(shape):
        held += side**2 * channels * (4 * shape.convolutions + 2)
        if more:
            held += side**2 * shape.features * (9 + 24 * (shape.plane_convolutions - 1))
    return float(held)


def _passes(shape: Tri2Shape) -> int:
    """Rays of an example: one grid for each level, and one for the upsampler."""
    return shape.plane**2 * (shape.levels + 1)


def volume_weights(shape: Tri2Shape) -> int:
    """Numbers of a network with its standing planes, about."""
    count = sum(weights + more for _, _, weights, more in _blocks(shape))
    if shape.standing:
        count += sum(3 * shape.features * side * side for side in shape.sides)
    return count + sum(36 * (shape.capacity * min(2**i, 8)) ** 2 for i in range(shape.depth + 1))


def _training(
    loop: LoopSettings,
    effort: float,
    pixels: float,
    clip: ClipSize,
    machine: Machine,
    around: float,
    weights: float = 0.2,
) -> Cost:
    """Of one loop.

    Args:
        loop: how long it goes on.
        effort: what a picture of its batch costs, in pictures of the painter's training.
        pixels: of a picture, times how much wider the network is than the draft's painter.
        clip, machine: what decides.
        around: minutes before and after.
        weights: gigabytes of what is kept and of checkpoints.
    """
    held = _BASE + _HELD * effort * pixels * loop.batch
    return _looped(loop, _STEP * effort * pixels / machine.speed, held, clip, around, weights)


def _looped(
    loop: LoopSettings, example: float, memory: float, clip: ClipSize, around: float, weights: float
) -> Cost:
    """Of one loop whose examples take ``example`` seconds each; the rest as for :func:`_training`."""
    step = example * loop.batch
    least, most = (factor * loop.steps * step / 60 for factor in (0.4, 2.5))
    passes = math.inf
    if loop.minutes:
        least, most = min(least, loop.minutes), min(most, loop.minutes)
        passes = min(loop.steps, loop.minutes * 60 / step) * loop.batch / max(clip.frames, 1)
    minutes = (least + 0.7 * around, most + 1.5 * around)
    return Cost(minutes, memory, weights, "clock" if loop.minutes else "guess", passes)


def _width(prior: PriorSettings, resolution: int) -> float:
    """Work for each pixel beside the draft's, whose finest layer has 16 channels."""
    return max(0.25, prior.painter.channel_base / resolution / 16)


def _weights(settings: dict[str, Any]) -> float:
    """Gigabytes of a painter's weights in the artefact and, with Adam's moments, in two checkpoints."""
    prior: PriorSettings = settings["prior"]
    if prior.kind == "pretrained":
        return 1.5
    levels = range(2, int(math.log2(settings["material"].resolution)) + 1)
    channels = [min(prior.painter.channel_max, prior.painter.channel_base // 2**level) for level in levels]
    return sum(c * c for c in channels) * 9 * 3 * 4 * 10 / GIGABYTE


def _scaled(seconds: float) -> tuple[float, float]:
    return 0.6 * seconds / 60, 1.8 * seconds / 60


COSTS: dict[str, Callable[[dict[str, Any], ClipSize, Machine], Cost]] = {
    "track": _tracking,
    "pivots": _pivots,
    "instant": _instant,
    **{engine: partial(_one_picture, engine) for engine in ("semantic", "export3d")},
    "nofa": _nofa,
    "material": _material,
    "prior": _prior,
    "pvp": _avatar,
    "volume_material": _volume_material,
    "tri2plane": _volume,
}
"""Stage to what it takes; a stage that is not here is thought to take nothing."""
