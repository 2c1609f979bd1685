"""The parts of the edits panel by themselves: changes and their opposites, the meter, forms, faces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from annotated_types import Ge, Le
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox

from studio.domain.avatar import Avatar
from studio.domain.controls import Control, ControlSheet, ControlState
from studio.domain.edits import Edit, EditStack, Recolour
from studio.editing.shapes import ShapeWish
from tests.ui.edited_engine import CAMERA, SIZE, STAGE, ColourWish, painted, wider
from ui.bridge.edit_faces import REACH, face_view, with_values
from ui.bridge.live import rested, same_work
from ui.controls_model import ControlsModel
from ui.edit_changes import TwoWays, added, moved, removed, replaced, strengthened, switched, titled
from ui.pages.perform_edits_data import given_up, offer_of, used
from ui.widgets.control_list import ControlList
from ui.widgets.edit_drift import DriftMeter, drift_of
from ui.widgets.edit_wish import WishForm

LEFT = painted("left", "Lit from the left", (9, 9, 9))
STACK = EditStack((wider(), painted("red", "Red", (255, 0, 0)), LEFT))
YAW = Control("yaw", "Turn", "angle", "Head", -75.0, 75.0, 0.0)
SMILE = Control("smile_corner_left", "Smile", "amount", "Mouth", 0.0, 1.0, 0.0)


def test_every_change_can_be_taken_back_and_leaves_strangers_alone() -> None:
    stranger = painted("of_a_job", "Found meanwhile", (1, 2, 3))
    changes: dict[str, TwoWays] = {
        "add": added(painted("new", "New", (0, 0, 0))),
        "remove": removed(STACK, "wider"),
        "move": moved(STACK, "left", 0),
        "strength": strengthened(STACK, "red", 0.9),
        "off": switched(STACK, "red", False),
        "title": titled(STACK, "red", "Crimson"),
        "replace": replaced(STACK, "red", painted("blue", "Blue", (0, 0, 255))),
    }
    for what, change in changes.items():
        there = change.there(STACK)
        assert there != STACK, what
        assert change.back(there) == STACK, what
        # On the disk a job has added one, or a command has removed them all.
        more = change.there(STACK.put(stranger))
        assert stranger in more.edits, what
        assert change.back(more) == STACK.put(stranger) or what == "remove", what
        assert set(change.back(more).edits) == {*STACK.edits, stranger}, what
        alone = {"add": there.edits[-1:], "replace": there.edits[1:2]}
        assert change.there(EditStack()).edits == alone.get(what, ()), what


def test_a_strength_that_is_moved_shows_an_edit_that_was_off_and_undo_hides_it_again() -> None:
    off = STACK.changed("red", on=False)
    change = strengthened(off, "red", 0.7, before=0.0)
    assert change.there(off).find("red").control.default == 0.7
    assert change.back(change.there(off)) == off
    # A saved pose had shown another strength than the one at rest: that is what comes back.
    seen = strengthened(STACK, "red", 0.7, before=0.2)
    assert seen.back(seen.there(STACK)).find("red").strength == 0.2
    nothing = STACK.changed("red", strength=0.0, on=False)
    assert switched(nothing, "red", True).there(nothing).find("red").strength == 1.0


def test_a_worker_goes_on_where_only_names_and_strengths_change() -> None:
    avatar = Avatar("Flat", "flatface", "key", Path("/nowhere"), STAGE, {"a": 1}, STACK)

    def other(stack: EditStack) -> Avatar:
        return Avatar("Flat", "flatface", "key", Path("/nowhere"), STAGE, {"a": 1}, stack)

    weak = STACK.changed("red", strength=0.1, title="Faint").changed("left", on=False)
    assert same_work(avatar, other(weak))
    assert not same_work(avatar, other(STACK.moved("red", 0)))
    assert not same_work(avatar, other(STACK.without("red")))
    assert not same_work(avatar, other(STACK.put(painted("red", "Red", (254, 0, 0)))))
    sheet = rested(STACK.sheet(ControlSheet((YAW,))), weak)
    assert [c.default for c in sheet.controls] == [0.0, 1.0, pytest.approx(0.1), 0.0]
    assert [c.label for c in sheet.controls][2] == "Faint"


def test_no_strength_is_exactly_none_whatever_the_edit_rests_at(qapp) -> None:
    model = ControlsModel()
    stack = STACK.changed("red", strength=0.7).changed("wider", strength=1.0 / 3.0)
    model.take_sheet(stack.sheet(ControlSheet((YAW,))), ())
    assert model.state()["edit_red"] == pytest.approx(0.7)
    bare = model.state(model.unedited)
    assert [bare[edit.control_name] for edit in stack.edits] == [0.0, 0.0, 0.0]
    driven = ControlState(bare.names, np.array([12.0, 0.4, 0.4, 0.4], np.float32))
    model.put({"yaw": 5.0}, "Turn")
    under = model.state(model.unedited, driven)
    assert under["yaw"] == pytest.approx(17.0)
    assert [under[edit.control_name] for edit in stack.edits] == [0.0, 0.0, 0.0]


def test_a_hand_moves_what_an_edit_rests_at_and_a_pose_only_shows_it(qapp) -> None:
    model = ControlsModel()
    model.take_sheet(STACK.sheet(ControlSheet((YAW,))), ())
    kept: list[tuple[str, float, float]] = []
    model.keeper = lambda *told: kept.append(told)
    model.begin("Red", "edit_red")
    model.set("edit_red", 0.8)
    model.set("edit_red", 0.9)
    model.end()
    assert kept == [("edit_red", 0.5, 0.9)]
    assert model.undo.count() == 0  # whoever keeps strengths keeps their history
    # The keeper makes it the rest: the same is seen, and the pose says nothing of it.
    said: list[tuple[str, float]] = []
    model.value_changed.connect(lambda name, value: said.append((name, value)))
    model.take_sheet(STACK.changed("red", strength=0.9).sheet(ControlSheet((YAW,))), ())
    assert model.value("edit_red") == 0.9
    assert model.pose == {}
    assert said == []
    model.take_sheet(STACK.changed("red", strength=0.2).sheet(ControlSheet((YAW,))), ())
    assert said == [("edit_red", 0.2)]
    assert model.seen == {"edit_wider": 1.0, "edit_red": 0.2, "edit_left": 0.5}
    model.replace({**model.seen, "yaw": 4.0, "edit_red": 0.6}, "Pose")
    assert len(kept) == 1
    assert model.pose == {"yaw": 4.0, "edit_red": 0.6}
    model.reset_all()
    assert model.value("edit_red") == 0.2
    model.reset("edit_red")
    assert kept[-1] == ("edit_red", 0.2, 0.0)


def test_edits_are_a_section_whose_sliders_stay_when_rests_move(qtbot) -> None:
    model = ControlsModel()
    made = ControlList(model)
    qtbot.addWidget(made)
    model.take_sheet(STACK.sheet(ControlSheet((YAW, SMILE))), ())
    section = next(section for section in made.sections if section.group == "Edits")
    assert [control.name for control in section.controls] == ["edit_wider", "edit_red", "edit_left"]
    slider = made.row("edit_left")  # an edit is never behind “More”, whatever its name ends in
    assert not slider.isHidden()
    assert "Suggested: 0 % to 100 %" in slider.toolTip()
    model.take_sheet(STACK.changed("left", strength=0.9).sheet(ControlSheet((YAW, SMILE))), ())
    assert made.row("edit_left") is slider
    assert slider.accessibleDescription() == "90 %"
    model.take_sheet(STACK.without("red").sheet(ControlSheet((YAW, SMILE))), ())
    section = next(section for section in made.sections if section.group == "Edits")
    assert [control.name for control in section.controls] == ["edit_wider", "edit_left"]


def test_the_meter_says_what_was_measured_at_the_present_strength(qtbot) -> None:
    found = {"identity": {"network": "arcface", "bound": 0.4, "tried": [[-1.0, None], [0, 0.0], [1, 0.5]]}}
    meter = DriftMeter()
    qtbot.addWidget(meter)
    meter.show_found({"identity": None})
    assert meter.isHidden()
    meter.show_found(found)
    meter.show_strength(0.5)
    assert meter.distance == pytest.approx(0.25)
    assert meter.words == "same person"
    assert "0.25" in meter.toolTip()
    meter.show_strength(0.9)
    assert meter.words == "may be somebody else"
    meter.show_strength(-0.5)  # no face was found there
    assert meter.distance is None
    for broken in ({}, {"identity": {"tried": 3}}, {"identity": {"bound": 0.4, "network": "n", "tried": []}}):
        assert drift_of(broken) is None


@dataclass(frozen=True)
class Wish:
    """Something of every kind."""

    text: str
    """What should be different."""
    rows: Literal["all", "coarse"] = "all"
    """Rows that move."""
    far: Annotated[float, Ge(-10), Le(10)] = 0.008
    """How far."""
    steps: Annotated[int, Ge(1)] = 300
    """How many."""
    trying: bool = True
    """Whether."""
    auto_far: bool = True
    """Found by trying."""
    likes: tuple[int, ...] = ()
    """Numbers."""
    attribute: str = ""
    """One that is known."""
    title: str = ""
    """Left out."""


def test_a_form_has_every_field_with_its_docstring_and_gives_a_wish(qtbot) -> None:
    form = WishForm(Wish, ("text", "far"), {"attribute": [("smile", "Smile"), ("yaw", "Turned")]})
    qtbot.addWidget(form)
    kinds = {name: type(part) for name, part in form.parts.items()}
    assert kinds == {
        "text": QLineEdit,
        "far": QDoubleSpinBox,
        "rows": QComboBox,
        "steps": QSpinBox,
        "trying": QCheckBox,
        "auto_far": QCheckBox,
        "likes": QLineEdit,
        "attribute": QComboBox,
    }
    assert form.parts["rows"].toolTip() == "Rows that move."
    assert form.parts["far"].accessibleDescription() == "How far."
    form.show()
    assert not form.parts["rows"].isVisible()
    form.more.click()
    assert form.parts["rows"].isVisible()
    form.put_text("text", "  with round eyeglasses ")
    far, likes = form.parts["far"], form.parts["likes"]
    assert isinstance(far, QDoubleSpinBox)
    assert isinstance(likes, QLineEdit)
    assert not far.isEnabled()
    by_trying = form.parts["auto_far"]
    assert isinstance(by_trying, QCheckBox)
    by_trying.click()
    assert far.isEnabled()
    assert (far.minimum(), far.maximum(), far.value()) == (-10.0, 10.0, 0.008)
    likes.setText("3, 4,12")
    wish = Wish("with round eyeglasses", auto_far=False, likes=(3, 4, 12), attribute="smile")
    assert form.wish() == wish
    likes.setText("3, four")
    with pytest.raises(ValueError, match="four"):
        form.wish()


def test_a_face_is_seen_whole_where_the_head_is() -> None:
    avatar = Avatar("Flat", "flatface", "key", Path("/nowhere"), STAGE, {"rest_camera": CAMERA.tolist()})
    rest = ControlState(("move_x", "zoom"), np.array([0.0, 0.5], np.float32))
    view = face_view(avatar, rest, 60)
    assert (view.width, view.height) == (60, 60)
    middle = view.placement.apply(np.array([CAMERA[1:]], np.float32))[0]
    assert middle == pytest.approx([30.0, 30.0], abs=1e-3)
    edge = view.placement.apply(np.array([[CAMERA[1] + 0.5 * REACH * CAMERA[0], CAMERA[2]]], np.float32))
    assert edge[0, 0] == pytest.approx(60.0, abs=1e-3)
    # Near the border it stays within the stage, so that nothing is guessed.
    aside = face_view(avatar, with_values(rest, {"move_x": 0.2}), 60)
    assert aside.placement.apply(np.array([[SIZE, SIZE]], np.float32))[0, 0] == pytest.approx(60.0, abs=1e-3)


def test_an_offer_shows_within_what_is_suggested_and_another_colour_takes_the_place_of_one() -> None:
    strong = wider()
    offer = offer_of("shape", ShapeWish("slim"), replace(strong, suggested=(-0.3, 0.4)))
    assert offer.edit.strength == 0.4
    assert used(STACK, offer) is None
    assert used(STACK.put(offer.edit), offer) == "wider"
    assert given_up(STACK, offer) is None
    red = offer_of("colour", ColourWish("red"), painted("red", "Red skin", (220, 40, 40)))
    stack = EditStack((wider(), red.edit))
    blue = offer_of("colour", ColourWish("blue"), painted("blue", "Blue skin", (50, 80, 220)))
    hair = offer_of("colour", ColourWish("blue"), Edit("h", "Hair", "", Recolour("hair", (0.0, 0.0, 9.0))))
    assert given_up(stack, blue) == red.edit
    assert given_up(stack, hair) is None
    other = offer_of("by-hand", ColourWish("blue"), blue.edit)
    assert given_up(stack, other) is None  # what was found otherwise is not in the way


def test_keys_reach_every_tile(qtbot) -> None:
    from ui.widgets.edit_tiles import EditTiles, Offer

    tiles = EditTiles()
    qtbot.addWidget(tiles)
    tiles.show_offers([Offer(f"o{n}", "Hint.", painted(f"o{n}", f"Offer {n}", (n, n, n))) for n in range(5)])
    tiles.show()
    tiles.activateWindow()
    first, last = tiles.tiles["o0"], tiles.tiles["o4"]
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    qtbot.keyClick(first, Qt.Key.Key_Down)
    qtbot.keyClick(tiles.tiles["o3"], Qt.Key.Key_Right)
    assert last.hasFocus()
    with qtbot.waitSignal(tiles.taken) as taken:
        qtbot.keyClick(last, Qt.Key.Key_Space)
    assert taken.args == ["o4"]
    tiles.show_used({"o4"})
    assert "Added already" in last.toolTip()
