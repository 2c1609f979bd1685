"""The Edits panel under real hands, on an avatar in closed form: all is seen, kept and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt

from pipelines.edit_avatar import put_edit, switch_edit
from pipelines.export_job import export_job
from pipelines.export_settings import ExportSettings
from pipelines.run import run_job
from studio.domain.avatar import Avatar
from studio.domain.controls import ControlTrack
from studio.domain.edits import EditStack
from studio.editing.catalog import METHODS
from studio.editing.shapes import ShapeWish
from studio.project.edit_files import load_edits, save_edits
from studio.project.store import Store
from tests.ui.edited_engine import COLOURS, FlatFace, offered, painted, wider, write_face
from ui.bridge.live import stage_at
from ui.edit_changes import strengthened
from ui.main_window import MainWindow
from ui.pages.export import ExportPage
from ui.pages.perform import PerformPage
from ui.pages.perform_edits_data import Group
from ui.pages.timeline import TimelinePage
from ui.session import Failure, Session
from ui.widgets.edit_tiles import EditTile

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def avatar(store: Store, session: Session, monkeypatch: pytest.MonkeyPatch) -> Avatar:
    """Somebody with a flat face, who is open."""
    offered(monkeypatch)
    monkeypatch.setitem(METHODS, COLOURS.id, COLOURS)
    monkeypatch.delitem(METHODS, "recolour")  # measures what this face does not have
    subject = store.add("Flat")
    made = write_face(subject.avatar("flatface", "one"))
    session.open_subject(subject)
    return made


@pytest.fixture
def page(avatar: Avatar, session: Session, qtbot) -> Iterator[PerformPage]:
    yield from shown(session, qtbot)


def shown(session: Session, qtbot) -> Iterator[PerformPage]:
    """The page with its Edits in front and the picture there."""
    made = PerformPage(session)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.tabs.setCurrentWidget(made.edits)
    made.show()
    made.enter()
    qtbot.waitUntil(lambda: made.viewport.frame is not None)
    qtbot.waitUntil(lambda: bool(made.edits.add.tiles["colour"].tiles))
    yield made
    made.close_page()


def settled(page: PerformPage) -> bool:
    """Whether the picture is the best one of the present pose, with the present edits."""
    live, frame = page.posing.live, page.viewport.frame
    return (
        live.coming is None
        and live.avatar == page.session.avatar
        and frame is not None
        and frame.request == live._last
        and frame.request.state == page.posing.state()
        and frame.request.quality == "full"
    )


def picture(page: PerformPage, qtbot) -> np.ndarray:
    """What is seen when all is still."""
    qtbot.waitUntil(lambda: settled(page))
    frame = page.viewport.frame
    assert frame is not None
    return np.array(frame.image)


def tile(page: PerformPage, group: Group, title: str) -> EditTile:
    """The tile that says this."""
    tiles = page.edits.add.tiles[group].tiles.values()
    return next(tile for tile in tiles if tile.text() == title)


def names(page: PerformPage) -> list[str]:
    return [edit.name for edit in page.edits.stack.edits]


def kept(page: PerformPage, avatar: Avatar, qtbot) -> EditStack:
    """What is on the disk when all is written."""
    qtbot.waitUntil(lambda: not page.session.edits.busy)
    return load_edits(avatar.folder)


def drag(slider, qtbot, value: float) -> None:
    """Take a slider's handle to a value."""
    start, end = slider.handle_at(slider._value).toPoint(), slider.handle_at(value).toPoint()
    qtbot.mousePress(slider, LEFT, pos=start)
    qtbot.mouseMove(slider, (start + end) / 2)
    qtbot.mouseMove(slider, end)
    qtbot.mouseRelease(slider, LEFT, pos=end)


