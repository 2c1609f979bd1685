"""Tri²-plane's build, killed at random moments of all its stages: it goes on to the same volume."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipelines import runner
from pipelines.build_job import Build, plan_build
from pipelines.import_job import import_clip
from pipelines.job import is_made, read_events, read_status
from pipelines.recipes import RECIPES, settings_for
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.engines.tri2plane.artefact import load_tri2plane
from studio.project.store import Store

NAME = "Ann Lee 🎬"
TRAINING = "training the volume"
STEPS = 60
KILLS = {"pivots": 1, "instant": 2, "volume_material": 2, "tri2plane": 7}
"""In which stages, and how often."""


def _settings() -> dict[str, Any]:
    """A build of toy size, ended by steps alone, so that two can be compared."""
    draft = settings_for("tri2plane", "draft")
    volume = draft["tri2plane"]
    shape = replace(
        volume.shape,
        plane=16,
        features=8,
        channel_base=256,
        channel_max=8,
        convolutions=1,
        encoded=16,
        encoder_base=4,
        hidden=16,
        coarse_samples=8,
        fine_samples=6,
        capacity=4,
        depth=1,
    )
    loop = LoopSettings(
        steps=STEPS,
        batch=2,
        schedule=Schedule("cosine", warmup=0.05, final=0.05),
        log_steps=5,
        average_decay=0.9,
        clip_norm=1.0,
        validate_steps=20,
        validate_start=False,
        checkpoint_seconds=0.1,
        preview_seconds=20.0,
    )
    return {
        "pivots": replace(draft["pivots"], count=9),
        "instant": replace(draft["instant"], texture_size=128),
        "volume_material": replace(draft["volume_material"], resolution=64, map_size=32),
        "tri2plane": replace(volume, shape=shape, upsampler_tiles=1, validation_frames=2, loop=loop),
    }


def _build(home: Path) -> Build:
    subject = Store(home).find(NAME)
    return plan_build(subject, subject.clip(None), "tri2plane", "draft", _settings())


def _finish(job: Path) -> None:
    status = runner.start(job).wait()
    assert status.state == "finished", (status.message, (job / "log.txt").read_text()[-3000:])


def _spent(job: Path) -> dict[str, float]:
    """Seconds that each stage took."""
    begun: dict[str, float] = {}
    took: dict[str, float] = {}
    for event in read_events(job):
        if event["event"] == "step" and event["state"] == "begun":
            begun[event["step"]] = event["time"]
        elif event["event"] == "step" and event["step"] in begun:
            took[event["step"]] = event["time"] - begun[event["step"]]
    return took


def _reached(job: Path) -> int:
    """The last step of the training that figures were told of."""
    return max((e["step"] for e in read_events(job) if e.get("what") == TRAINING and "loss" in e), default=0)


def _curves(job: Path) -> dict[tuple[int, str], list[float]]:
    """Every loss that was told, by step and name, as often as it was told."""
    found: dict[tuple[int, str], list[float]] = {}
    for event in read_events(job):
        if event["event"] == "metric" and event["what"] == TRAINING:
            for name in {"loss", "validation_loss"} & set(event):
                found.setdefault((event["step"], name), []).append(event[name])
    return found


def _finished(root: Path) -> dict[Path, tuple[int, int]]:
    """Files of finished artefacts: time of change and size."""
    return {
        path.relative_to(root): ((stat := path.stat()).st_mtime_ns, stat.st_size)
        for made in root.rglob("made.json")
        if not any(part.startswith(".") for part in made.relative_to(root).parts)
        for path in made.parent.rglob("*")
        if path.is_file()
    }


def _strike(job: Path, stage: int, seconds: float, step: int, chance: random.Random) -> str:
    """Run the job's worker until it has been in a stage for so long, or its training has come so far, and
    kill it; in which stage it was."""
    running = runner.start(job)
    assert running.process is not None
    since = 0.0
    while running.process.poll() is None:
        status = read_status(job)
        if status.state == "running" and status.step > stage:
            break
        if status.state == "running" and status.step == stage:
            since = since or time.monotonic()
            if (step and _reached(job) >= step) or (not step and time.monotonic() - since >= seconds):
                break
        time.sleep(0.01)
    time.sleep(chance.uniform(0.0, 0.05))
    running.process.kill()
    running.process.wait()
    status = read_status(job)
    assert status.state == "crashed", (status, (job / "log.txt").read_text()[-3000:])
    return _build_steps()[status.step]


def _build_steps() -> list[str]:
    return [stage.id for stage in RECIPES["tri2plane"]]


@pytest.mark.slow
def test_kill_9_at_random_moments_of_all_stages(sample_clip, tmp_path):
    from pipelines.training.checkpoint import load_state

    chance = random.Random(12)
    import_clip(Store(tmp_path / "home"), NAME, sample_clip)
    shutil.copytree(tmp_path / "home", tmp_path / "whole")
    reference, build = _build(tmp_path / "whole"), _build(tmp_path / "home")
    _finish(reference.job())
    took = _spent(reference.job())
    assert [s.key for s in build.plan.steps] == [s.key for s in reference.plan.steps]
    job = build.job()
    root, steps = job.parents[1], _build_steps()

    struck: list[str] = []
    before = _finished(root)
    for stage, count in KILLS.items():
        for share in sorted(chance.uniform(0.0, 0.9) for _ in range(count)):
            step = int(share * STEPS) if stage == "tri2plane" else 0
            struck.append(_strike(job, steps.index(stage), share * took[stage], step, chance))
            after = _finished(root)
            assert {path: after.get(path) for path in before} == before, "what was finished is as it was"
            for state in job.glob("scratch/**/tensors.safetensors"):
                if state.parent.name[0] != ".":
                    load_state(state.parent)
            before = after
    assert struck.count("tri2plane") >= 5, struck
    assert len(set(struck)) >= 3, struck

    _finish(job)
    after = _finished(root)
    assert {path: after.get(path) for path in before} == before
    for made in build.plan.steps:
        assert is_made(root / made.output, made.key), made.id
    assert not [p for p in (tmp_path / "home").rglob(".*") if p.name.endswith((".new", ".old"))]
    assert not list(job.glob("scratch/*"))

    expected, curves = _curves(reference.job()), _curves(job)
    assert curves.keys() == expected.keys()
    assert len(curves) >= STEPS // 5
    for key, told in curves.items():
        # Also what was told of steps that were done again.
        assert told == pytest.approx([expected[key][-1]] * len(told), rel=0.01), key
    ours, theirs = (load_file(b.avatar / "tri2plane.safetensors") for b in (build, reference))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    assert load_tri2plane(build.avatar).figures["steps"] == STEPS
