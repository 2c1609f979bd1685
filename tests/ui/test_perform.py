"""The Perform page on a real avatar: sliders, drags, poses, comparison, a killed worker, another avatar."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from studio.domain.avatar import Avatar
from studio.domain.edits import EditStack
from studio.engines.catalog import engine_spec
from studio.project.avatar_files import load_avatar, save_avatar
from ui.app import open_window
from ui.avatar_names import clips_of, names
from ui.main_window import MainWindow
from ui.pages.perform import PerformPage
from ui.widgets.small_dialog import NameDialog

SLOW = 300_000
"""Milliseconds for a worker to start on a busy machine."""


@pytest.fixture
def window(qtbot, qapp, subject, filled_store) -> Iterator[MainWindow]:
    made = open_window(qapp, filled_store)
    qtbot.addWidget(made)
    made.session.open_subject(subject)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()


@pytest.fixture
def page(window, qtbot) -> PerformPage:
    window.show_page("perform")
    found = window.page("perform")
    assert isinstance(found, PerformPage)
    qtbot.waitUntil(lambda: found.viewport.frame is not None, timeout=SLOW)
    return found


def shows(page: PerformPage, quality: str = "full") -> bool:
    """Whether the picture is of the present pose."""
    frame = page.viewport.frame
    assert frame is not None
    return frame.request.state == page.posing.state() and frame.request.quality == quality


def test_a_slider_a_drag_undo_and_the_picture_belong_together(page, qtbot) -> None:
    row = page.controls.row("yaw")
    start, end = row.handle_at(0.0).toPoint(), row.handle_at(20.0).toPoint()
    qtbot.mousePress(row, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        qtbot.mouseMove(row, start + (end - start) * step / 5)
    qtbot.mouseRelease(row, Qt.MouseButton.LeftButton, pos=end)
    assert page.model.value("yaw") == pytest.approx(20.0, abs=1.5)
    assert page.model.undo.count() == 1
    qtbot.waitUntil(lambda: shows(page), timeout=SLOW)

    # What is seen is what the engine draws: the same code exports.
    avatar = page.session.avatar
    engine = engine_spec(avatar.engine).load(avatar)
    shown = page.viewport.frame
    assert np.array_equal(shown.image, engine.render(shown.request).image)
    engine.close()

    side = page.viewport.picture_rect().width()
    middle = page.viewport.rect().center()
    qtbot.mousePress(page.viewport, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(page.viewport, middle + QPoint(round(-0.1 * side), 0))
    qtbot.mouseRelease(page.viewport, Qt.MouseButton.LeftButton, pos=middle)
    assert page.model.value("yaw") == pytest.approx(10.0, abs=2.0)
    assert page.model.undo.count() == 2
    assert row.value() == pytest.approx(1000 * (page.model.value("yaw") + 75) / 150, abs=1.0)

    page.undo.click()
    assert page.model.value("yaw") == pytest.approx(20.0, abs=1.5)
    qtbot.mouseDClick(row, Qt.MouseButton.LeftButton, pos=row.handle_at(20.0).toPoint())
    assert page.model.value("yaw") == 0.0
    page.model.set_many({"smile": 1.0, "pitch": 4.0})
    page.reset.click()
    assert page.model.pose == {}
    qtbot.waitUntil(lambda: shows(page), timeout=SLOW)
    assert page.posing.live.meter.figures(0.0) is not None


def test_controls_come_from_the_sheet_and_can_be_found(page, qtbot) -> None:
    names = {control.name for section in page.controls.sections for control in section.controls}
    assert names >= {*page.model.sheet.names, "smile", "mouth_open", "blink"}
    assert [section.group for section in page.controls.sections][-1] == "Expression"
    assert not page.controls.has_row("expression_07")
    qtbot.keyClicks(page.controls.search, "expression 8")
    assert page.controls.has_row("expression_07")
    assert page.controls.row("expression_07").isVisible()
    assert not page.controls.row("yaw").isVisible()
    page.controls.search.setText("no such thing")
    assert page.controls._nothing.isVisible()
    page.controls.search.clear()
    assert page.controls.row("yaw").isVisible()
    assert not page.controls.row("expression_07").isVisible()

    row = page.controls.row("smile")
    row.setFocus()
    qtbot.keyClick(row, Qt.Key.Key_Right)
    assert page.model.value("smile") == pytest.approx(0.01)
    qtbot.keyClick(row, Qt.Key.Key_Return)
    editor = row.findChild(type(page.controls.search))
    editor.selectAll()
    qtbot.keyClicks(editor, "80")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert page.model.value("smile") == pytest.approx(0.8)
    qtbot.keyClick(row, Qt.Key.Key_Delete)
    assert page.model.value("smile") == 0.0


def test_poses_are_kept_with_the_subject_and_compared_while_a_button_is_held(page, window, qtbot) -> None:
    page.model.set_many({"yaw": 9.0, "smile": 0.7})
    page.poses.add.click()
    dialog = page.poses.findChild(NameDialog)
    qtbot.keyClicks(dialog.field, "  ")
    assert "A name is needed" in dialog.hint.text()
    assert not dialog.sure.isEnabled()
    dialog.field.selectAll()
    qtbot.keyClicks(dialog.field, "  Hello   there ")
    assert not dialog.hint.text()
    qtbot.mouseClick(dialog.sure, Qt.MouseButton.LeftButton)
    assert list(page.poses.poses) == ["Hello there"]
    page.model.reset_all()
    page.poses.button_of("Hello there").click()
    assert page.model.pose == {"yaw": 9.0, "smile": 0.7}
    qtbot.waitUntil(lambda: shows(page), timeout=SLOW)

    page.others.setCurrentIndex(0)
    qtbot.mousePress(page.compare, Qt.MouseButton.LeftButton)
    neutral = page.model.sheet.neutral()
    qtbot.waitUntil(lambda: page.viewport.frame.request.state == neutral, timeout=SLOW)
    qtbot.mouseRelease(page.compare, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shows(page), timeout=SLOW)
    assert page.model.pose == {"yaw": 9.0, "smile": 0.7}

    page.poses.rename("Hello there", "Hello")
    window.session.open_subject(window.session.subject)  # as a restart would read it
    window.show_page("library")
    window.show_page("perform")
    assert page.poses.poses == {"Hello": {"yaw": 9.0, "smile": 0.7}}
    page.poses.forget("Hello")
    assert page.poses.poses == {}


def test_a_killed_worker_comes_back_by_itself_and_the_window_is_well(
    page, window, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr("ui.bridge.live.PATIENCE", 3600.0)  # however slow this machine is
    page.model.put({"yaw": 7.0}, "Turn")
    qtbot.waitUntil(lambda: shows(page), timeout=SLOW)
    first = page.posing.live.worker.pid
    os.kill(first, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    qtbot.waitUntil(lambda: page.posing.live.worker.pid != first, timeout=SLOW)
    page.model.put({"yaw": -7.0}, "Turn")
    qtbot.waitUntil(lambda: shows(page), timeout=SLOW)
    assert window.banner.failure is None
    # Twice in a moment is no accident: now somebody has to say so.
    os.kill(page.posing.live.worker.pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    qtbot.waitUntil(lambda: window.banner.failure is not None, timeout=SLOW)
    assert page.again.isVisible()
    page.again.click()
    qtbot.waitUntil(lambda: page.posing.live.worker.alive and not page.again.isVisible(), timeout=SLOW)


def test_a_trained_avatar_takes_over_when_it_is_ready(page, window, qtbot) -> None:
    """A copy of the avatar under another engine's name: it fails to open, and the first one plays on."""
    session = window.session
    avatar = session.avatar
    other = session.subject.avatar("pvp", "ready")
    shutil.copytree(avatar.folder, other)
    trained = load_avatar(other)
    save_avatar(other, type(trained)(trained.subject, "pvp", "ready", other, trained.stage, trained.lineage))
    session.refresh()
    assert session.avatar.engine == "pvp"
    assert "It has just been finished." in page.introduction.text()
    qtbot.waitUntil(lambda: window.banner.failure is not None, timeout=SLOW)
    assert page.posing.live.avatar.folder == avatar.folder
    page.model.put({"yaw": 3.0}, "Turn")
    qtbot.waitUntil(lambda: shows(page), timeout=SLOW)


