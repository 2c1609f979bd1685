"""Coverage counts poses where they belong, measures expressions by their handles, and asks for what lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipelines.coverage import coverage
from pipelines.expression_reach import KINDS, expression_reach, handle_amounts
from studio.domain.motion import HeadMotion
from studio.domain.sequence import Flag, TrackedSequence
from studio.head import builtin_head

Clip = Callable[..., TrackedSequence]
Still = Callable[[int], HeadMotion]
HANDLES = {"mouth_open": "jaw_open", "smile": "smile", "rounded": "pucker", "brows_up": "brow_raise"}


def test_coverage_names_what_was_not_recorded(made_clip: Clip, still: Still) -> None:
    motion = still(200)
    motion.angles[:, 0] = np.linspace(-40, 5, 200)
    motion.angles[:, 1] = np.linspace(-15, 15, 200)
    motion.jaw[::20, 0] = 0.3
    covered = coverage(made_clip(motion))
    missing = " ".join(gap.what for gap in covered.gaps)
    assert "viewer's right beyond +4°" in missing
    assert "left" not in missing
    assert "nodding" not in missing
    assert "mouth" not in missing
    assert "closed eyes" in missing
    assert all(gap.advice.endswith(".") for gap in covered.gaps)


def test_every_good_frame_is_counted_in_the_bin_of_its_pose_and_no_other_frame_is(
    made_clip: Clip, still: Still
) -> None:
    motion = still(6)
    motion.angles[:, :2] = [(0, 0), (4, -4), (-31, 12), (88, 0), (0, -70), (20, 20)]
    flags = np.array([0, 0, 0, 0, 0, int(Flag.BLURRED)])
    covered = coverage(made_clip(motion, flags))
    assert covered.frames.shape == (len(covered.yaw_edges) - 1, len(covered.pitch_edges) - 1)

    def frames_at(yaw: float, pitch: float) -> int:
        column = int(np.searchsorted(covered.yaw_edges, yaw, side="right")) - 1
        row = int(np.searchsorted(covered.pitch_edges, pitch, side="right")) - 1
        return int(covered.frames[column, row])

    assert frames_at(0, 0) == 2
    assert frames_at(-31, 12) == 1
    assert frames_at(20, 20) == 0
    assert covered.frames[-1].sum() == 1  # a profile beyond the map stands at its edge
    assert covered.frames[:, 0].sum() == 1
    assert covered.frames.sum() == 5


def test_a_clip_without_one_good_frame_asks_for_another(made_clip: Clip, still: Still) -> None:
    covered = coverage(made_clip(still(10), np.full(10, int(Flag.OCCLUDED))))
    assert covered.frames.sum() == 0
    assert covered.expressions == ()
    assert len(covered.gaps) == 1
    assert "light" in covered.gaps[0].advice


@pytest.mark.parametrize("kind", HANDLES)
def test_an_expression_made_by_its_handle_is_found_and_nothing_else_is_taken_for_it(
    kind: str, made_clip: Clip, still: Still
) -> None:
    amount = np.zeros(200, np.float32)
    amount[50:60] = 1.0
    clip = made_clip(builtin_head().handles[HANDLES[kind]].apply(still(200), amount))
    reached = {one.kind.id: one for one in expression_reach(clip)}
    assert list(reached) == [entry.id for entry in KINDS]
    assert reached[kind].reach == pytest.approx(1.0, abs=0.02)
    assert reached[kind].enough
    others = {name: one.share for name, one in reached.items() if name != kind}
    assert max(others.values()) < 0.05, others
    assert reached[kind].kind.missing not in [gap.what for gap in coverage(clip).gaps]


def test_two_expressions_at_once_keep_their_own_amounts(still: Still) -> None:
    handles = builtin_head().handles
    motion = handles["brow_raise"].apply(handles["smile"].apply(still(5), 0.8), 0.4)
    amounts = handle_amounts(motion)
    np.testing.assert_allclose(amounts, np.tile([0.0, 0.8, 0.0, 0.4], (5, 1)), atol=0.02)


def test_brows_eyes_and_gaze_are_measured_in_their_own_units(made_clip: Clip, still: Still) -> None:
    motion = builtin_head().handles["brow_raise"].apply(still(400), np.where(np.arange(400) < 40, -1.0, 0.0))
    motion.eyelids[100:110] = 1.0
    motion.gaze[200:240, 0] = np.linspace(-15, 15, 40)
    motion.gaze[300:340, 1] = np.linspace(-10, 10, 40)
    reached = {one.kind.id: one for one in expression_reach(made_clip(motion))}
    assert reached["brows_down"].reach == pytest.approx(1.0, abs=0.02)
    assert reached["brows_up"].reach == pytest.approx(0.0, abs=0.05)
    assert reached["eyes_closed"].reach == pytest.approx(1.0, abs=0.01)
    assert 20 < reached["eyes_aside"].reach <= 30
    assert 12 < reached["eyes_up_down"].reach <= 20


def test_one_wild_frame_is_no_expression(made_clip: Clip, still: Still) -> None:
    motion = builtin_head().handles["smile"].apply(still(400), np.where(np.arange(400) == 200, 5.0, 0.0))
    reached = {one.kind.id: one.share for one in expression_reach(made_clip(motion))}
    assert reached["smile"] < 0.1
    blurred = np.where(np.arange(400) < 300, int(Flag.BLURRED), 0)
    smiling = builtin_head().handles["smile"].apply(still(400), np.where(np.arange(400) < 300, 1.0, 0.0))
    seen = {one.kind.id: one.share for one in expression_reach(made_clip(smiling, blurred))}
    assert seen["smile"] == pytest.approx(0.0, abs=1e-4)  # only good frames count


def test_a_head_without_these_handles_is_judged_by_eyes_alone(made_clip: Clip, still: Still) -> None:
    clip = replace(made_clip(still(50)), head_model="flame-2020")
    assert [one.kind.id for one in expression_reach(clip)] == ["eyes_closed", "eyes_aside", "eyes_up_down"]
    assert not any("mouth" in gap.what for gap in coverage(clip).gaps)
