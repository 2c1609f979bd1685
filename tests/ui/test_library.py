"""The library: people as cards, clips brought in with permission, the trash, the keyboard."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from pipelines import runner
from pipelines.job import JobStatus, write_status
from studio.domain.problem import Problem
from ui.pages.library import LibraryPage
from ui.pages.library_listing import ago, engine_titles
from ui.widgets.consent_dialog import NewSubjectDialog
from ui.widgets.subject_card import DamagedCard, IncomingCard

PATIENCE = 120_000
"""Milliseconds that a busy machine may take; nothing waits for as long as this when all is well."""


def _wait(qtbot, condition) -> None:
    qtbot.waitUntil(condition, timeout=PATIENCE)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A readable video of one colour."""
    from studio.media import VideoWriter

    file = tmp_path / "holiday.mp4"
    with VideoWriter(file, 160, 120, Fraction(10)) as writer:
        for _ in range(4):
            writer.write(np.full((120, 160, 3), (200, 60, 60), np.uint8))
    return file


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Jobs that were started; none of them does anything."""
    found: list[Path] = []

    def start(folder: Path, modest: bool = False, patience: float = 2.0) -> runner.RunningJob:
        found.append(folder)
        _running(folder, 1, 4)
        return runner.RunningJob(folder, None)

    monkeypatch.setattr(runner, "start", start)
    return found


def _running(folder: Path, done: int, total: int) -> None:
    """Write that this process works on a job."""
    me = JobStatus("running", 0, 1, "Finding faces", done, total, pid=os.getpid(), host=socket.gethostname())
    write_status(folder, me)


@pytest.fixture
def library(window, qtbot) -> LibraryPage:
    """The page in its window, having read the empty disk."""
    page = window.page("library")
    _wait(qtbot, page.empty.isVisible)
    return page


def _people(page: LibraryPage, qtbot, *names: str) -> None:
    for name in names:
        page.session.store.add(name, f"{name} agreed")
    page.session.refresh()
    _wait(qtbot, lambda: len(page.cards) == len(names))


def _card(page: LibraryPage, name: str):
    return next(card for card in page.cards.values() if card.accessibleName() == name)


def _order(page: LibraryPage) -> list[str]:
    return [card.accessibleName() for card in page.grid.cards]


def _drop(page: LibraryPage, *files: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys, place = Qt.KeyboardModifier.NoModifier, QPointF(50, 50)
    QApplication.sendEvent(page, QDragEnterEvent(place, copy, mime, left, keys))
    assert page.drop.hint.isVisible()
    QApplication.sendEvent(page, QDropEvent(place, copy, mime, left, keys))
    assert not page.drop.hint.isVisible()


def _dialog() -> NewSubjectDialog:
    return next(
        w for w in QApplication.topLevelWidgets() if isinstance(w, NewSubjectDialog) and w.isVisible()
    )


def test_a_dropped_video_needs_a_name_and_permission_then_is_tracked_on_its_card(
    library, qtbot, clip, started
):
    _drop(library, clip)
    dialog = _dialog()
    assert not dialog.sure.isEnabled()
    qtbot.keyClicks(dialog.field, "  Ada   Byron ")
    assert not dialog.sure.isEnabled()
    dialog.consent.own.click()
    assert dialog.sure.isEnabled()
    dialog.consent.own.click()
    assert not dialog.sure.isEnabled()
    qtbot.keyClicks(dialog.consent.sentence, "Ada, agreed by e-mail.")
    qtbot.mouseClick(dialog.sure, Qt.MouseButton.LeftButton)

    store = library.session.store
    _wait(qtbot, lambda: bool(started) and bool(library.cards))
    assert (store.find("Ada Byron").consent, len(store.find("Ada Byron").clips())) == (
        "Ada, agreed by e-mail.",
        1,
    )
    card = _card(library, "Ada Byron")
    _wait(qtbot, lambda: card.bar.isVisible() and card.bar.value() == 250)
    _wait(qtbot, lambda: not card.portrait.empty)
    write_status(started[0], JobStatus("failed", 0, 1, message="No face was found.", problem=True))
    _wait(qtbot, card.again.isVisible)
    assert "No face was found." in card.trouble.toolTip()
    qtbot.mouseClick(card.again, Qt.MouseButton.LeftButton)
    _wait(qtbot, lambda: started == [started[0]] * 2)
    _wait(qtbot, lambda: card.bar.isVisible() and not card.again.isVisible())
    write_status(started[0], JobStatus("finished", 1, 1))
    _wait(qtbot, lambda: not card.bar.isVisible())


def test_a_name_that_is_here_takes_one_more_clip_with_the_permission_given_before(library, qtbot, clip):
    _people(library, qtbot, "Ada")
    dialog = library.bring_in.ask_name(library, clip)
    qtbot.keyClicks(dialog.field, "Ada")
    assert dialog.statement == "Ada agreed"
    assert "one more of their clips" in dialog.hint.text()
    assert dialog.sure.isEnabled()
    dialog.reject()


def test_what_is_no_video_is_refused_and_changes_nothing(library, qtbot, tmp_path, window):
    (tmp_path / "notes.txt").write_text("no video")
    library.bring_in.do("Ada", tmp_path / "notes.txt", "herself")
    _wait(qtbot, lambda: window.banner.failure is not None)
    assert "notes.txt" in window.banner.failure.reason
    assert library.session.store.subjects().subjects == ()
    _wait(qtbot, library.empty.isVisible)
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    _drop(library, tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert "one clip at a time" in window.banner.failure.reason


def test_a_clip_on_its_way_in_can_be_called_off(library, qtbot, clip, monkeypatch):
    def forever(store, name, video, progress, consent):
        while True:
            progress(1, 2, "Copying the clip")

    monkeypatch.setattr("pipelines.import_job.import_clip", forever)
    library.bring_in.do("Ada", clip, "herself")
    (card,) = library.grid.cards
    assert isinstance(card, IncomingCard)
    _wait(qtbot, lambda: card.bar.value() == 500)
    qtbot.mouseClick(card.cancel, Qt.MouseButton.LeftButton)
    _wait(qtbot, library.empty.isVisible)
    assert library.session.subject is None
    assert library.bring_in.incoming == []


def test_the_sample_comes_with_its_permission(library, qtbot, clip, started, monkeypatch):
    monkeypatch.setattr("pipelines.sample_apart.make_sample_apart", lambda home, progress: clip)
    qtbot.mouseClick(library.sample, Qt.MouseButton.LeftButton)
    _wait(qtbot, lambda: bool(started) and bool(library.cards))
    assert "public domain" in library.session.store.find("Sample").consent


def test_deleting_asks_nothing_and_is_undone(library, qtbot):
    _people(library, qtbot, "Ada", "Bo")
    subject = library.session.store.find("Ada")
    library.open(subject)
    library.session.show_page("library")
    _card(library, "Ada").asked.emit("delete")
    _wait(qtbot, library.undo_bar.isVisible)
    assert library.session.subject is None
    _wait(qtbot, lambda: _order(library) == ["Bo"])
    assert library.trash.text() == "Trash (1)"
    qtbot.mouseClick(library.undo_bar.undo, Qt.MouseButton.LeftButton)
    _wait(qtbot, lambda: len(library.cards) == 2)
    assert library.session.store.find("Ada").consent == "Ada agreed"
    _wait(qtbot, lambda: not library.trash.isVisible())


def test_the_trash_restores_beside_a_namesake_and_is_emptied(library, qtbot):
    _people(library, qtbot, "Ada", "Bo")
    store, actions = library.session.store, library.actions_on
    with qtbot.waitSignal(actions.deleted, timeout=PATIENCE):
        actions.delete(store.find("Ada"))
    with qtbot.waitSignal(actions.deleted, timeout=PATIENCE):
        actions.delete(store.find("Bo"))
    store.add("Ada", "another Ada")
    _wait(qtbot, lambda: len(library.library.trash) == 2)
    dialog = library.ask_trash()
    assert len(dialog.restore) == 2
    entry = next(entry for entry in library.library.trash if entry.title == "Ada")
    qtbot.mouseClick(dialog.restore[entry.path], Qt.MouseButton.LeftButton)
    _wait(qtbot, lambda: sorted(_order(library)) == ["Ada", "Ada 2"])
    assert store.find("Ada 2").consent == "Ada agreed"
    with qtbot.waitSignal(actions.emptied, timeout=PATIENCE):
        actions.empty_trash()
    _wait(qtbot, lambda: not library.trash.isVisible())
    assert store.trash() == ()


def test_a_new_name_reaches_the_card_and_the_bar_above(library, qtbot, window):
    _people(library, qtbot, "Ada", "Bo")
    store = library.session.store
    library.session.open_subject(store.find("Ada"))
    library.actions_on.rename(store.find("Ada"), "Augusta")
    _wait(qtbot, lambda: sorted(_order(library)) == ["Augusta", "Bo"])
    assert window.top._name.text() == "Augusta"
    library.actions_on.rename(store.find("Augusta"), "Bo")
    _wait(qtbot, lambda: window.banner.failure is not None)
    assert "already a subject named" in window.banner.failure.reason
    library.actions_on.state_consent(store.find("Bo"), "Bo signed a form.")
    _wait(qtbot, lambda: store.find("Bo").consent == "Bo signed a form.")


def test_arrows_walk_over_the_cards_enter_opens_and_delete_deletes(library, qtbot, window):
    _people(library, qtbot, *"ABCDE")
    window.activateWindow()
    _wait(qtbot, window.isActiveWindow)
    columns = library.grid.columns
    assert 1 < columns < 5
    cards = library.grid.cards
    cards[0].setFocus()
    for key, at in (("Right", 1), ("Down", 1 + columns), ("Up", 1), ("Left", 0), ("Left", 0), ("End", 4)):
        if at < 5:
            qtbot.keyClick(QApplication.focusWidget(), getattr(Qt.Key, f"Key_{key}"))
            assert QApplication.focusWidget() is cards[at], key
    name = cards[4].accessibleName()
    asked: list[str] = []
    window.session.asked_for.disconnect()
    window.session.asked_for.connect(asked.append)
    qtbot.keyClick(cards[4], Qt.Key.Key_Return)
    assert asked == ["capture"]
    assert window.session.subject.name == name
    qtbot.keyClick(cards[4], Qt.Key.Key_Delete)
    _wait(qtbot, lambda: len(library.cards) == 4)
    assert name not in _order(library)


def test_who_was_opened_last_comes_first_and_many_can_be_searched(library, qtbot):
    names = ["Zoë", *(f"Person {n}" for n in range(8))]
    _people(library, qtbot, *names[1:])
    assert not library.search.isVisible()
    _people(library, qtbot, *names)
    assert library.search.isVisible()
    library.session.open_subject(library.session.store.find("Person 3"))
    library.session.refresh()
    _wait(qtbot, lambda: _order(library)[0] == "Person 3")
    qtbot.keyClicks(library.search, "zoe")
    assert _order(library) == ["Zoë"]
    qtbot.keyClicks(library.search, "x")
    assert _order(library) == []
    assert library.nobody.isVisible()
    library.search.clear()
    assert len(_order(library)) == 9


def test_somebody_damaged_is_shown_with_the_reason_and_hides_nobody(library, qtbot):
    _people(library, qtbot, "Ada", "Bo")
    store = library.session.store
    (store.find("Bo").path / "subject.json").write_text("{", encoding="utf-8")
    library.session.refresh()
    _wait(qtbot, lambda: len(library.library.problems) == 1)
    damaged = library.grid.cards[-1]
    assert isinstance(damaged, DamagedCard)
    assert "subject.json" in damaged.accessibleDescription()
    assert _order(library)[0] == "Ada"
    assert library.library.problems[0][1].name == "bo"


def test_somebody_with_an_avatar_opens_to_perform(session, qtbot, subject):
    page = LibraryPage(session)
    qtbot.addWidget(page)
    page.show()
    page.enter()
    _wait(qtbot, lambda: len(page.cards) == 1)
    (card,) = page.cards.values()
    assert card.chips == engine_titles(("instant",))
    _wait(qtbot, lambda: not card.portrait.empty)
    with qtbot.waitSignal(session.asked_for, timeout=PATIENCE) as asked:
        qtbot.mouseClick(card.portrait, Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    assert asked.args == ["perform"]
    assert session.subject.path == subject.path
    entries = [action.text() for action in card.menu().actions() if not action.isSeparator()]
    assert entries == ["Open", "Add a clip…", "Rename…", "Permission…", "Open folder", "Delete"]


@pytest.mark.parametrize(
    ("days", "words"), [(0, "used today"), (1, "used yesterday"), (13, "used 13 days ago"), (400, "used ")]
)
def test_when_somebody_was_last_used(days, words):
    now = datetime(2031, 5, 6, 12, 0, tzinfo=UTC)
    said = ago(now - timedelta(days=days), now)
    assert said == words or (days == 400 and "days" not in said and said.startswith(words))


def test_many_engines_are_counted():
    assert engine_titles(("unknown-a", "unknown-b")) == ("unknown-a", "unknown-b")
    assert engine_titles(("unknown-a", "b", "c", "d")) == ("unknown-a", "+3")


def test_a_full_disk_is_told_and_nothing_is_lost(library, qtbot, window, monkeypatch):
    _people(library, qtbot, "Ada")

    def full(self, subject, **changes):
        raise Problem("The disk is full: make room.")

    monkeypatch.setattr("studio.project.store.Store.change", full)
    library.actions_on.rename(library.session.store.find("Ada"), "Bo")
    _wait(qtbot, lambda: window.banner.failure is not None)
    assert window.banner.failure.safe == "Ada stays as they were."
    assert _order(library) == ["Ada"]


def test_a_name_that_cannot_be_one_is_refused_at_the_field(library, qtbot):
    _people(library, qtbot, "Ada")
    store = library.session.store
    dialog = library.actions_on.ask_rename(library, store.find("Ada"))
    dialog.field.clear()
    assert "A name is needed" in dialog.hint.text()
    assert not dialog.sure.isEnabled()
    qtbot.keyClicks(dialog.field, "Augusta")
    assert not dialog.hint.text()
    qtbot.mouseClick(dialog.sure, Qt.MouseButton.LeftButton)
    _wait(qtbot, lambda: _order(library) == ["Augusta"])


def test_a_message_about_the_last_clip_goes_when_the_next_one_comes(
    library, qtbot, clip, tmp_path, started, window
):
    (tmp_path / "notes.txt").write_text("no video")
    library.bring_in.do("Ada", tmp_path / "notes.txt", "herself")
    _wait(qtbot, lambda: window.banner.failure is not None)
    library.bring_in.do("Ada", clip, "herself")
    assert window.banner.failure is None
    _wait(qtbot, lambda: bool(started))


def test_clips_of_one_person_come_in_one_after_the_other(library, qtbot, clip, started):
    again = library.bring_in
    first, second = again.do("Ada", clip, "herself"), again.do("Ada", clip, "")
    other = again.do("Bo", clip, "himself")
    assert first.ticket is not None
    assert other.ticket is not None
    assert second.ticket is None
    again.cancel(other)
    _wait(qtbot, lambda: not again.incoming)
    store = library.session.store
    assert len(store.find("Ada").clips()) == 1
