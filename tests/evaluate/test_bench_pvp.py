"""Measuring PVP: what is measured and reported, not how fast this machine is."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import bench_networks, bench_pvp
from pipelines.bench_networks import NetworkCase, measure_networks, network_cases, random_network
from pipelines.bench_pvp import promised, untaught_parts
from pipelines.bench_rendering import draw_all, lines
from pipelines.bench_trained import Filmed, sizes
from pipelines.pvp_bench_settings import PvpBenchSettings
from studio.domain.avatar import Avatar
from studio.domain.controls import track_from_motion
from studio.engines.pvp.artefact import save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.painter import Painter, PainterShape
from studio.networks.stylegan2 import StyleGan2Config
from tests.engines.pvp.small_avatar import YAW, parts_of, random_painter, write_base
from tests.warping.average_person import CAMERA, STAGE, ask, motion_of

SMALL = StyleGan2Config(16, w_dim=8, z_dim=8, channel_base=64, channel_max=8)
TINY = (
    NetworkCase("plain", "Plain", SMALL),
    NetworkCase("painter", "Painter", PainterShape(32, w_dim=8, channel_base=128, channel_max=8)),
)


def test_networks_of_the_promise_are_measured():
    cases = {case.id: case.shape for case in network_cases()}
    assert cases["painter_draft"] == PainterShape(128, 64, 2048, 96)
    config = cases["config_f_1024"]
    assert isinstance(config, StyleGan2Config)
    assert (config.resolution, config.channel_base, config.channel_max, config.w_dim) == (
        1024,
        32768,
        512,
        512,
    )


def test_a_random_network_pays_for_everything_a_taught_one_does():
    for case in TINY:
        network = random_network(case.shape)
        synthesis = network.synthesis if isinstance(network, Painter) else network
        for block in synthesis.blocks():
            assert block.torgb.weight.abs().max() > 0
            assert all(layer.noise_strength.item() != 0 for layer in (block.conv0, block.conv1) if layer)
        again = random_network(case.shape)
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_live_and_eager_take_turns_and_are_compared(monkeypatch: pytest.MonkeyPatch):
    clock, asked = SimpleNamespace(now=0.0), []

    def ways(*_: Any) -> dict[str, Any]:
        def way(name: str, seconds: float) -> Any:
            def run() -> torch.Tensor:
                asked.append(name)
                clock.now += seconds
                return torch.zeros(1)

            return run

        return {"eager": way("eager", 0.04), "live": way("live", 0.01)}

    monkeypatch.setattr(bench_networks, "_ways", ways)
    monkeypatch.setattr(bench_networks, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    found = {line.id: line for line in measure_networks(TINY[1:], "cpu", seconds=0.399)}
    assert found["painter_eager"].value == pytest.approx(25.0, rel=1e-4)
    assert found["painter_live"].value == pytest.approx(100.0, rel=1e-4)
    assert found["painter_live"].reached is True
    assert found["painter_eager"].target is None
    assert found["painter_gain"].value == pytest.approx(4.0, rel=1e-4)
    timed = asked[4:]
    assert timed[:4] == ["eager"] * 3 + ["live"]
    assert timed[-1] == "live"
    assert timed.count("eager") == 12
    assert timed.count("live") == 40


def test_real_networks_run():
    found = {line.id: line.value for line in measure_networks(TINY, "cpu", seconds=0.01)}
    assert {"plain_eager", "plain_live", "plain_live_p95", "plain_gain", "painter_live"} <= set(found)
    assert all(np.isfinite(value) and value > 0 for value in found.values())


def test_sizes_and_promises():
    settings = PvpBenchSettings()
    assert sizes(settings.size, 128, "cpu") == (128, 256, 512)
    assert sizes(settings.size, 512, "cuda") == (256, 512, 1024)
    assert sizes(300, 128, "cpu") == (128, 256, 300)
    assert promised("cpu", 128, 256, "full") == promised("cpu", 128, 128, "full") == 54.0
    assert promised("cpu", 512, 256, "full") is None
    assert promised("cpu", 128, 256, "draft") is None
    assert promised("cuda", 512, 512, "full") == promised("cuda", 128, 1024, "full") == 54.0
    assert promised("cuda", 512, 256, "full") is None


class Slow:
    """An engine that keeps a record."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def render(self, request: Any) -> None:
        self.asked.append(request.state["yaw"])


def test_every_frame_is_drawn_once_after_a_run_up():
    track = track_from_motion(motion_of(list(range(8))), CAMERA, Fraction(25))
    engine: Any = Slow()
    drawn = draw_all(engine, track, STAGE, "full", lambda *_: None, "drawing")
    assert engine.asked == [*range(5), *range(8)]
    assert drawn.milliseconds.shape == (8,)
    named = {line.id: line for line in lines("a", "A", drawn, 1e9)}
    assert named["a"].value == pytest.approx(1000.0 / drawn.milliseconds.mean())
    assert named["a"].reached is False
    assert named["a_p50"].value <= named["a_p95"].value


def filmed(folder: Path) -> Filmed:
    base = write_base(folder / "base")
    avatar = folder / "avatar"
    avatar.mkdir()
    save_pvp(avatar, parts_of(base, random_painter()), base)
    motion = motion_of(list(np.linspace(YAW[0], YAW[-1], 30)))
    sequence: Any = SimpleNamespace(motion=motion, good=np.ones(30, bool), rate=Fraction(25))
    return Filmed(Avatar("Ann", "pvp", "key", avatar, STAGE), sequence)


def test_an_avatar_is_drawn_whole_at_every_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn: list[tuple[int, str]] = []
    render = PvpEngine.render

    def watched(self: PvpEngine, request: Any) -> Any:
        drawn.append((request.view.width, request.quality))
        return render(self, request)

    monkeypatch.setattr(PvpEngine, "render", watched)
    monkeypatch.setattr(bench_pvp, "choose_device", lambda: SimpleNamespace(kind="cpu"))
    settings = PvpBenchSettings(frames=10, size=96, seconds=0.01, edits=False)
    result = bench_pvp.bench_pvp(filmed(tmp_path), settings, cases=TINY[:1])
    assert [drawn.count(kind) for kind in ((64, "full"), (64, "draft"), (96, "full"), (96, "draft"))] == [
        15
    ] * 4
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    found = {entry["id"]: entry for entry in plain["results"]}
    assert found["pvp_64_full"]["target"] == 54.0
    assert found["pvp_96_draft"]["target"] is None
    assert {"pvp_96_full_p95", "pvp_96_full_cpu", "plain_gain", "memory"} <= set(found)
    assert plain["settings"]["frames"] == 10
    assert "Ann (scratch, crop of 64²)" in result.table()


def test_networks_alone_need_nobody():
    result = bench_pvp.bench_pvp(None, PvpBenchSettings(seconds=0.01), cases=TINY[:1])
    assert not any(entry.id.startswith("pvp") for entry in result.results)
    assert result["plain_live"] > 0


@pytest.mark.parametrize("case", TINY, ids=lambda case: case.id)
def test_untaught_networks_stand_on_an_avatars_base(tmp_path: Path, case: NetworkCase):
    parts = parts_of(write_base(tmp_path / "base"), random_painter())
    untaught = untaught_parts(parts, case)
    frame = PvpEngine(untaught, "cpu").render(ask(motion_of([0.0])))
    assert untaught.base is parts.base
    assert frame.image.std() > 1.0
