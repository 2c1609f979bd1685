"""PVP's build, killed at twenty random moments of all its stages, and without memory for its batches."""

from __future__ import annotations

import json
import math
import random
import shutil
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
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
from pipelines.run import FINISHED, run_job
from pipelines.training.loop import TrainingLoop
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.engines.pvp.artefact import load_pvp
from studio.project.store import Store

KILLS = 20
NAME = "Ann Lee 🎬"
TEACH, TUNE = "teaching the painter", "tuning the generator"
READ, START, MAP = "learning to read this person's face", "starting the mappers", "training the mappers"
TRAININGS = (TEACH, TUNE, READ, START, MAP)


def _loop(steps: int, batch: int, **more: Any) -> LoopSettings:
    """Ended by steps alone, so that two runs can be compared; checkpoints as often as the disk allows."""
    return LoopSettings(
        steps=steps,
        batch=batch,
        schedule=Schedule("cosine", warmup=0.05, final=0.05),
        log_steps=5,
        checkpoint_seconds=0.1,
        preview_seconds=1.0,
        **more,
    )


def _settings(batch: int = 2, longer: int = 1) -> dict[str, Any]:
    """A build of toy size; ``longer`` multiplies the steps of its trainings."""
    draft = settings_for("pvp", "draft")
    painter, pvp = draft["prior"].painter, draft["pvp"]
    painter = replace(
        painter,
        w_dim=8,
        channel_base=256,
        channel_max=8,
        loop=_loop(40 * longer, batch, average_decay=0.9, validate_steps=20, clip_norm=1.0),
    )
    mapper = replace(
        pvp.mapper,
        hidden=16,
        loop=_loop(40 * longer, batch, validate_steps=10, clip_norm=1.0),
        warm_loop=_loop(40 * longer, 16, validate_steps=20),
    )
    tune = replace(
        pvp.tune, steps_per_image=2 * longer, threshold=0.0, loop=_loop(1_000, batch, validate_steps=10)
    )
    return {
        "pivots": replace(draft["pivots"], count=9),
        "instant": replace(draft["instant"], texture_size=128),
        "material": replace(draft["material"], resolution=32, guides=2, recombined=6),
        "prior": replace(draft["prior"], painter=painter),
        "pvp": replace(
            pvp, tune=tune, estimator=replace(pvp.estimator, size=32, steps=20 + 20 * longer), mapper=mapper
        ),
    }


def _build(home: Path, settings: dict[str, Any]) -> Build:
    subject = Store(home).find(NAME)
    return plan_build(subject, subject.clip(None), "pvp", "draft", settings)


def _finish(job: Path) -> None:
    status = runner.start(job).wait()
    assert status.state == "finished", (status.message, (job / "log.txt").read_text()[-3000:])


@pytest.fixture(scope="module")
def whole(sample_clip, tmp_path_factory) -> Path:
    """A home with an imported clip, on which nothing has been done yet but the import, and beside it
    ``whole``: the same with an avatar that was built without interruption."""
    folder = tmp_path_factory.mktemp("pvp")
    import_clip(Store(folder / "imported"), NAME, sample_clip)
    shutil.copytree(folder / "imported", folder / "whole")
    _finish(_build(folder / "whole", _settings(longer=3)).job())
    return folder / "whole"


@dataclass(frozen=True)
class Phase:
    """A stretch of the job in which to kill it."""

    stage: str
    """Step it belongs to."""
    what: str
    """What the status says meanwhile; empty: anything."""
    seconds: float
    """How long it took without interruption."""
    steps: int = 0
    """Of a training: the last one of which figures were told."""


