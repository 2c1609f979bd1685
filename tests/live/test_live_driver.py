"""A driver's movement: from rest, onto an avatar's controls, and tracked in a process of its own."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.control_list import plain_sheet
from pipelines.make_sample import SampleSettings, make_sample
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, track_from_motion
from studio.domain.motion import HeadMotion
from studio.live import Drive, LiveDriver, Seen, driven_state
from studio.live.driven import ROOM, moved_from, rest_of

CAMERA = np.array([1500.0, 300.0, 320.0], np.float32)


def resting(frames: int = 9) -> HeadMotion:
    """Somebody who leans a little, smiles a little and holds their lids a fifth closed."""
    motion = HeadMotion.neutral(frames, CAMERA)
    motion.angles[:] = 5.0, -3.0, 2.0
    motion.expression[:, 3] = 0.7
    motion.eyelids[:] = 0.2
    motion.eyelids[0] = 1.0  # one blink is not rest
    return motion


def test_rest_moves_nothing_and_movement_is_counted_from_it() -> None:
    rest = rest_of(resting())
    still = resting(1)
    still.eyelids[:] = 0.2
    assert np.allclose(moved_from(rest, still), 0.0, atol=1e-5)
    still.angles[0] += np.array([10.0, -4.0, 1.0], np.float32)
    still.expression[0, 3] += 0.5
    still.eyelids[0] = 1.0, 0.6
    still.camera[0] = CAMERA * np.array([1.2, 1.0, 1.0], np.float32) + np.array([0.0, 150.0, 0.0], np.float32)
    moved = dict(zip(HEAD_NAMES, moved_from(rest, still)))
    assert moved["yaw"] == pytest.approx(10.0, abs=1e-4)
    assert moved["pitch"] == pytest.approx(-4.0, abs=1e-4)
    assert moved["expression_03"] == pytest.approx(0.5, abs=1e-5)
    assert moved["eyelid_left"] == pytest.approx(1.0)  # shut is shut
    assert moved["eyelid_right"] == pytest.approx(0.5)
    assert moved["zoom"] == pytest.approx(0.2, abs=1e-5)
    assert moved["move_x"] == pytest.approx(0.1, abs=1e-5)  # 150 pixels at 1500 a metre


def test_an_avatar_follows_inside_its_range_and_eases_beyond() -> None:
    sheet = ControlSheet(
        (
            Control("yaw", "Turn", "angle", "Head", -75, 75, 0.0, reliable=(-20.0, 20.0)),
            Control("zoom", "Distance", "amount", "Head", 0.5, 2.0, 1.0),
            Control("horns", "Horns", "amount", "Head", 0.0, 1.0, 0.25),
        )
    )
    offsets = np.zeros(len(HEAD_NAMES), np.float32)
    assert driven_state(sheet, offsets) == sheet.neutral()
    offsets[HEAD_NAMES.index("yaw")] = 15.0
    offsets[HEAD_NAMES.index("zoom")] = 0.3
    state = driven_state(sheet, offsets)
    assert (state["yaw"], state["horns"]) == (15.0, 0.25)
    assert state["zoom"] == pytest.approx(1.3)
    asked = np.linspace(0.0, 74.0, 60)
    got = []
    for yaw in asked:
        offsets[HEAD_NAMES.index("yaw")] = yaw
        got.append(driven_state(sheet, offsets)["yaw"])
    assert np.allclose(np.array(got)[asked <= 20.0], asked[asked <= 20.0], atol=1e-4)
    assert (np.diff(got) >= 0).all()
    assert 29.0 < got[-1] <= 20.0 + ROOM["angle"]
    assert np.diff(got).max() < 1.3  # no jump where easing begins


class Watching:
    """A driver and everything it said that was not overtaken."""

    def __init__(self, order: Drive) -> None:
        self.changed = threading.Condition()
        self.driver = LiveDriver(order, self._tell)

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def wait(self, for_) -> None:
        end = time.monotonic() + 300.0
        with self.changed:
            while not for_():
                assert time.monotonic() < end, "waited in vain"
                self.changed.wait(0.5)


def test_a_clip_drives_in_the_turns_that_it_shows(tmp_path: Path) -> None:
    clip = tmp_path / "driver.mp4"
    make_sample(clip, SampleSettings(size=192, seconds=1.6))
    before = set(threading.enumerate())
    watching = Watching(Drive(clip=clip))
    turns: list[float] = []

    def enough() -> bool:
        seen: Seen | None = watching.driver.newest()
        if seen is not None and seen.offsets is not None:
            turns.append(float(seen.offsets[HEAD_NAMES.index("yaw")]))
        return bool(watching.driver.problem) or (bool(turns) and np.ptp(turns) > 1.0)

    try:
        watching.wait(enough)
        assert watching.driver.problem == ""
        seen = watching.driver.newest()
        assert seen is not None
        assert seen.face
        assert seen.picture.shape == (176, 176, 3)
        watching.driver.calibrate()
        state = driven_state(
            plain_sheet(), seen.offsets if seen.offsets is not None else np.zeros(63, np.float32)
        )
        assert len(state.values) == len(HEAD_NAMES)
    finally:
        watching.driver.close()
    assert set(threading.enumerate()) <= before


def test_no_camera_is_one_sentence() -> None:
    watching = Watching(Drive(camera=93))
    try:
        watching.wait(lambda: bool(watching.driver.problem))
        assert "camera" in watching.driver.problem
        assert watching.driver.problem.endswith(".")
        assert watching.driver.newest() is None
    finally:
        watching.driver.close()


def test_a_clip_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    watching = Watching(Drive(clip=tmp_path / "nothing.mp4"))
    try:
        watching.wait(lambda: bool(watching.driver.problem))
        assert "nothing.mp4" in watching.driver.problem
    finally:
        watching.driver.close()


def test_offsets_are_the_controls_of_a_track(tmp_path: Path) -> None:
    """The columns are those that everything else uses."""
    motion = resting(1)
    rest = rest_of(motion)
    values = track_from_motion(motion, rest.camera, Fraction(1)).values[0]
    assert np.allclose(rest.controls, values)
    assert rest.controls.shape == (len(HEAD_NAMES),)
