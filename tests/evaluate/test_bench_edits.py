"""What edits cost is measured in turns, with edits that show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import bench_edits, bench_pvp
from pipelines.bench_edits import edit_costs, random_edits
from pipelines.pvp_bench_settings import PvpBenchSettings
from studio.domain.controls import ControlTrack, track_from_motion
from studio.domain.edits import LatentMap, LatentShift, Recolour, ShapeShift, StyleShift
from studio.engines.pvp.artefact import PvpParts, load_pvp, save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.live_network import LiveNetwork
from tests.engines.pvp.small_avatar import parts_of, random_painter, random_pretrained, write_base
from tests.evaluate.test_bench_pvp import TINY, filmed
from tests.warping.average_person import CAMERA, motion_of


def short_track() -> ControlTrack:
    return track_from_motion(motion_of(list(np.linspace(-9, 9, 12))), CAMERA, 25)  # type: ignore[arg-type]


def test_with_and_without_take_turns_and_medians_are_compared(tmp_path: Path, monkeypatch):
    made = filmed(tmp_path)
    parts = load_pvp(made.avatar.folder)
    clock, asked = SimpleNamespace(now=0.0), []
    costs: dict[tuple[type, ...], float] = {
        (): 0.010,
        (LatentShift, StyleShift, LatentShift): 0.011,
        (LatentMap,) * 3: 0.020,
    }
    costs[(LatentShift, LatentMap, StyleShift)] = 0.0125
    costs[(LatentShift, ShapeShift, Recolour)] = 0.016

    def render(self: PvpEngine, request: Any) -> None:
        kinds = tuple(type(edit.effect) for edit in self._edits.edits)
        strengths = self._edits.strengths(request.state)
        assert strengths.all()
        asked.append((kinds, request.view.width, tuple(strengths.tolist())))
        # A hiccup of the machine does not count.
        clock.now += costs[kinds] + (5.0 if len(asked) % 17 == 0 else 0.0)

    monkeypatch.setattr(PvpEngine, "render", render)
    monkeypatch.setattr(bench_edits, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    told: list[str] = []
    found = {
        line.id: line
        for line in edit_costs(
            parts, made.avatar, short_track(), (64, 96), lambda *x: told.append(x[2]), "cpu"
        )
    }
    kinds = ("directions", "mixed", "mappers", "colour")
    assert set(found) == {f"pvp_{s}_edits_{k}" for s in (64, 96) for k in kinds}
    assert found["pvp_64_edits_directions"].value == pytest.approx(10 / 11)
    assert found["pvp_96_edits_mixed"].value == pytest.approx(0.8)
    assert found["pvp_96_edits_mappers"].value == pytest.approx(0.5)
    assert found["pvp_96_edits_colour"].value == pytest.approx(0.625)
    assert found["pvp_64_edits_directions"].reached is True
    assert found["pvp_64_edits_mappers"].reached is False
    assert told.count("edits at 64²") == 5 + 12
    assert [x[1] for x in asked].count(64) == 5 * 17
    assert {x[0] for x in asked[:5]} == set(costs) == {x[0] for x in asked[5:10]}
    assert asked[0][0] != asked[5][0]
    # Strengths move, so that nothing is found ready.
    own = [x[2] for x in asked if x[0] == (LatentMap,) * 3]
    assert all(a != b for a, b in zip(own, own[1:], strict=False))


@pytest.mark.parametrize("make", [random_painter, lambda: random_pretrained(64, 32)])
def test_edits_fit_the_avatar_and_show(tmp_path: Path, make: Any):
    parts: PvpParts = parts_of(write_base(tmp_path / "base"), make())
    stack = random_edits(parts, ("w", "w+", "style", "map"))
    network = LiveNetwork(parts, torch.device("cpu"), stack)
    motion = motion_of([4.0])
    guide = np.full((network.resolution,) * 2 + (3,), 90, np.uint8) if network.needs_guide else None
    plain = network.begin(motion, guide)()
    for k in range(4):
        assert not np.array_equal(network.begin(motion, guide, np.eye(4, dtype=np.float32)[k])(), plain)


def test_an_avatar_is_measured_with_edits_unless_its_generator_is_not_shown(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(bench_pvp, "choose_device", lambda: SimpleNamespace(kind="cpu"))
    made = filmed(tmp_path)
    settings = PvpBenchSettings(frames=10, size=64, seconds=0.01)
    found = {line.id for line in bench_pvp.bench_pvp(made, settings, cases=TINY[:1]).results}
    assert {"pvp_64_edits_directions", "pvp_64_edits_mixed", "pvp_64_edits_mappers"} <= found
    parts = load_pvp(made.avatar.folder)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    save_pvp(hidden, replace(parts, strength=0.0), made.avatar.folder / "base")
    without = replace(made, avatar=replace(made.avatar, folder=hidden))
    found = {line.id for line in bench_pvp.bench_pvp(without, settings, cases=TINY[:1]).results}
    assert "pvp_64_full" in found
    assert not any("edits" in name for name in found)
