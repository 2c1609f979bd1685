"""What is measured of Tri²-plane, with a small avatar that nobody trained."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines import bench_tri2plane
from pipelines.bench_trained import Filmed
from pipelines.tri2plane_bench_settings import Tri2BenchSettings
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.engines.tri2plane.artefact import save_tri2plane
from studio.engines.tri2plane.engine import Tri2PlaneEngine
from studio.project.store import Store
from tests.engines.tri2plane.small_volume import YAW, random_parts, write_base
from tests.warping.average_person import STAGE, motion_of


def filmed(folder: Path) -> Filmed:
    base = write_base(folder / "base")
    avatar = folder / "avatar"
    avatar.mkdir()
    save_tri2plane(avatar, random_parts(base), base)
    motion = motion_of(list(np.linspace(YAW[0], YAW[-1], 30)))
    motion.expression[:, 0] = np.linspace(-1, 1, 30)
    sequence: Any = SimpleNamespace(motion=motion, good=np.ones(30, bool), rate=Fraction(25))
    return Filmed(Avatar("Ann", "tri2plane", "key", avatar, STAGE), sequence)


def test_whole_frames_camera_alone_parts_and_the_instant_avatar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[int, str, float, float, float]] = []
    render = Tri2PlaneEngine.render

    def watched(self: Tri2PlaneEngine, request: Any) -> Any:
        state = request.state
        keys = (state["yaw"], state["expression_00"], state["orbit_yaw"])
        asked.append((request.view.width, request.quality, *keys))
        return render(self, request)

    monkeypatch.setattr(Tri2PlaneEngine, "render", watched)
    monkeypatch.setattr(bench_tri2plane, "choose_device", lambda: SimpleNamespace(kind="cpu"))
    result = bench_tri2plane.bench_tri2plane(filmed(tmp_path), Tri2BenchSettings(frames=10, size=64))
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    found = {entry["id"]: entry["value"] for entry in plain["results"]}
    sides = sorted({width for width, *_ in asked})
    assert sides[-1] == 64
    for side in sides:
        for quality in ("full", "draft"):
            mine = [a[2:] for a in asked if a[:2] == (side, quality)]
            # Ten frames after a run-up of five, of the clip's motion and then of a camera alone.
            assert len(mine) == 30
            motion, camera = np.array(mine[5:15]), np.array(mine[20:])
            assert len(np.unique(motion[:, 1])) == 10
            assert not motion[:, 2].any()
            assert len(np.unique(camera[:, :2], axis=0)) == 1
            assert camera[:, 2] == pytest.approx(np.linspace(-30, 30, 10), abs=1e-4)
            rate = found[f"tri2plane_{side}_{quality}"] / found[f"instant_{side}_{quality}"]
            assert found[f"instant_{side}_{quality}_ratio"] == pytest.approx(rate)
            assert found[f"camera_{side}_{quality}"] > 0
    for quality in ("full", "draft"):
        assert found[f"rays_{quality}"] > 0
        assert found[f"upsampler_{quality}"] > 0
        assert f"planes_{quality}" in found
    assert "Ann" in result.table()
    assert not any(entry["target"] for entry in plain["results"])


def test_what_is_promised():
    assert bench_tri2plane.promised("cuda", 512, "full") == 54.0
    assert bench_tri2plane.promised("cuda", 512, "draft") is None
    assert bench_tri2plane.promised("cpu", 512, "full") is None


def test_settings_that_make_no_sense_are_refused():
    nobody: Any = None
    with pytest.raises(Problem, match="at least 10 frames"):
        bench_tri2plane.bench_tri2plane(nobody, Tri2BenchSettings(frames=3))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "bench NAME --engine tri2plane"),
        (("--network-only",), "is for PVP"),
        (("Ann",), "has no tri2plane avatar yet"),
    ],
)
def test_the_command_says_what_is_missing(tmp_path: Path, capfd, words, part):
    from pipelines.cli import main

    Store(tmp_path).add("Ann")
    assert main(["bench", *words, "--engine", "tri2plane", "--home", str(tmp_path)]) == 2
    assert part in capfd.readouterr().err
