"""Each frame has one verdict, the worst that holds, and a worth that puts good frames above faulty ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipelines.frame_quality import Verdict, frame_quality
from studio.domain.motion import HeadMotion
from studio.domain.sequence import FLAG_SENTENCES, Flag, TrackedSequence, held_out_split
from studio.head.mesh_lines import mesh_lines
from studio.head.topology import topology
from studio.tracking.regions import OVAL

Clip = Callable[..., TrackedSequence]
Still = Callable[[int], HeadMotion]


def test_the_worst_fault_is_the_verdict_and_all_are_reasons(made_clip: Clip, still: Still) -> None:
    flags = np.array(
        [0, int(Flag.BLURRED), int(Flag.BLURRED | Flag.SMALL), int(Flag.NO_FACE | Flag.JUMPED), 64]
    )
    judged = frame_quality(made_clip(still(5), flags))
    assert [Verdict(v) for v in judged.verdicts.tolist()] == [
        Verdict.GOOD,
        Verdict.BLURRED,
        Verdict.SMALL,
        Verdict.LOST,
        Verdict.TRIMMED,
    ]
    assert judged.reasons(0) == ()
    assert set(judged.reasons(2)) == {FLAG_SENTENCES[Flag.BLURRED], FLAG_SENTENCES[Flag.SMALL]}


@pytest.mark.parametrize("flag", [flag for flag in Flag if flag])
def test_every_fault_has_a_verdict_of_its_own_and_a_sentence(
    flag: Flag, made_clip: Clip, still: Still
) -> None:
    judged = frame_quality(made_clip(still(1), np.array([int(flag)])))
    assert Verdict(int(judged.verdicts[0])) is not Verdict.GOOD
    assert len(judged.reasons(0)) == 1
    assert judged.quality[0] <= 0.5


def test_worth_follows_sharpness_and_never_lifts_a_faulty_frame_above_a_good_one(
    made_clip: Clip, still: Still
) -> None:
    sharpness = np.array([0.8, 0.8, 0.8, 0.4, 1.0, 1.0, 1.0])
    flags = np.array([0, 0, 0, 0, int(Flag.OCCLUDED), int(Flag.NO_FACE), int(Flag.TRIMMED)])
    judged = frame_quality(made_clip(still(7), flags, sharpness))
    np.testing.assert_allclose(judged.quality, [1, 1, 1, 0.75, 0.5, 0, 0], atol=1e-6)
    lost = frame_quality(made_clip(still(3), np.full(3, int(Flag.NO_FACE)), np.zeros(3)))
    assert (lost.quality == 0).all()


def test_mesh_lines_join_every_triangle_once_and_the_outline_is_the_faces_own() -> None:
    lines = mesh_lines()
    drawn = {tuple(pair) for pair in lines.edges.tolist()}
    assert len(drawn) == len(lines.edges)
    for a, b, c in topology().triangles.tolist():
        if max(a, b, c) < 468:  # irises have circles instead
            assert {tuple(sorted(pair)) for pair in ((a, b), (b, c), (c, a))} <= drawn
    oval = {tuple(sorted(pair)) for pair in zip(OVAL, OVAL[1:] + OVAL[:1])}
    assert oval <= {tuple(sorted(pair)) for pair in lines.features.tolist()}
    # Each feature line is short: none leaps across the face.
    ends = topology().positions[lines.features]
    assert np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).max() < 0.025


def test_the_chosen_part_is_the_whole_clip_unless_it_was_trimmed(made_clip: Clip, still: Still) -> None:
    faulty = np.full(20, int(Flag.NO_FACE))
    assert made_clip(still(20), faulty).used == slice(0, 20)
    assert made_clip(still(20)).split(0.2) == held_out_split(20, 0.2)
    faulty[:5] = int(Flag.TRIMMED)
    assert made_clip(still(20), faulty).used == slice(5, 20)
    assert made_clip(still(20), faulty).split(0.2) == (slice(5, 17), slice(17, 20))
    assert made_clip(still(20), np.full(20, int(Flag.TRIMMED))).used == slice(0, 0)
