"""Comparisons on disk as their worker leaves them, with figures of one's own and without pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.compare_job import CompareSettings, Contender, plan_comparison
from pipelines.compare_result import COMPARISON, FILE
from pipelines.job import MADE
from studio.assets import AssetLibrary
from studio.project.documents import write_document
from studio.project.store import ClipFolder, SubjectFolder


def a_measure(name: str, title: str, better: str, digits: int = 2) -> dict:
    return {"id": name, "title": title, "unit": "", "better": better, "digits": digits, "source": "a paper"}


MEASURES = [a_measure("psnr", "PSNR", "higher"), a_measure("aed", "AED", "lower", 3)]
NEAREST = {"psnr": 18.0, "aed": 0.9}


def write_pair(
    subject: SubjectFolder,
    clip: ClipFolder,
    means: Mapping[str, tuple[Contender, Mapping[str, float], float]],
    settings: CompareSettings | None = None,
    made: str = "2026-01-01T00:00:00+00:00",
    frames: int = 30,
) -> Path:
    """A finished comparison; ``means``: for one and other the side, its figures and its frames a second."""
    one, other = means["one"], means["other"]
    plan = plan_comparison(subject, clip, one[0], other[0], settings, AssetLibrary(subject.home))
    sides = {"a": other, "b": one} if plan.swapped else {"a": one, "b": other}
    keys = {place: side.build.plan.steps[-1].key for place, (side, _, _) in sides.items()}
    step = plan.plan.steps[-1]
    assert step.input_keys["a"] == keys["a"]
    plan.folder.mkdir(parents=True)
    content = {
        "sides": {p: {"engine": side.engine, "key": keys[p]} for p, (side, _, _) in sides.items()},
        "means": {**{p: dict(values) for p, (_, values, _) in sides.items()}, "nearest": NEAREST},
        "fps": {p: fps for p, (_, _, fps) in sides.items()},
        "measures": MEASURES,
        "frames": list(range(frames)),
        "off": {"csim": "CSIM is off."},
    }
    write_document(plan.folder / FILE, COMPARISON, content)
    note = {"stage": step.id, "key": step.key, "version": step.version, "inputs": step.input_keys}
    note |= {"settings": step.settings, "held_out": step.held_out, "made": made}
    write_document(plan.folder / "made.json", MADE, note)
    assert plan.made
    return plan.folder