def _phases(job: Path) -> list[Phase]:
    """The job's phases in order, timed by its events: stages, and the trainings inside of them."""
    begun: dict[str, float] = {}
    stages: list[tuple[str, float, float]] = []
    told: dict[str, list[float]] = {}
    reached: dict[str, int] = {}
    for event in read_events(job):
        if event["event"] == "step" and event["state"] == "begun":
            begun[event["step"]] = event["time"]
        elif event["event"] == "step":
            stages.append((event["step"], begun[event["step"]], event["time"]))
        elif event.get("what") in TRAININGS:
            told.setdefault(event["what"], []).append(event["time"])
            reached[event["what"]] = max(reached.get(event["what"], 0), event.get("step", 0))
    assert list(told) == list(TRAININGS)
    found = []
    for stage, first, last in stages:
        inside = {what: times for what, times in told.items() if first <= times[0] <= last}
        found += [Phase(stage, what, times[-1] - times[0], reached[what]) for what, times in inside.items()]
        if not inside:
            found.append(Phase(stage, "", last - first))
    return found


class Moment:
    """Says when the time has come to kill a worker: at a share of a phase, or as soon as that has passed.

    Of a training it is the share of its steps and not of its time, because other work on the machine makes
    it faster and slower.
    """

    def __init__(self, job: Path, phase: Phase, share: float, order: list[Phase], steps: list[str]) -> None:
        self._job, self._phase, self._share = job, phase, share
        self._stage = steps.index(phase.stage)
        self._later = [p.what for p in order[order.index(phase) + 1 :] if p.stage == phase.stage]
        self._events = job / "events.jsonl"
        self._place = self._events.stat().st_size if self._events.exists() else 0
        self._step, self._reached = -1, 0.0

    def __call__(self) -> bool:
        status = read_status(self._job)
        if status.state != "running" or status.step < self._stage:
            return False
        if status.step > self._stage or status.what in self._later:
            return True
        if not self._phase.what:
            self._reached = self._reached or time.monotonic()
            return time.monotonic() - self._reached >= self._share * self._phase.seconds
        self._read()
        return self._step >= self._share * self._phase.steps

    def _read(self) -> None:
        with self._events.open("rb") as file:
            file.seek(self._place)
            whole = file.read().rpartition(b"\n")[0]
        self._place += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                if event["event"] == "metric" and event["what"] == self._phase.what:
                    self._step = max(self._step, event.get("step", -1))


def _curves(job: Path) -> dict[tuple[str, int, str], list[float]]:
    """Every loss that was told, by training, step and name, as often as it was told."""
    found: dict[tuple[str, int, str], list[float]] = {}
    for event in read_events(job):
        if event["event"] == "metric":
            for name in {"loss", "validation_loss"} & set(event):
                found.setdefault((event["what"], event["step"], name), []).append(event[name])
    return found


def _finished(root: Path) -> dict[Path, tuple[int, int, int, bytes]]:
    """Files of finished artefacts: inode, time of change, size; and what the small ones hold."""
    return {
        path.relative_to(root): (
            (stat := path.stat()).st_ino,
            stat.st_mtime_ns,
            stat.st_size,
            path.read_bytes() if stat.st_size < 1 << 20 else b"",
        )
        for made in root.rglob("made.json")
        if not any(part.startswith(".") for part in made.relative_to(root).parts)
        for path in made.parent.rglob("*")
        if path.is_file()
    }