def test_an_edit_from_the_grid_is_seen_has_a_slider_is_kept_and_taken_back(
    page, avatar, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr("ui.edit_changes.TOGETHER", 0.0)  # every movement is an entry of its own
    plain = picture(page, qtbot)
    assert page.edits._hint.isVisible()
    page.edits.add.ways["colour"].click()
    qtbot.waitUntil(lambda: not tile(page, "colour", "Green skin").picture.isNull())
    qtbot.mouseClick(tile(page, "colour", "Green skin"), LEFT)
    assert names(page) == ["green_skin"]
    row = page.edits.list.rows["green_skin"]
    assert row.slider is None  # the picture that is there plays on until the avatar has it
    assert np.array_equal(page.viewport.frame.image, plain)
    qtbot.waitUntil(lambda: row.slider is not None)
    green = picture(page, qtbot)
    assert not np.array_equal(green, plain)
    assert not page.edits._hint.isVisible()
    assert page.tabs.tabText(1) == "Edits (1)"
    assert kept(page, avatar, qtbot).edits[0].title == "Green skin"

    # The worker goes on: a strength is as quick as any slider.
    worker = page.posing.live.worker.pid
    drag(row.slider, qtbot, 1.0)
    strong = picture(page, qtbot)
    assert not np.array_equal(strong, green)
    drag(row.slider, qtbot, 0.0)
    assert np.array_equal(picture(page, qtbot), plain)
    assert kept(page, avatar, qtbot).edits[0].strength == 0.0
    page.undo.click()
    assert page.model.value("edit_green_skin") == pytest.approx(1.0, abs=0.03)
    assert np.array_equal(picture(page, qtbot), strong)
    assert page.posing.live.worker.pid == worker

    # Another colour of the same takes its place, and gives it back.
    qtbot.mouseClick(tile(page, "colour", "Blue skin"), LEFT)
    assert names(page) == ["blue_skin"]
    page.undo.click()
    assert names(page) == ["green_skin"]
    assert page.edits.stack.edits[0].strength == pytest.approx(1.0, abs=0.03)

    # A second click goes to it instead of adding it twice.
    qtbot.mouseClick(tile(page, "colour", "Green skin"), LEFT)
    assert names(page) == ["green_skin"]
    for _ in range(2):  # the strength, and that it is there
        page.undo.click()
    assert names(page) == []
    assert np.array_equal(picture(page, qtbot), plain)
    assert kept(page, avatar, qtbot) == EditStack()
    page.redo.click()
    assert np.array_equal(picture(page, qtbot), green)
    assert kept(page, avatar, qtbot).edits[0].strength == 0.5


def test_while_before_is_held_the_person_is_seen_as_filmed(page, avatar, qtbot) -> None:
    plain = picture(page, qtbot)
    page.edits.put(painted("red", "Red", (250, 10, 10), 0.3))
    page.edits.put(wider("wide", "Wide", 0.7))
    edited = picture(page, qtbot)
    qtbot.mousePress(page.edits.before, LEFT)
    assert np.array_equal(picture(page, qtbot), plain)
    qtbot.mouseRelease(page.edits.before, LEFT)
    assert np.array_equal(picture(page, qtbot), edited)
    page.viewport.setFocus()
    qtbot.keyPress(page.viewport, Qt.Key.Key_B)
    assert page.edits.before.isDown()
    assert np.array_equal(picture(page, qtbot), plain)
    qtbot.keyRelease(page.viewport, Qt.Key.Key_B)
    assert np.array_equal(picture(page, qtbot), edited)
    assert kept(page, avatar, qtbot).strengths(page.model.state()).tolist() == pytest.approx([0.3, 1.0])

    # Without its pose, a person still has their edits; a saved pose comes back with what was seen.
    page.model.put({"yaw": 20.0}, "Turn")
    page.poses.keep("Red", page.model.seen)
    drag(page.edits.list.rows["red"].slider, qtbot, 1.0)
    page.reset.click()
    assert page.model.value("edit_red") == pytest.approx(1.0, abs=0.03)
    page.poses.take("Red")
    assert page.model.value("edit_red") == pytest.approx(0.3)
    assert page.edits.stack.find("red").strength == pytest.approx(1.0, abs=0.03)
    page.others.setCurrentIndex(page.others.findText("Neutral"))
    qtbot.mousePress(page.compare, LEFT)
    qtbot.waitUntil(lambda: settled(page))
    assert page.viewport.frame.request.state["edit_red"] == pytest.approx(1.0, abs=0.03)
    qtbot.mouseRelease(page.compare, LEFT)


def test_rows_are_moved_hidden_renamed_and_removed_and_all_of_it_comes_back(page, avatar, qtbot) -> None:
    for edit in (
        painted("red", "Red", (250, 10, 10), 0.6),
        painted("blue", "Blue", (10, 10, 250), 0.6),
        wider("wide", "Wide"),
    ):
        page.edits.put(edit)
    before = picture(page, qtbot)
    rows = page.edits.list.rows
    grip, target = rows["red"].grip, rows["blue"]
    below = grip.mapFromGlobal(target.mapToGlobal(QPoint(0, target.height() - 4)))
    qtbot.mousePress(grip, LEFT, pos=QPoint(5, 10))
    qtbot.mouseMove(grip, QPoint(5, below.y()))
    qtbot.mouseRelease(grip, LEFT, pos=QPoint(5, below.y()))
    assert names(page) == page.edits.list.names == ["blue", "red", "wide"]
    assert not np.array_equal(picture(page, qtbot), before)
    assert [edit.name for edit in kept(page, avatar, qtbot).edits] == ["blue", "red", "wide"]
    page.activateWindow()
    rows["wide"].slider.setFocus()
    qtbot.waitUntil(rows["wide"].slider.hasFocus)
    qtbot.keyClick(rows["wide"].slider, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert names(page) == ["blue", "wide", "red"]
    for _ in range(2):
        page.undo.click()
    assert names(page) == ["red", "blue", "wide"]
    assert np.array_equal(picture(page, qtbot), before)

    worker = page.posing.live.worker.pid
    rows["blue"].show_button.click()
    assert not page.edits.stack.find("blue").on
    assert page.model.value("edit_blue") == 0.0
    hidden = picture(page, qtbot)
    rows["blue"].show_button.click()
    assert np.array_equal(picture(page, qtbot), before)
    title = rows["red"].title
    qtbot.mouseClick(title.words, LEFT)
    title.field.selectAll()
    qtbot.keyClicks(title.field, "  As red   as a beet ")
    qtbot.keyClick(title.field, Qt.Key.Key_Return)
    assert page.edits.stack.find("red").title == "As red as a beet"
    assert page.model.control("edit_red").label == "As red as a beet"
    qtbot.mouseClick(title.words, LEFT)
    qtbot.keyClicks(title.field, "something else")
    qtbot.keyClick(title.field, Qt.Key.Key_Escape)
    assert page.edits.stack.find("red").title == "As red as a beet"
    assert page.posing.live.worker.pid == worker  # none of this needs another worker

    qtbot.waitUntil(lambda: not rows["blue"].face.picture.isNull())
    page.edits.list.asked.emit("blue", "remove")
    assert names(page) == ["red", "wide"]
    assert np.array_equal(picture(page, qtbot), hidden)
    page.undo.click()
    assert names(page) == ["red", "blue", "wide"]
    assert np.array_equal(picture(page, qtbot), before)
    assert kept(page, avatar, qtbot) == page.edits.stack
    qtbot.waitUntil(lambda: not rows["blue"].face.picture.isNull())


def test_a_frame_is_exported_as_it_was_seen_whatever_becomes_of_the_edits(
    page, avatar, session, tmp_path: Path, qtbot
) -> None:
    page.edits.put(painted("red", "Red", (250, 10, 10), 0.35))
    page.edits.put(wider())
    page.model.put({"yaw": 25.0, "edit_wider": 0.4}, "Pose")
    qtbot.waitUntil(lambda: settled(page))
    state = page.posing.state()
    track = ControlTrack(state.names, np.repeat(state.values[None], 2, 0), Fraction(25))
    settings = ExportSettings(codec="png", size=192)
    job = export_job(session.subject, session.avatar, track, tmp_path / "out", settings)
    live = page.posing.live
    ticket = live.ask(type(page.viewport.frame.request)(state, stage_at(live.avatar, 192), "full"))
    qtbot.waitUntil(lambda: live.frame.ticket >= ticket)
    seen = np.array(live.frame.image)
    page.edits.list.asked.emit("red", "remove")  # after it was asked for
    assert kept(page, avatar, qtbot).edits[0].name == "wider"
    assert run_job(job) == 0
    written = np.asarray(Image.open(sorted((tmp_path / "out").glob("*.png"))[0]))
    assert np.array_equal(written, seen)


def test_timeline_and_export_know_edits_as_they_know_any_control(avatar, session, qtbot) -> None:
    stack = EditStack((painted("red", "Red", (250, 10, 10), 0.4), painted("other", "Red", (0, 90, 0), 0.2)))
    save_edits(avatar.folder, stack)
    session.edits.look()
    page = TimelinePage(session)
    qtbot.addWidget(page)
    page.resize(1200, 800)
    page.show()
    page.enter()
    qtbot.waitUntil(lambda: page.isEnabled() and page.viewport.frame is not None)
    qtbot.waitUntil(lambda: "edit_red" in page.model.sheet.names)
    page.model.go(10)
    page.list.choose("Red (edit_other)")  # two are called alike
    page.list.choose("Red")
    assert set(page.model.timeline.curves) == {"edit_red", "edit_other"}
    page.model.put(page.model.set_value("edit_red", 20, 1.0), "Key")
    page.model.go(20)
    drawn = FlatFace(replace(avatar, edits=stack))

    def shows() -> bool:
        frame = page.viewport.frame
        assert frame is not None
        return frame.request.state == page.picture.state() and frame.request.state["edit_red"] == 1.0

    qtbot.waitUntil(shows)
    frame = page.viewport.frame
    assert frame is not None
    assert frame.request.state["edit_other"] == pytest.approx(0.2)
    assert np.array_equal(frame.image, drawn.render(frame.request).image)
    qtbot.waitUntil(lambda: not page.saver.busy)
    page.close_page()

    # What is exported without a word about an edit has it as it rests, also after a change of strength.
    session.edits.change(strengthened(stack, "other", 0.7).there)
    export = ExportPage(session)
    qtbot.addWidget(export)
    export.show()
    export.enter()
    export.motion.still.setChecked(True)
    export.motion.pose = None
    qtbot.waitUntil(lambda: export.motion.motion is not None)
    shown = export.motion.motion
    assert shown is not None
    track = shown.track
    assert track.state(0)["edit_other"] == pytest.approx(0.7)
    assert track.state(0)["edit_red"] == pytest.approx(0.4)
    qtbot.waitUntil(lambda: export.preview.picture.pixels is not None)
    export.close_page()


def test_the_keyboard_goes_from_the_top_down(page, qtbot) -> None:
    for edit in (painted("red", "Red", (250, 10, 10)), painted("blue", "Blue", (10, 10, 250))):
        page.edits.put(edit)
    rows = page.edits.list.rows
    qtbot.waitUntil(lambda: all(row.slider is not None for row in rows.values()))
    add = page.edits.add
    # Of ways only the open one is a stop; arrows go to the others.
    stops = [add.ways["shape"], next(iter(add.tiles["shape"].tiles.values()))]
    wanted = [page.edits.before, *rows["red"].keys, *rows["blue"].keys, *stops]
    page.activateWindow()
    page.edits.before.setFocus()
    qtbot.waitUntil(page.edits.before.hasFocus)
    for part in wanted[1:]:
        qtbot.keyClick(page.focusWidget(), Qt.Key.Key_Tab)
        assert page.focusWidget() is part
    assert all(part.accessibleName() or getattr(part, "text", str)() for part in wanted)


def test_what_others_change_shows_up_and_what_a_job_adds_is_not_lost(page, avatar, session, qtbot) -> None:
    session.jobs.begin()
    put_edit(avatar, painted("blue", "From a command", (10, 10, 250)))
    qtbot.waitUntil(lambda: names(page) == ["blue"])
    qtbot.waitUntil(lambda: settled(page))
    switch_edit(avatar, "blue", False)
    qtbot.waitUntil(lambda: not page.edits.stack.find("blue").on)
    # A job adds one in the same moment in which a hand moves a strength here.
    put_edit(avatar, wider())
    page.edits._keep_strength("edit_blue", 0.0, 0.9)
    qtbot.waitUntil(lambda: names(page) == ["blue", "wider"])
    assert kept(page, avatar, qtbot).find("blue").strength == 0.9

    page.edits.searches.begin("shape", ShapeWish("slim"))
    qtbot.waitUntil(lambda: bool(page.edits.searches.rows))
    qtbot.waitUntil(lambda: names(page) == ["blue", "wider", "slim"])
    qtbot.waitUntil(lambda: not page.edits.searches.rows)
    qtbot.waitUntil(lambda: settled(page))
    assert page.edits.list.rows["slim"].slider is not None


def test_a_search_that_fails_lands_in_the_banner_and_can_be_put_away(
    avatar, store, session, qtbot, qapp
) -> None:
    from ui.app import open_window

    session.close()
    window = open_window(qapp, store)
    qtbot.addWidget(window)
    window.show()
    window.session.open_subject(store.find("Flat"))
    window.show_page("perform")
    page = window.page("perform")
    assert isinstance(window, MainWindow)
    assert isinstance(page, PerformPage)
    page.tabs.setCurrentWidget(page.edits)
    page.edits.searches.begin("shape", ShapeWish("coefficients", "one two"))
    qtbot.waitUntil(lambda: window.banner.failure is not None)
    failure = window.banner.failure
    assert failure is not None
    assert "is no identity coefficient" in failure.reason
    assert page.edits.stack == EditStack()
    (row,) = page.edits.searches.rows.values()
    assert "is no identity coefficient" in row.words.text()
    assert row.go_on.isVisible()
    qtbot.mouseClick(row.cancel, LEFT)
    qtbot.waitUntil(lambda: not page.edits.searches.rows)
    assert window.banner.failure is None
    assert not store.find("Flat").jobs()
    window.close()


def test_closing_in_the_last_moment_keeps_everything_and_the_next_window_has_it(
    avatar, store, session, qtbot
) -> None:
    for page in shown(session, qtbot):
        page.edits.put(wider())
        qtbot.waitUntil(lambda page=page: settled(page))
        page.edits.put(painted("red", "Red", (250, 10, 10), 0.25))
        page.edits._keep_strength("edit_wider", 1.0, 0.6)
    session.close()
    assert [(e.name, e.strength) for e in load_edits(avatar.folder).edits] == [("wider", 0.6), ("red", 0.25)]
    again = Session(store)
    again.open_subject(store.find("Flat"))
    for page in shown(again, qtbot):
        qtbot.waitUntil(lambda page=page: settled(page))
        assert names(page) == ["wider", "red"]
        assert page.model.value("edit_wider") == 0.6
        assert page.posing.state()["edit_red"] == pytest.approx(0.25)
    again.close()
    again.deleteLater()


def test_damaged_edits_are_told_and_never_overwritten(page, avatar, session, qtbot) -> None:
    said: list[Failure] = []
    session.failed.connect(said.append)
    save_edits(avatar.folder, EditStack((wider(),)))
    qtbot.waitUntil(lambda: names(page) == ["wider"])
    document = avatar.folder / "edits" / "edits.json"
    whole = document.read_bytes()
    document.write_bytes(whole[:40])
    qtbot.waitUntil(lambda: bool(said))
    assert "damaged" in said[0].reason
    assert names(page) == []
    page.edits.put(painted("red", "Red", (250, 10, 10)))
    qtbot.waitUntil(lambda: len(said) == 2)
    assert names(page) == []
    assert document.read_bytes() == whole[:40]
    document.write_bytes(whole)
    qtbot.waitUntil(lambda: names(page) == ["wider"])


def test_what_cannot_be_used_here_says_why_and_leads_on(page, session, qtbot, monkeypatch) -> None:
    monkeypatch.setitem(METHODS, "a", replace(COLOURS, id="a", title="No weights", generator=True))
    monkeypatch.setitem(
        METHODS, "b", replace(METHODS["a"], id="b", title="Weights", missing=lambda assets: "Get the file.")
    )
    page.edits._read()
    qtbot.waitUntil(lambda: "b" in page.edits.add.finders)
    for way, reason, words, goes in (
        ("a", "generator", "Go to Train", "train"),
        ("b", "Get the file.", "Go to Weights", "settings#weights"),
    ):
        page.edits.add.ways[way].click()
        finder = page.edits.add.finders[way]
        assert finder.isVisible()
        assert reason in finder._reason.text()
        assert not finder.begin.isVisible()
        assert finder._lead.text() == words
        with qtbot.waitSignal(session.asked_for) as asked:
            finder._lead.click()
        assert asked.args == [goes]
    # What needs no searching is made at once, by numbers as well, and a wish that makes no sense is told.
    page.edits.add.ways["colour"].click()
    finder = page.edits.add.finders["colour"]
    finder.choose(COLOURS.id)
    finder.form.parts["colour"].setCurrentIndex(3)
    with qtbot.waitSignal(session.failed) as failed:
        finder._ask()
    assert "Say how red" in failed.args[0].reason
    finder.form.parts["amount"].setValue(200.0)
    finder._ask()
    qtbot.waitUntil(lambda: names(page) == ["own_skin"])