def test_what_learnt_less_is_announced_and_waits_to_be_chosen(page, window, qtbot) -> None:
    session = window.session
    mine = session.avatar
    assert page.introduction.text() == "Instant, made from sample.mp4."
    toy = _another(mine, "semantic", "toy", learnt_from=[3, 4])
    with qtbot.waitSignal(session.said) as said:
        session.refresh()
    assert "One picture (semantic) is ready: choose it at the top." in said.args
    assert session.avatar.folder == mine.folder
    box = window.top.avatars
    assert [box.itemText(n) for n in range(box.count())] == ["One picture (semantic)", "Instant"]
    assert box.currentText() == "Instant"

    box.setCurrentIndex(0)
    box.activated.emit(0)
    assert session.avatar.folder == toy
    assert page.introduction.text() == "One picture (semantic), made from one picture of sample.mp4."


def test_the_avatar_that_was_chosen_last_is_shown_again(qtbot, qapp, subject, filled_store) -> None:
    (mine,) = (load_avatar(folder) for folder in subject.avatars())
    _another(mine, "pvp", "trained")
    for expected, why in (("pvp", "Of 2 avatars it learnt most"), ("instant", "you chose it last")):
        window = open_window(qapp, filled_store)
        qtbot.addWidget(window)
        session, perform = window.session, window.page("perform")
        assert isinstance(perform, PerformPage)
        session.open_subject(filled_store.find(subject.name))
        assert session.avatar is not None
        assert session.avatar.engine == expected
        perform._introduce()
        assert why in perform.introduction.text()
        session.open_avatar(mine)
        window.close()


