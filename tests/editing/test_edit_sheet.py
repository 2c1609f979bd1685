"""Sheets of edits say what they show: turned heads are turned, strengths stand above their columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.edit_sheet import (
    COLUMNS,
    LEAST,
    MOST,
    STRENGTHS,
    TITLE,
    TURN,
    draw_sheet,
    place,
    strengths_shown,
    typical_poses,
)
from pipelines.sheet_file import HEADING, MARGIN, PAPER, columns_line, readable, text_line
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet
from studio.domain.edits import Edit, EditStack, Recolour
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Frame, RenderRequest
from tests.warping.average_person import CAMERA, STAGE

SIDE = 40
VIEW = View(Similarity(1.0, 0.0, 0.0, 0.0), SIDE, SIDE)


def _edit(name: str, **more: Any) -> Edit:
    return Edit(name, name.title(), "recolour", Recolour("hair", (5.0, 0.0, 0.0)), **more)


def _yaw(low: float, high: float) -> ControlSheet:
    turn = Control("yaw", "Turn", "angle", "Head", -75.0, 75.0, 0.0, "", (low, high))
    return ControlSheet((turn,))


@pytest.mark.parametrize(
    ("shown", "left", "right"),
    [((-3.0, 4.0), LEAST, LEAST), ((9.0, 40.0), LEAST, MOST), ((-20.0, 25.0), 20.0 * TURN, 25.0 * TURN)],
)
def test_turned_rows_are_turned_to_both_sides_whatever_the_clip_showed(shown, left, right):
    motion = HeadMotion.neutral(1, CAMERA)
    motion = replace(motion, angles=np.array([[6.0, 2.0, 1.0]], np.float32))
    lineage = {"rest_camera": [float(value) for value in CAMERA]}
    avatar = Avatar("Ann", "instant", "0", Path(), STAGE, lineage)
    sequence: Any = SimpleNamespace(motion=motion)
    filmed, one, other = typical_poses(sequence, 0, avatar, _yaw(*shown))
    assert set(filmed.values) == set(HEAD_NAMES)
    assert filmed.values["yaw"] == pytest.approx(6.0)
    assert (one.values["yaw"], other.values["yaw"]) == (pytest.approx(-left), pytest.approx(right))
    assert one.name == f"turned {left:.0f}° to the left"
    assert other.name == f"turned {right:.0f}° to the right"
    assert one.values["pitch"] == filmed.values["pitch"]


@dataclass
class _Grey:
    """An engine whose pictures are as bright as its only edit is strong."""

    sheet: ControlSheet

    def render(self, request: RenderRequest) -> Frame:
        level = 128 + 50 * sum(float(v) for v in request.state.values[1:])
        image = np.full((SIDE, SIDE, 3), round(level), np.uint8)
        image.flags.writeable = False
        return Frame(image, None, request, 0.0)


def test_each_column_is_the_strength_that_stands_above_it():
    edits = EditStack((_edit("one", strength=0.5, suggested=(-0.5, 0.5)), _edit("two", on=False)))
    engine: Any = _Grey(edits.sheet(_yaw(-20.0, 20.0)))
    poses = [SimpleNamespace(name="so", values={}), SimpleNamespace(name="other", values={"yaw": 20.0})]
    sheet = draw_sheet(engine, edits, poses, VIEW)  # type: ignore[arg-type]
    assert sheet.shape == (3 * (TITLE + STRENGTHS + 2 * SIDE), COLUMNS * SIDE, 3)
    for strip, strengths in enumerate(
        ([-0.5, -0.25, 0.0, 0.25, 0.5], [0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.125, 0.25, 0.375, 0.5])
    ):
        for pose in range(2):
            for column, strength in enumerate(strengths):
                top, left = place(strip, pose, column, 2, VIEW)
                assert sheet[top, left + SIDE - 1, 0] == round(128 + 50 * strength)
        top, _ = place(strip, 0, 0, 2, VIEW)
        for column in range(COLUMNS):
            words = (sheet[top - STRENGTHS : top, column * SIDE : (column + 1) * SIDE, 0] > PAPER).any(0)
            at = np.flatnonzero(words)
            assert len(at) >= 3, "a strength over every column"
            assert abs((at[0] + at[-1]) / 2 - SIDE / 2) < 3, "in its middle"
    assert strengths_shown(edits.find("one")) == [-0.5, -0.25, 0.0, 0.25, 0.5]


def test_letters_fit_their_line_however_long_the_text():
    short, long = text_line("Chubby", 300), text_line("Chubby " * 10, 300)
    assert short.shape == long.shape == (HEADING, 300, 3)
    for line in (short, long):
        assert (line > 150).any()
        assert (line[:, :MARGIN] == PAPER).all()
        assert (line[:, -MARGIN + 1 :] == PAPER).all()
    assert text_line("Chubby", 300, 44).shape == (44, 300, 3)
    assert columns_line(["a", "b", "c"], 50).shape == (HEADING, 150, 3)


def test_a_title_that_no_letters_are_there_for_is_told():
    assert readable("Großes Lächeln − 20° «é» Жена")
    assert not readable("大きな目")
