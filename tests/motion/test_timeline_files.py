"""Timelines on disk: as they were, or one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from studio.domain.problem import Problem
from studio.domain.timeline import BaseMotion, Curve, Keyframe, Timeline
from studio.project.timeline_files import load_timeline, save_timeline, set_aside, timeline_folder

LINE = Timeline(
    Fraction(30000, 1001),
    90,
    {
        "yaw": Curve((Keyframe(0, 1.25, "hold"), Keyframe(7, -3.1, "ease-in-out")), "add"),
        "smile": Curve((Keyframe(80, 0.1),)),
    },
    True,
    BaseMotion(
        "walk.mp4", 4, ("yaw", "pitch"), np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    ),
)


def test_a_timeline_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = timeline_folder(tmp_path)
    assert load_timeline(folder) is None
    save_timeline(folder, LINE)
    back = load_timeline(folder)
    assert back == LINE
    assert back is not None
    assert list(back.curves) == ["yaw", "smile"], "in their order"
    assert json.loads((folder / "timeline.json").read_text())["schema_version"] == 1


def test_motion_is_written_once_and_removed_with_its_last_use(tmp_path: Path) -> None:
    save_timeline(tmp_path, LINE)
    (motion,) = tmp_path.glob("motion-*.npz")
    before = motion.stat().st_mtime_ns
    save_timeline(tmp_path, replace(LINE, length=5))
    assert motion.stat().st_mtime_ns == before
    assert LINE.base is not None
    other = replace(LINE.base, values=LINE.base.values + 1)
    save_timeline(tmp_path, replace(LINE, base=other))
    assert not motion.exists()
    assert load_timeline(tmp_path) == replace(LINE, base=other)
    save_timeline(tmp_path, Timeline())
    assert [path.name for path in tmp_path.iterdir()] == ["timeline.json"]


def test_a_disk_that_says_no_leaves_the_old_timeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_timeline(tmp_path, LINE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert LINE.base is not None
    for new in (Timeline(), replace(LINE, base=replace(LINE.base, values=LINE.base.values * 2))):
        with pytest.raises(Problem, match="full"):
            save_timeline(tmp_path, new)
        assert load_timeline(tmp_path) == LINE
    assert len(list(tmp_path.iterdir())) == 2, "nothing half written is left"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("rate"),
        lambda content: content.update(rate=[1, 0]),
        lambda content: content.update(length=0),
        lambda content: content.update(curves=[]),
        lambda content: content["curves"]["yaw"].update(keyframes=[]),
        lambda content: content["curves"]["yaw"].update(keyframes=[[3, 1.0, "bouncy"]]),
        lambda content: content["curves"]["yaw"].update(keyframes=[[3, 1.0]]),
        lambda content: content["curves"]["yaw"].update(keyframes=[[5, 1.0, "hold"], [3, 1.0, "hold"]]),
        lambda content: content["base"].update(file="motion-elsewhere.npz"),
        lambda content: content["base"].update(names=["yaw"]),
        lambda content: content.update(base=3),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, damage) -> None:
    save_timeline(tmp_path, LINE)
    file = tmp_path / "timeline.json"
    content = json.loads(file.read_text())
    damage(content)
    file.write_text(json.dumps(content))
    with pytest.raises(Problem, match=r"timeline\.json is damaged"):
        load_timeline(tmp_path)


def test_motion_cut_short_and_newer_versions_are_told(tmp_path: Path) -> None:
    save_timeline(tmp_path, LINE)
    (motion,) = tmp_path.glob("motion-*.npz")
    motion.write_bytes(motion.read_bytes()[:100])
    with pytest.raises(Problem, match="damaged"):
        load_timeline(tmp_path)
    file = tmp_path / "timeline.json"
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(Problem, match="newer version"):
        load_timeline(tmp_path)


def test_what_cannot_be_read_is_set_aside_whole(tmp_path: Path) -> None:
    folder = timeline_folder(tmp_path)
    assert set_aside(folder) is None
    for number in (1, 2):
        save_timeline(folder, replace(LINE, length=number))
        aside = set_aside(folder)
        assert aside is not None
        assert load_timeline(folder) is None
        assert load_timeline(aside) == replace(LINE, length=number)
    assert len(list(folder.parent.iterdir())) == 2