def test_avatars_of_one_name_are_told_apart_by_their_clips_and_dates(subject, faceless) -> None:
    (mine,) = (load_avatar(folder) for folder in subject.avatars())
    other, _ = subject.add_clip(faceless)
    avatars = [load_avatar(_another(mine, "instant", name)) for name in ("b", "c")]
    avatars[0].lineage["inputs"]["clip"] = other.clip.key
    called = names([mine, *avatars], clips_of(subject))
    assert called[avatars[0].folder] == "Instant · second clip.mp4"
    assert called[mine.folder].startswith("Instant · sample.mp4 · ")
    assert called[avatars[1].folder].startswith("Instant · sample.mp4 · ")
    assert names([mine], clips_of(subject)) == {mine.folder: "Instant"}


def _another(avatar: Avatar, engine: str, key: str, **lineage: Any) -> Path:
    """A copy beside an avatar, under another engine's name. Returns its folder."""
    folder = avatar.folder.with_name(f"{engine}-{key}")
    shutil.copytree(avatar.folder, folder)
    card = replace(
        avatar,
        engine=engine,
        key=key,
        folder=folder,
        lineage={**avatar.lineage, **lineage},
        edits=EditStack(),
    )
    save_avatar(folder, card)
    return folder


def test_without_an_avatar_the_page_says_the_next_step(qtbot, window) -> None:
    session = window.session
    for folder in session.subject.avatars():
        shutil.rmtree(folder)
    session.refresh()
    window.show_page("perform")
    page = window.page("perform")
    assert page._empty.isVisible()
    with qtbot.waitSignal(session.asked_for) as asked:
        page._empty.button.click()
    assert asked.args == ["train"]
