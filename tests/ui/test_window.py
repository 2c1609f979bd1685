"""The window's frame: theme, navigation, banner, work in the background, jobs."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QLineEdit

from studio.domain.problem import Problem
from ui import theme
from ui.bridge.background import Background
from ui.main_window import first_size
from ui.pages.catalog import PAGES
from ui.session import Failure
from ui.theme import DARK, LIGHT, Tokens
from ui.widgets.banner import Banner
from ui.words import about, pivot_reason


def _luminance(colour: str) -> float:
    c = QColor(colour)
    parts = [c.redF(), c.greenF(), c.blueF()]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _contrast(a: str, b: str) -> float:
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_words_can_be_read_in_both_themes(t: Tokens) -> None:
    for ground in (t.ground, t.surface, t.raised):
        assert _contrast(t.text, ground) >= 7.0
        for role in (t.muted, t.good, t.warn, t.bad):
            assert _contrast(role, ground) >= 4.5, (role, ground)
    assert _contrast(t.on_accent, t.accent) >= 4.5


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_the_stylesheet_leaves_no_token_unfilled(t: Tokens) -> None:
    assert "@" not in theme.stylesheet(t)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "a few seconds"), (42, "40 s"), (57, "1 min"), (100, "2 min"), (3500, "58 min"), (5400, "1.5 h")],
)
def test_waits_are_said_in_round_words(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (
            "sharpest of 3 near the middle of 9 alike frames (yaw +1°, pitch -5°)",
            "Sharpest of 3 near the middle of 9 alike frames (turned +1°, nodded −5°).",
        ),
        (
            "locked by you, one of 4 alike frames (yaw -0°, pitch +0°)",
            "Locked by you, one of 4 alike frames (turned 0°, nodded 0°).",
        ),
        ("chosen by another program", "Chosen by another program."),
    ],
)
def test_why_a_frame_was_chosen_is_said_without_terms(kept: str, words: str) -> None:
    assert pivot_reason(kept) == words


def test_every_page_has_its_picture() -> None:
    for spec in PAGES:
        assert (theme.ICONS / f"{spec.id}.svg").is_file()


def test_buttons_without_words_say_what_they_do(window, subject) -> None:
    window.session.open_subject(subject)
    for spec in PAGES:
        window.show_page(spec.id)
        buttons = window.page(spec.id).findChildren(QAbstractButton)
        shown = [
            b for b in buttons if b.isVisible() and not isinstance(b.parent(), QLineEdit)
        ]  # Qt's own cross
        silent = [b for b in shown if not b.text() and not (b.accessibleName() and b.toolTip())]
        assert not silent, (spec.id, [b.parent() for b in silent])


def test_the_theme_changes_while_the_window_is_open(window) -> None:
    window.session.preferences.theme = "light"
    assert window.palette().window().color() == QColor(LIGHT.ground)
    window.session.preferences.theme = "dark"
    assert window.palette().window().color() == QColor(DARK.ground)


def test_pages_that_need_somebody_wait_for_somebody(window) -> None:
    assert window.shown == "library"
    for spec in PAGES:
        assert window._buttons[spec.id].isEnabled() != spec.needs_subject


def test_who_was_open_last_is_open_again(qtbot, qapp, subject, filled_store) -> None:
    from ui.app import open_window

    first = open_window(qapp, filled_store)
    first.session.open_subject(subject)
    first.close()
    second = open_window(qapp, filled_store)
    assert second.session.subject is not None
    assert second.session.subject.name == subject.name
    assert second.session.avatar is not None
    assert second.session.avatar.engine == "instant"
    second.close()


def test_failures_queue_up_in_the_banner_and_leave_by_escape(window, qtbot) -> None:
    session = window.session
    session.fail("One", Problem("It is full: make room."), safe="Your clips are safe.")
    try:
        raise ValueError("unforeseen")
    except ValueError as error:
        session.fail("Two", error)
    banner: Banner = window.banner
    assert banner.failure is not None
    assert "unforeseen" in banner.failure.report
    banner._copy.click()
    assert "ValueError: unforeseen" in QGuiApplication.clipboard().text()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert banner.failure.reason == "It is full: make room."
    assert not banner._copy.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not banner.isVisible()


def test_what_is_tried_anew_or_well_again_takes_its_message_along(window) -> None:
    session = window.session
    session.fail("The library cannot be read", Problem("It is locked."), about="library")
    session.fail("Another", Problem("Something else."))
    session.mended.emit("library")
    session.mended.emit("")
    assert window.banner.failure.reason == "Something else."
    window.banner.dismiss()
    assert window.banner.failure is None


def test_good_news_is_said_at_the_foot_and_goes_by_itself(window, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("ui.widgets.toast.LEAST", 50)
    monkeypatch.setattr("ui.widgets.toast.LETTER", 0)
    toast = window.toast
    window.session.said.emit("The report is copied.")
    window.session.said.emit("The sample is here.")
    assert toast.words.text() == "The report is copied.\nThe sample is here."
    assert window._stack.rect().contains(toast.geometry())
    qtbot.waitUntil(lambda: not toast.isVisible())
    window.session.said.emit("Another.")
    assert toast.words.text() == "Another."


@pytest.mark.parametrize(
    ("screen", "size"),
    [
        ((1280, 800), (1280, 760)),
        ((2560, 1440), (1280, 800)),
        ((1100, 900), (1100, 800)),
        ((800, 600), (1024, 680)),
    ],
)
def test_the_first_window_fits_its_screen(screen, size) -> None:
    assert first_size(QSize(*screen)) == QSize(*size)


def test_background_work_answers_in_the_windows_thread(qtbot, qapp) -> None:
    background = Background()
    owner = QObject()
    seen: list[tuple[int, threading.Thread]] = []
    work_thread = []

    def work() -> int:
        work_thread.append(threading.current_thread())
        return 7

    background.run(owner, work, lambda result: seen.append((result, threading.current_thread())))
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [(7, threading.main_thread())]
    assert work_thread != [threading.main_thread()]
    background.close()


def test_work_nobody_waits_for_is_dropped_and_hears_of_it(qtbot, qapp) -> None:
    background = Background()
    owner, heard = QObject(), threading.Event()
    seen: list[object] = []
    going = threading.Event()

    def work(progress) -> None:
        going.set()
        try:
            while True:
                progress(0, None, "")
        finally:
            heard.set()

    ticket = background.run(owner, work, seen.append, seen.append, progress=True)
    qtbot.waitUntil(going.is_set)
    with qtbot.waitSignal(ticket.ended):
        ticket.cancel()
    assert heard.is_set()
    assert seen == []
    background.close()


def test_a_defect_in_the_background_reaches_the_banner(window, qtbot) -> None:
    def work() -> None:
        raise KeyError("lost")

    window.session.background.run(window, work, lambda result: None)
    qtbot.waitUntil(lambda: window.banner.failure is not None)
    assert "lost" in window.banner.failure.report


def test_jobs_of_others_are_seen_and_their_end_is_told(window, qtbot, fake_import) -> None:
    """A job that another process works on shows up, and its failure lands in the banner."""
    from pipelines.job import JobStatus, write_status

    folder = fake_import
    board = window.session.jobs
    write_status(folder, JobStatus("queued", 0, 1, "waiting"))
    qtbot.waitUntil(lambda: board.of(folder) is not None)
    write_status(folder, JobStatus("failed", 0, 1, message="The disk is full: make room.", problem=True))
    qtbot.waitUntil(lambda: window.banner.failure is not None)
    assert window.banner.failure.reason == "The disk is full: make room."
    write_status(folder, _working())
    qtbot.waitUntil(lambda: window.banner.failure is None)  # it is tried again


def test_a_cancel_that_comes_too_late_is_answered(window, qtbot, fake_import) -> None:
    from pipelines.job import JobStatus, write_status

    write_status(fake_import, _working())
    board = window.session.jobs
    qtbot.waitUntil(lambda: board.of(fake_import) is not None and not board.of(fake_import).status.over)
    board.cancel(fake_import)
    assert (fake_import / "cancel").exists()
    assert not window.toast.isVisible()
    write_status(fake_import, JobStatus("finished", 1, 1))
    qtbot.waitUntil(window.toast.isVisible)
    assert window.toast.words.text() == "It had finished already."


def test_when_jobs_cannot_be_seen_it_is_told_once_and_taken_back(window, qtbot, monkeypatch) -> None:
    board = window.session.jobs
    told: list[Failure] = []
    window.session.failed.connect(told.append)

    def broken(subjects):
        raise Problem("The disk does not answer: look at its cable.")

    with monkeypatch.context() as patch:
        patch.setattr("studio.project.store.Store.subjects", broken)
        for _ in range(2):
            qtbot.waitUntil(lambda: not board._looking)
            board.look()
            qtbot.waitUntil(lambda: not board._looking)
        assert [failure.reason for failure in told] == ["The disk does not answer: look at its cable."]
        assert window.banner.failure is not None
    qtbot.waitUntil(lambda: window.banner.failure is None)


def _working():
    """The status of a job that this process works on."""
    import os
    import socket

    from pipelines.job import JobStatus

    return JobStatus("running", 0, 1, "Finding faces", 1, 4, pid=os.getpid(), host=socket.gethostname())


@pytest.fixture
def fake_import(subject, filled_store):
    """A job folder beside the finished ones."""
    from pipelines.import_job import import_clip
    from studio.tracking.settings import TrackSettings

    clip = subject.clips()[0]
    done = import_clip(filled_store, subject.name, clip.source, TrackSettings(smoothing=3.0))
    assert done.job is not None
    return done.job


def test_a_job_asked_for_while_the_window_closes_is_started_all_the_same(session, monkeypatch, tmp_path):
    from pipelines import runner

    started = []
    monkeypatch.setattr(runner, "start", lambda folder, **how: started.append(folder))
    hold = threading.Event()
    for _ in range(2):  # both threads have something to do
        session.background.run(session, lambda: hold.wait(10), lambda result: None)
    session.jobs.start(tmp_path)
    threading.Timer(0.2, hold.set).start()
    session.close()
    assert started == [tmp_path]


def test_what_hinders_a_start_is_told_to_whoever_asked_and_else_in_the_banner(window, qtbot, monkeypatch):
    from pathlib import Path

    from pipelines import runner

    def full(folder, **how):
        raise Problem("The disk is full: make room.")

    monkeypatch.setattr(runner, "start", full)
    told: list[Exception] = []
    window.session.jobs.start(Path("one"), told.append)
    qtbot.waitUntil(lambda: bool(told))
    assert window.banner.failure is None
    window.session.jobs.start(Path("two"))
    qtbot.waitUntil(lambda: window.banner.failure is not None)
    assert window.banner.failure is not None
    assert window.banner.failure.reason == str(told[0])


def test_what_escapes_from_a_slot_lands_in_the_banner(window, monkeypatch) -> None:
    import sys

    from ui.app import show_defects

    told = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: told.append(what))
    show_defects(window.session)
    try:
        raise IndexError("nobody thought of this")
    except IndexError as error:
        sys.excepthook(IndexError, error, error.__traceback__)
    assert len(told) == 1
    assert "nobody thought of this" in window.banner.failure.report
