"""Edits whose faults are known are measured, and found to have them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.cli import main
from pipelines.judge_edits import EditFigures, Judged, edits_json, edits_table, judge_edits, strengths_of
from pipelines.judge_settings import JudgeSettings
from studio.domain.camera import Similarity, View, project
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, motion_from_values
from studio.domain.edits import Edit, EditStack, Recolour, ShapeShift
from studio.domain.problem import Problem
from studio.domain.rendering import Frame, RenderRequest
from studio.editing.identity_drift import IdentityMeter
from studio.editing.shape_measures import MEASURES
from studio.head.model import pose_features
from studio.tracking.tracker import Face, Picture
from tests.evaluate.test_sweep import FRAMES, HEAD, REST, clip

IDENTITY = np.zeros(HEAD.identities, np.float32)
WIDE = IDENTITY.copy()
WIDE[0] = 2.0
EDITS = EditStack(
    (
        Edit("light", "Light", "tone", Recolour("person", (10.0, 0.0, 0.0)), suggested=(-1.0, 1.0)),
        Edit("turning", "Turning", "tone", Recolour("hair", (1.0, 0.0, 0.0))),
        Edit("wide", "Wide", "shape", ShapeShift(WIDE, HEAD.id)),
        Edit(
            "humped", "Humped", "tone", Recolour("skin", (5.0, 0.0, 0.0)), found={"attribute": "brightness"}
        ),
    )
)


class Stand:
    """An engine with edits, and a tracker that reads its drawings exactly.

    ``light`` makes everything brighter by 10 levels, and a little different to the identity network;
    ``turning`` turns the head by 6 degrees, too; ``wide`` is drawn with the shape that it asks for;
    ``humped`` brightens most half-way.
    """

    name = "exact"
    score_names = ()

    def __init__(self) -> None:
        plain = tuple(Control(n, n, "amount", "Head", -1e6, 1e6, float(n == "zoom")) for n in HEAD_NAMES)
        self.sheet = EDITS.sheet(ControlSheet(plain))
        self._drawn: list[tuple[np.ndarray, np.ndarray, View]] = []

    def render(self, request: RenderRequest) -> Frame:
        light, turning, wide, humped = EDITS.strengths(request.state).tolist()
        values = request.state.values[: len(HEAD_NAMES)].copy()
        values[0] += 6.0 * turning
        self._drawn.append((values, wide * WIDE, request.view))
        level = 100.0 + 10.0 * light + 40.0 * humped * (1.0 - humped)
        image = np.full((request.view.height, request.view.width, 3), round(level), np.uint8)
        image[0, 0] = len(self._drawn) % 256, len(self._drawn) // 256, 1
        return Frame(image, None, request, 1.0)

    def faces(self, picture: Picture) -> list[Face]:
        values, identity, view = self._drawn[int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1]) - 1]
        motion = motion_from_values(values[None], REST)
        points = HEAD.landmarks(identity, np.zeros_like(HEAD.template), motion)
        points = points + np.tensordot(pose_features(motion.angles), HEAD.tracker_warp, 1)
        seen = project(points, motion.angles, motion.camera)[0]
        seen[:, 2] /= HEAD.tracker_depth
        return [Face(view.placement.apply(seen))]

    def close(self) -> None:
        pass


def no_faces(pictures: np.ndarray) -> np.ndarray:
    return np.full((len(pictures), 478, 3), np.nan, np.float32)


def by_brightness(pictures: torch.Tensor) -> torch.Tensor:
    """An identity network to which a level of brightness is a hundredth of a radian."""
    angle = pictures[:, :, 1:].mean((1, 2, 3)) * 127.5 / 100.0
    return torch.stack([angle.cos(), angle.sin()], 1)


def _width(points: np.ndarray) -> float:
    return float(MEASURES["cheek_width"].of(points))


def judged(stand: Stand, edits: EditStack = EDITS) -> Judged:
    return Judged(
        stand, edits, clip(), REST, np.arange(FRAMES), View(Similarity(0.5, 0.0, 7.0, -4.0), 16, 16)
    )


@pytest.fixture(scope="module")
def figures() -> dict[str, EditFigures]:
    stand = Stand()
    meter = IdentityMeter("brightness", by_brightness, True)
    settings = JudgeSettings(steps=5, moments=4, looks=1, directions=1)
    found = judge_edits(judged(stand), settings, faces=no_faces, meter=meter, tracker=stand)
    return {one.name: one for one in found}


def test_what_moves_is_told_with_its_way_and_its_amount(figures: dict[str, EditFigures]):
    light = figures["light"]
    assert light.strengths == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert light.about == "brightness"
    assert light.monotone
    values = light.attributes["brightness"]
    # Grey levels 90 to 110 are 38.2 to 46.3 in Lab.
    assert values[-1] - values[0] == pytest.approx(8.1, abs=0.3)
    assert light.drift == pytest.approx(
        [1 - np.cos(0.1), 1 - np.cos(0.05), 0, 1 - np.cos(0.05), 1 - np.cos(0.1)], abs=2e-4
    )
    assert light.worst_leak[1] < 0.01
    assert light.reached


def test_an_edit_that_turns_the_head_is_found_out(figures: dict[str, EditFigures]):
    turning = figures["turning"]
    name, leak = turning.worst_leak
    assert name == "yaw"
    reach = 2 * 12 * np.sin(np.pi / 2 * 0.9)  # 5th to 95th percentile of the clip's sine of 12 degrees
    assert leak == pytest.approx(6.0 / reach, abs=0.02)
    assert not turning.reached


def test_another_shape_is_no_expression(figures: dict[str, EditFigures]):
    wide = figures["wide"]
    assert wide.worst_leak[1] < 0.02
    shape = HEAD.identity_basis[0]
    before, after = (100 * np.log(_width(HEAD.template + k * shape)) for k in (0.0, 2.0))
    grown = wide.attributes["cheek_width"]
    assert grown[0] == 0.0
    assert grown[-1] == pytest.approx(after - before, abs=1.5)
    assert abs(after - before) > 2.0


def test_a_range_is_suggested_within_which_the_bounds_are_kept(figures: dict[str, EditFigures]):
    """Six degrees at strength 1 are 28 % of what the clip shows: a tenth is at 0.36."""
    low, high = figures["turning"].holds
    assert low == 0.0
    assert high == pytest.approx(0.1 * 2 * 12 * np.sin(np.pi / 2 * 0.9) / 6.0, abs=0.03)
    assert figures["light"].holds == (-1.0, 1.0)
    drifting = replace(figures["light"], drift=[1.0, 0.2, 0.0, 0.2, None])
    assert drifting.holds == pytest.approx((-0.625, 1.0))


def test_what_goes_up_and_down_again_is_not_one_way(figures: dict[str, EditFigures]):
    humped = figures["humped"]
    assert humped.about == "brightness"
    assert not humped.monotone
    assert not humped.reached


def test_without_an_identity_network_nothing_is_said_of_drift():
    stand = Stand()
    settings = JudgeSettings(steps=3, moments=2, looks=1, directions=1)
    found = judge_edits(judged(stand), settings, faces=no_faces, tracker=stand)
    assert all(drift is None for one in found for drift in one.drift)
    assert all(one.most_drift is None for one in found)


def test_too_much_drift_is_not_reached(figures: dict[str, EditFigures]):
    assert not replace(figures["light"], drift=[0.0, 0.5]).reached


def test_tables_and_json_hold_the_figures(figures: dict[str, EditFigures]):
    table = edits_table(list(figures.values()))
    assert table.count("\n") == 1 + len(EDITS)
    assert "Brightness" in table
    plain = edits_json(list(figures.values()))
    assert plain[0]["attributes"]["smile"] == [None] * 5
    assert [plain[k]["reached"] for k in (0, 1, 3)] == [True, False, False]


def test_zero_is_always_among_the_strengths():
    edit = EDITS.find("turning")
    assert strengths_of(edit, 5) == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert 0.0 in strengths_of(replace(edit, suggested=(-0.7, 1.0)), 4)


def test_no_edits_and_too_short_a_clip_are_said(capsys: pytest.CaptureFixture[str]):
    stand = Stand()
    with pytest.raises(Problem, match="no edits"):
        judge_edits(judged(stand, EditStack()), faces=no_faces, tracker=stand)
    with pytest.raises(Problem, match="30 are needed"):
        judge_edits(replace(judged(stand), seen=np.arange(10)), faces=no_faces, tracker=stand)
    assert main(["judge", "Nobody"]) == 2
    assert "no subject named" in capsys.readouterr().err
