"""A person's wishes: locked frames are always pivots, forbidden ones never, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli.building import BuildOptions
from pipelines.cli.recipe_options import with_stages
from pipelines.cli.words import parse
from pipelines.pick_pivots import PivotSettings, pick_pivots
from pipelines.recipes import PIVOTS
from studio.domain.pivots import PivotWishes
from studio.domain.problem import Problem
from studio.domain.sequence import Flag
from studio.project.lineage import key_of, settings_that_matter
from studio.project.pivot_files import load_wishes, save_wishes
from studio.project.settings_json import settings_from_plain, settings_to_plain
from tests.pivots.test_pick_pivots import sequence_of, three_poses

SHARP = np.full(120, 0.3, np.float32)
SHARP[[13, 57, 101]] = 1.0
SHARP[[20, 60]] = 0.9
THREE = PivotSettings(count=3, sharpest_of=40)
"""On three poses of 40 frames each it takes the sharpest of each: 13, 57 and 101."""


def picked(settings: PivotSettings, train: slice = slice(0, 120)):
    return pick_pivots(sequence_of(three_poses(), SHARP), settings, train)


def test_a_locked_frame_stands_for_its_cluster_and_the_others_stay() -> None:
    pivots = picked(replace(THREE, locked=(70,)))
    assert pivots.frames.tolist() == [13, 70, 101]
    assert pivots.members.tolist() == [40, 40, 40]
    assert pivots.reasons[1].startswith("locked by you, one of 40 alike frames (yaw")
    assert not any("locked" in reason for reason in (pivots.reasons[0], pivots.reasons[2]))


def test_several_locked_frames_of_a_cluster_share_it() -> None:
    pivots = picked(replace(THREE, locked=(41, 57, 70)))
    assert pivots.frames.tolist() == [13, 41, 57, 70, 101]
    assert pivots.members.sum() == 120
    assert pivots.members[[0, 4]].tolist() == [40, 40]


def test_a_forbidden_frame_gives_way_to_the_next_best_of_its_cluster() -> None:
    pivots = picked(replace(THREE, forbidden=(57,)))
    assert pivots.frames.tolist() == [13, 60, 101]
    assert "without the 1 that you ruled out" in pivots.reasons[1]
    assert "ruled out" not in pivots.reasons[0]
    again = picked(replace(THREE, forbidden=(57, 60)))
    assert 40 <= again.frames[1] < 80
    assert again.frames[1] not in (57, 60)


def test_a_cluster_of_forbidden_frames_has_no_pivot_and_two_of_them_leave_too_few() -> None:
    pivots = picked(replace(THREE, forbidden=tuple(range(40, 80))))
    assert pivots.frames.tolist() == [13, 101]
    with pytest.raises(Problem, match="forbid fewer"):
        picked(replace(THREE, forbidden=tuple(range(80))))


def test_random_pivots_heed_wishes_too() -> None:
    settings = PivotSettings(count=30, choice="random")
    plain = picked(settings)
    out = tuple(plain.frames[:10].tolist())
    wanted = tuple(sorted(set(range(120)) - set(plain.frames.tolist()))[:4])
    pivots = picked(replace(settings, locked=wanted, forbidden=out))
    chosen = set(pivots.frames.tolist())
    assert len(pivots) == 30
    assert chosen >= set(wanted)
    assert not chosen & set(out)
    locked = {f for f, reason in zip(pivots.frames.tolist(), pivots.reasons) if "locked by you" in reason}
    assert locked == set(wanted)


@pytest.mark.parametrize(
    ("frame", "train", "words"),
    [
        (8, slice(0, 120), "the picture is blurred"),
        (110, slice(0, 100), "kept for judging"),
        (120, slice(0, 120), "the clip ends with frame 119"),
    ],
)
def test_a_frame_that_cannot_be_a_pivot_is_refused(frame: int, train: slice, words: str) -> None:
    flags = np.zeros(120, np.int32)
    flags[8] = int(Flag.BLURRED)
    sequence = replace(sequence_of(three_poses(), SHARP), flags=flags)
    with pytest.raises(Problem, match=f"Frame {frame} cannot be a pivot, because .*{words}"):
        pick_pivots(sequence, replace(THREE, locked=(13, frame)), train)
    assert frame not in pick_pivots(sequence, replace(THREE, forbidden=(frame,)), train).frames


def test_a_frame_both_locked_and_forbidden_is_refused() -> None:
    with pytest.raises(Problem, match="Frame 13 is both locked and forbidden"):
        picked(replace(THREE, locked=(13,), forbidden=(13,)))


def test_wishes_change_the_key_and_their_absence_leaves_older_pivots_valid() -> None:
    before = {"count": 200, "sharpest_of": 5, "seed": 0, "choice": "kmeans"}
    assert settings_that_matter(PivotSettings()) == before
    keys = {
        key_of("pivots", 1, {}, settings)
        for settings in (PivotSettings(), PivotSettings(locked=(3,)), PivotSettings(forbidden=(3,)))
    }
    assert len(keys) == 3
    wishes = PivotSettings(locked=(3, 9), forbidden=(4,))
    assert settings_from_plain(PivotSettings, settings_to_plain(wishes)) == wishes
    with pytest.raises(Problem, match="locked"):
        settings_from_plain(PivotSettings, {"locked": [-1]})


def test_the_command_line_takes_wishes() -> None:
    kind = with_stages(BuildOptions, "instant", "draft")
    words = ["Ada", "--preset", "draft", "--pivots.locked", "3", "9", "--pivots.forbidden", "4"]
    options = parse(kind, words, "build", "")
    assert getattr(options, PIVOTS.id) == PivotSettings(locked=(3, 9), forbidden=(4,))
    untouched = parse(kind, ["Ada", "--preset", "draft"], "build", "")
    assert getattr(untouched, PIVOTS.id) == PivotSettings()


def test_wishes_exclude_each_other() -> None:
    wishes = PivotWishes().lock(9).lock(3).swap(9)
    assert wishes == PivotWishes(locked=(3,), forbidden=(9,))
    assert wishes.swap(3, 9) == PivotWishes(locked=(9,), forbidden=(3,))
    assert wishes.lock(9).unlock(9) == PivotWishes(locked=(3,))
    assert wishes.allow(9) == PivotWishes(locked=(3,))
    assert wishes.swap(3, 3) == wishes


def test_wishes_are_kept_with_the_clip_and_damage_loses_only_them(tmp_path: Path) -> None:
    assert load_wishes(tmp_path) == PivotWishes()
    save_wishes(tmp_path, PivotWishes((3, 9), (4,)))
    assert load_wishes(tmp_path) == PivotWishes((3, 9), (4,))
    (tmp_path / "pivot_wishes.json").write_text('{"schema_version": 1, "locked": 5}')
    assert load_wishes(tmp_path) == PivotWishes()
