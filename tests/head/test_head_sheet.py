"""The control sheet of a head: what a clip showed of each control, and what one picture carries."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipelines.control_file import tell_unseen
from pipelines.retarget_motion import RetargetSettings, retarget_motion
from studio.domain.controls import ControlSheet
from studio.domain.motion import HeadMotion
from studio.head.sheet import carried_by_one_picture, head_sheet

CAMERA = np.array([900.0, 200.0, 260.0], np.float32)


def picture() -> HeadMotion:
    """A head that is turned a little."""
    motion = HeadMotion.neutral(1, CAMERA)
    motion.angles[0] = (10.0, -4.0, 2.0)
    motion.expression[0, 0] = 3.0
    return motion


def reliable(sheet: ControlSheet, name: str) -> tuple[float, float] | None:
    return next(control.reliable for control in sheet.controls if control.name == name)


def test_one_picture_carries_turns_around_its_own_pose():
    sheet = head_sheet(picture(), CAMERA)
    assert carried_by_one_picture(sheet)
    assert reliable(sheet, "yaw") == pytest.approx((-15.0, 35.0))
    assert reliable(sheet, "pitch") == pytest.approx((-19.0, 11.0))
    assert reliable(sheet, "roll") == pytest.approx((-23.0, 27.0))
    assert reliable(sheet, "move_x") == pytest.approx((-0.08, 0.08))
    assert reliable(sheet, "zoom") == pytest.approx((0.8, 1.2))
    # What one face does says nothing about how far it can go.
    assert reliable(sheet, "expression_00") is None
    assert reliable(sheet, "jaw_open") is None


def test_a_clip_has_the_ranges_that_it_showed():
    motion = HeadMotion.neutral(101, CAMERA)
    motion.angles[:, 0] = np.linspace(-50, 50, 101)
    sheet = head_sheet(motion, CAMERA)
    assert not carried_by_one_picture(sheet)
    assert reliable(sheet, "yaw") == pytest.approx((-49.0, 49.0))
    assert reliable(sheet, "expression_00") == (0.0, 0.0)


def test_a_driver_eases_where_the_sheet_says_that_it_ends():
    driver = HeadMotion.neutral(121, CAMERA)
    driver.angles[:, 0] = np.linspace(-60, 60, 121)
    track = retarget_motion(driver, Fraction(30), picture(), CAMERA, RetargetSettings(beyond=0.0))
    assert (track.values[:, 0].min(), track.values[:, 0].max()) == pytest.approx(
        reliable(head_sheet(picture(), CAMERA), "yaw"), abs=0.01
    )


@pytest.mark.parametrize(("yaw", "told"), [(34.0, False), (40.0, True), (-20.0, True), (0.0, False)])
def test_beyond_what_one_picture_carries_is_told_once(yaw, told):
    sheet = head_sheet(picture(), CAMERA)
    held = np.repeat(sheet.neutral().values[None], 5, 0)
    held[2:, 0] = yaw
    said: list[str] = []
    tell_unseen({"yaw"}, sheet, held, said.append)
    assert len(said) == int(told)
    if told:
        assert said[0].startswith("Beyond what one picture carries well")
        assert f"yaw {yaw:g} degrees (good -15 to 35)" in said[0]
