"""The speed measurement: what it reports, not how fast this machine is."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.bench import BenchSettings, bench
from pipelines.bench_result import Bench, Machine, Measured, peak_memory, this_machine
from studio.domain.problem import Problem
from studio.media import VideoWriter


def machine() -> Machine:
    return Machine("A processor", 2, 8.0, "none", "Linux 6", "3.11.9", "2.6.0", 0.2)


def test_a_promise_is_kept_from_the_figure_on() -> None:
    assert Measured("a", "A", 60.0, "frames/s", 60.0).reached is True
    assert Measured("a", "A", 59.9, "frames/s", 60.0).reached is False
    measured: Any = np.float64(59.9)  # JSON knows no numpy
    assert Measured("a", "A", measured, "frames/s", 60.0).reached is False
    assert Measured("a", "A", 1.0, "s").reached is None


def test_table_and_json_name_machine_and_promises() -> None:
    results = (
        Measured("track", "Tracking", 71.26, "frames/s", 60.0),
        Measured("render_full", "Render", 41.0, "frames/s", 54.0),
        Measured("memory", "Memory", 1.5, "GB"),
    )
    whole = Bench(machine(), "Sample: 9 frames", results, BenchSettings())
    lines = whole.table().splitlines()
    assert lines[0].startswith("A processor, 2 cores, 8 GB, GPU: none; Linux 6; Python 3.11.9, torch 2.6.0.")
    assert "| Tracking | 71.26 | frames/s | 60 | reached |" in lines
    assert "| Render | 41 | frames/s | 54 | missed |" in lines
    assert "| Memory | 1.5 | GB |  |  |" in lines
    plain = json.loads(json.dumps(whole.to_json(), allow_nan=False))
    assert plain["machine"]["cores"] == 2
    assert plain["settings"]["size"] == 512
    assert [entry["reached"] for entry in plain["results"]] == [True, False, None]
    assert whole["render_full"] == 41.0


def test_this_machine_has_a_name() -> None:
    here = this_machine()
    assert here.processor.strip()
    assert here.cores >= 1
    assert here.memory_gb > 0.5
    assert here.torch[0].isdigit()
    assert 0.02 < peak_memory() < here.memory_gb


def test_peak_memory_never_falls() -> None:
    before = peak_memory()
    block = np.ones(60_000_000)  # 0.45 GB
    assert block.sum() > 0
    del block
    assert peak_memory() >= max(before, 0.45)


@pytest.mark.parametrize("wrong", [BenchSettings(size=32), BenchSettings(size=333), BenchSettings(frames=3)])
def test_senseless_settings_are_refused(wrong: BenchSettings) -> None:
    with pytest.raises(Problem, match="even size"):
        bench(settings=wrong)


def test_a_clip_without_a_face_is_a_problem(tmp_path: Path) -> None:
    clip = tmp_path / "grey.mp4"
    with VideoWriter(clip, 128, 96, Fraction(25)) as writer:
        for level in range(12):
            writer.write(np.full((96, 128, 3), 10 * level, np.uint8))
    with pytest.raises(Problem):
        bench(clip, BenchSettings(size=128, frames=12))


@pytest.mark.slow
def test_the_main_path_is_measured_whole(tmp_path: Path) -> None:
    from pipelines.make_sample import SampleSettings, make_sample

    clip = tmp_path / "sample.mp4"
    make_sample(clip, SampleSettings(size=256, seconds=2.0))
    stages: set[str] = set()
    result = bench(
        clip,
        BenchSettings(size=192, frames=40),
        progress=lambda done, total, what: stages.add(what.split(":")[0]),
    )
    assert "40 frames of 192² at 25 frames/s" in result.clip
    assert all(np.isfinite(entry.value) and entry.value > 0 for entry in result.results)
    assert result["track_share"] == pytest.approx(result["track"] / result["mesh"])
    assert result["export_ratio"] == pytest.approx(result["export"] / 25)
    targets = {entry.id: entry.target for entry in result.results if entry.target is not None}
    assert targets == {"track": 60.0, "render_full": 54.0, "export": 25.0, "export_ratio": 1.0}
    assert result["render_full_p50"] <= result["render_full_p95"]
    assert {"cold start", "tracking", "exporting", "rendering in draft quality"} <= stages