def _checkpoints(job: Path) -> set[Path]:
    """Folders under checkpoints' final names; each must be whole at any moment."""
    return {path.parent for path in job.glob("scratch/**/tensors.safetensors") if path.parent.name[0] != "."}


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments_of_all_stages(whole, tmp_path):
    from pipelines.training.checkpoint import load_state

    chance = random.Random(20)
    settings = _settings(longer=3)
    reference = _build(whole, settings)
    home = tmp_path / "home"
    shutil.copytree(whole.parent / "imported", home)
    build = _build(home, settings)
    steps = [step.id for step in build.plan.steps]
    assert steps == [stage.id for stage in RECIPES["pvp"]]
    assert [s.key for s in build.plan.steps] == [s.key for s in reference.plan.steps]
    job = build.job()
    root = job.parents[1]

    phases = _phases(reference.job())
    assert {phase.stage for phase in phases} == set(steps)
    trained = [phase for phase in phases if phase.what]
    chosen = phases * 2 + chance.choices(trained, k=KILLS - 2 * len(phases))
    moments = sorted((phases.index(phase), chance.uniform(0.0, 0.8)) for phase in chosen)
    assert len(moments) == KILLS

    struck: list[str] = []
    before = _finished(root)
    for number, share in moments:
        moment = Moment(job, phases[number], share, phases, steps)
        running = runner.start(job)
        assert running.process is not None
        while running.process.poll() is None and not moment():
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.05))
        running.process.kill()
        running.process.wait()
        status = read_status(job)
        assert status.state == "crashed", (status, (job / "log.txt").read_text()[-3000:])
        struck.append(f"{steps[min(status.step, len(steps) - 1)]}: {status.what}")
        after = _finished(root)
        assert {path: after.get(path) for path in before} == before, "what was finished is as it was"
        for folder in _checkpoints(job):
            load_state(folder)
        before = after
    assert len(set(struck)) >= 6, struck

    _finish(job)
    after = _finished(root)
    assert {path: after.get(path) for path in before} == before
    for step in build.plan.steps:
        assert is_made(root / step.output, step.key), step.id
    assert not [p for p in home.rglob(".*") if p.name.endswith((".new", ".old"))]
    assert not list(job.glob("scratch/*"))

    expected, curves = _curves(reference.job()), _curves(job)
    assert curves.keys() == expected.keys()
    for what in TRAININGS:
        assert sum(key[0] == what for key in curves) >= 3, what
    for key, told in curves.items():
        # Also what was told of steps that were done again.
        assert told == pytest.approx([expected[key][-1]] * len(told), rel=0.01), key
    for stage, file in (("prior", "prior/tensors.safetensors"), ("pvp", "pvp.safetensors")):
        number = steps.index(stage)
        ours = load_file(root / build.plan.steps[number].output / file)
        theirs = load_file(reference.job().parents[1] / reference.plan.steps[number].output / file)
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=1e-5, msg=f"{stage} {name}")
    assert load_pvp(build.avatar).strength == load_pvp(reference.avatar).strength


@pytest.mark.slow
def test_with_too_little_memory_batches_shrink_and_one_sentence_says_so(whole, tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(whole, home)
    build = _build(home, _settings(batch=4))
    tried: dict[str, list[int]] = {}
    plain = TrainingLoop.__init__

    def small(self, modules, optimisers, step, order, settings, folder, what, *others):
        def stepping(batch):
            tried.setdefault(what, []).append(len(batch.indices))
            if len(batch.indices) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return step(batch)

        plain(self, modules, optimisers, stepping, order, settings, folder, what, *others)

    monkeypatch.setattr(TrainingLoop, "__init__", small)
    job = build.job()
    assert run_job(job) == FINISHED, (job / "log.txt").read_text()[-3000:]
    assert tuple(tried) == TRAININGS
    for what, sizes in tried.items():
        above = [size for size in sizes if size > 2]
        assert sizes[: len(above)] == above == sorted(set(above), reverse=True), f"{what}: tried once only"
        assert sizes[len(above)] == 2
    assert tried[TEACH][0] == tried[TUNE][0] == tried[MAP][0] == 4
    said = Counter(e["what"] for e in read_events(job) if e["event"] == "said" and "Memory" in e["sentence"])
    assert said == dict.fromkeys(TRAININGS, 1)
    (sentence,) = [
        e["sentence"]
        for e in read_events(job)
        if e["event"] == "said" and e["what"] == TEACH and "Memory" in e["sentence"]
    ]
    assert sentence == (
        "Memory ran out, so each step is now done in pieces of 2 examples instead of 4: slower, same result."
    )
    assert all(math.isfinite(value) for told in _curves(job).values() for value in told)
    assert load_pvp(build.avatar).kind == "scratch"
    found = [event["step"] for event in read_events(job) if event.get("state") == "found"]
    assert found == ["track", "pivots", "instant", "material"], "what was there was not made again"
