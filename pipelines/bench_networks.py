"""How fast the networks of a personal prior run live, beside a plain run of the same network.

The weights are random, because no weight changes the speed. Both ways take turns in one process, so that a
machine that is busy with something else slows both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.bench_rendering import gpu_memory, wait_for_gpu
from pipelines.bench_result import Measured
from pipelines.presets import PRESETS
from pipelines.training.randomness import randomness_kept
from studio.domain.camera import Floats
from studio.domain.progress import Progress, silent
from studio.engines.pvp.painter import Painter, PainterShape
from studio.networks.stylegan2 import StyleGan2Config, SynthesisNetwork
from studio.networks.stylegan2_live import LiveSettings, LiveSynthesis

CONFIG_F = 32768
"""StyleGAN2's channels at a resolution are this over the resolution, at most 512."""
LIVE = 54.0
"""Frames a second that are promised."""
GAIN = 4.0
"""The goal on graphics cards: live beside eager."""
ROUNDS = 4
"""Turns of each way."""
Run = Callable[[], Tensor]


@dataclass(frozen=True)
class NetworkCase:
    """A network to measure."""

    id: str
    """Stable key."""
    title: str
    """What a person reads."""
    shape: StyleGan2Config | PainterShape
    """A synthesis network that draws, or one that paints over a guide with the encoder that reads it."""


def painter_shape(preset: str) -> PainterShape:
    """The painter of one of PVP's presets."""
    stages = PRESETS["pvp"][preset]
    painter = stages["prior"].painter
    return PainterShape(
        stages["material"].resolution, painter.w_dim, painter.channel_base, painter.channel_max
    )


def network_cases() -> tuple[NetworkCase, ...]:
    """What is measured unless something else is asked for."""
    draft = painter_shape("draft")
    return (
        NetworkCase("painter_draft", f"Painter of the draft, {draft.resolution}²", draft),
        *(
            NetworkCase(f"config_f_{side}", f"StyleGAN2 config-f, {side}²", StyleGan2Config(side))
            for side in (512, 1024)
        ),
    )


def measure_networks(
    cases: tuple[NetworkCase, ...],
    device: str,
    seconds: float = 3.0,
    compiled: bool = False,
    progress: Progress = silent,
) -> Iterator[Measured]:
    """Frames a second of one picture at a time, from a W+ latent on the device to the picture there.

    Args:
        cases: networks.
        device: torch's word for it.
        seconds: spent on each way of each network, at least; every way draws one frame a turn at least.
        compiled: measure ``torch.compile`` too, which takes a minute for each network.
        progress: told of each network.
    """
    for done, case in enumerate(cases):
        progress(done, len(cases), f"networks: {case.title}")
        yield from _measure_case(case, torch.device(device), seconds, compiled)
    progress(len(cases), len(cases), "networks")


def random_network(shape: StyleGan2Config | PainterShape) -> Painter | SynthesisNetwork:
    """A network that nobody taught, with everything switched on that a taught one pays for."""
    with randomness_kept():
        torch.manual_seed(0)
        made = Painter(shape) if isinstance(shape, PainterShape) else SynthesisNetwork(shape)
        for name, parameter in made.named_parameters():
            if name.endswith("noise_strength"):
                nn.init.constant_(parameter, 0.1)
            elif name.endswith("torgb.weight"):  # a painter's begin at nothing
                nn.init.normal_(parameter, std=0.02)
    return made.eval()


def _measure_case(
    case: NetworkCase, device: torch.device, seconds: float, compiled: bool
) -> Iterator[Measured]:
    network = random_network(case.shape).to(device)
    best = "live_half" if device.type == "cuda" else "live"
    cuda = device.type == "cuda"
    with torch.inference_mode():
        ways = _ways(network, device, compiled)
        wait_for_gpu(forget=True)
        times = _take_turns(ways, seconds)
    titles = {
        "eager": "eager float32",
        "live": "live float32",
        "live_half": "live, half precision",
        "compiled": "live, compiled",
    }
    rates = {way: 1000.0 / float(np.median(spent)) for way, spent in times.items()}
    for way, rate in rates.items():
        target = LIVE if way == best and (cuda or isinstance(case.shape, PainterShape)) else None
        yield Measured(f"{case.id}_{way}", f"{case.title}, {titles[way]}", rate, "frames/s", target)
    p95 = float(np.percentile(times[best], 95))
    yield Measured(f"{case.id}_{best}_p95", f"{case.title}, {titles[best]}, 95 % within", p95, "ms")
    gain = rates[best] / rates["eager"]
    title = f"… {titles[best]} beside eager float32"
    yield Measured(f"{case.id}_gain", title, gain, "ratio", GAIN if cuda else None)
    if (memory := gpu_memory()) is not None:
        yield Measured(f"{case.id}_gpu_memory", f"{case.title}, all ways, peak on the card", memory, "GB")


def _ways(network: Painter | SynthesisNetwork, device: torch.device, compiled: bool) -> Mapping[str, Run]:
    """Name to what draws one picture."""
    painter = network if isinstance(network, Painter) else None
    synthesis = network.synthesis if isinstance(network, Painter) else network
    noise = torch.Generator().manual_seed(1)
    ws = torch.randn(1, synthesis.num_ws, synthesis.w_dim, generator=noise).to(device)
    side = synthesis.config.resolution
    guide = torch.rand(1, 3, side, side, generator=noise).to(device) * 2.0 - 1.0
    nearby = guide.contiguous(memory_format=torch.channels_last)
    encoder: nn.Module | None = None
    if painter is not None:
        encoder = painter.encoder

    def eager() -> Tensor:
        drawn: Tensor = synthesis(ws, added=None if encoder is None else encoder(guide))
        return drawn

    def live(made: LiveSynthesis) -> Run:
        return lambda: made(ws, added=None if encoder is None else encoder(nearby))

    ways: dict[str, Run] = {"eager": eager, "live": live(LiveSynthesis(synthesis).to(device))}
    if device.type == "cuda":
        ways["live_half"] = live(LiveSynthesis(synthesis, dtype=torch.float16).to(device))
    if compiled:
        half = torch.float16 if device.type == "cuda" else None
        settings = LiveSettings(acceleration="compile")
        ways["compiled"] = live(LiveSynthesis(synthesis, None, half, settings).to(device))
    return ways


def _take_turns(ways: Mapping[str, Run], seconds: float) -> dict[str, Floats]:
    """``[T]`` milliseconds of each way's frames."""
    for run in ways.values():  # graphs are recorded, libraries choose
        run()
        run()
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            end = time.perf_counter() + seconds / ROUNDS
            while True:
                began = time.perf_counter()
                run()
                wait_for_gpu()
                now = time.perf_counter()
                times[way].append(1000.0 * (now - began))
                if now >= end:
                    break
    return {way: np.array(spent, np.float32) for way, spent in times.items()}
