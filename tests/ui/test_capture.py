"""The capture page in the real window, on a tracked sample."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from pipelines.import_job import track_settings
from pipelines.job import read_job, read_status
from studio.domain.sequence import Flag
from studio.project.sequence_files import load_sequence
from studio.project.store import ClipFolder
from studio.tracking.settings import TrackSettings
from ui.pages.capture import CapturePage
from ui.widgets.clip_player import clock

LONG = 240_000
"""Milliseconds that a process with networks may take on a busy machine."""


@pytest.fixture
def page(qtbot, window, subject) -> CapturePage:
    """The page, open on the subject's clip and showing its first frame."""
    window.session.open_subject(subject)
    window.show_page("capture")
    made = window.page("capture")
    qtbot.waitUntil(lambda: made._data is not None and made.player.view._image is not None, timeout=LONG)
    return made


def clips_of(page: CapturePage) -> tuple[ClipFolder, ...]:
    """The open subject's clips as they are on disk."""
    assert page.session.subject is not None
    return page.session.subject.clips()


def workers_gone(page: CapturePage) -> bool:
    """Whether the processes of jobs that are over have ended too."""
    return not page.session.jobs._started


def dropped(page: CapturePage, *files: Path) -> bool:
    """Whether the page takes these files; it has them then."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
    enter.ignore()
    QApplication.sendEvent(page, enter)
    if enter.isAccepted():
        drop = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
        QApplication.sendEvent(page, drop)
    return enter.isAccepted()


def test_a_tracked_clip_shows_what_it_covers_and_follows_the_pointer(qtbot, page: CapturePage) -> None:
    data, strip, player = page._data, page.strip, page.player
    assert data is not None
    assert data.seen is not None
    frames = len(data.seen.sequence)
    assert player.facts is not None
    assert player.facts.frames == strip._frames == frames
    assert f"{int(data.seen.sequence.good.sum())} of {frames} frames are good" in page._about.text()
    assert page.side.tracking.isHidden()
    assert page._go_on.isVisible()
    # A click on the strip: picture, mesh, ring and clock are those of that frame.
    wanted = frames // 2
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(round(strip.x_of(wanted + 0.5)), 30))
    qtbot.waitUntil(lambda: player.frame == wanted, timeout=LONG)
    assert player.view._points is not None
    assert (player.view._points == data.seen.sequence.landmarks[wanted]).all()
    assert page.side.poses._pose == pytest.approx(tuple(data.seen.sequence.motion.angles[wanted, :2]))
    assert clock(wanted, player.facts.rate) in player._clock.text()
    # The mesh can be taken away, by key too; steps go one frame.
    qtbot.keyClick(page, Qt.Key.Key_M)
    assert player.view._points is None
    qtbot.keyClick(page, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: player.frame == wanted + 1, timeout=LONG)
    qtbot.keyClick(page, Qt.Key.Key_Space)
    assert player.playing
    page.session.show_page("library")
    assert not player.playing  # what is not seen does not run


def test_a_part_is_chosen_taken_back_and_tracked(qtbot, page: CapturePage) -> None:
    session, strip = page.session, page.strip
    assert page._clip is not None
    assert not page.apply.isVisible()
    place = strip.geometry()
    page.player.seek(20)
    qtbot.waitUntil(lambda: page.player.frame == 20, timeout=LONG)
    qtbot.keyClick(page, Qt.Key.Key_I)
    assert strip.part[0] == 20
    assert page.apply.isVisible()
    assert strip.geometry() == place, "what is dragged stays under the pointer"
    qtbot.mouseClick(page.take_back, Qt.MouseButton.LeftButton)
    assert strip.part == (0, strip._frames)
    assert not page.apply.isVisible()

    strip.choose(20, 50)
    with qtbot.waitSignal(session.jobs.ended, timeout=LONG) as ended:
        qtbot.mouseClick(page.apply, Qt.MouseButton.LeftButton)
    assert ended.args[0].status.state == "finished", ended.args[0].status
    qtbot.waitUntil(lambda: page._data is not None and page._data.current, timeout=LONG)
    assert page._data is not None
    assert page._data.seen is not None
    assert page._data.seen.sequence.used == slice(20, 50)
    assert strip.part == (20, 50)
    assert not page.apply.isVisible()
    clip = clips_of(page)[0]
    assert load_sequence(page._data.seen.folder).flags[0] == int(Flag.TRIMMED)
    assert page.player.facts is not None
    assert track_settings(clip).start == pytest.approx(20 / float(page.player.facts.rate))
    qtbot.waitUntil(lambda: workers_gone(page), timeout=LONG)


def test_tracking_again_that_is_cancelled_leaves_everything_as_it_was(qtbot, page: CapturePage) -> None:
    session = page.session
    before = page._data
    assert before is not None
    page.track_again(TrackSettings(smoothing=2.0))
    qtbot.waitUntil(lambda: page.side.tracking.isVisible() and bool(page._undo), timeout=LONG)
    qtbot.waitUntil(lambda: page._data is not None and not page._data.current, timeout=LONG)
    meanwhile = page._data
    assert meanwhile is not None
    assert meanwhile.seen is before.seen  # what was found before is still shown meanwhile
    with qtbot.waitSignal(session.jobs.ended, timeout=LONG) as ended:
        qtbot.mouseClick(page.side.tracking.cancel_button, Qt.MouseButton.LeftButton)
    assert ended.args[0].status.state == "cancelled"
    qtbot.waitUntil(
        lambda: page._data is not None and page._data.current and page.side.tracking.isHidden(), timeout=LONG
    )
    after = page._data
    assert after is not None
    assert after.settings == TrackSettings()
    assert after.seen is before.seen
    qtbot.waitUntil(lambda: workers_gone(page), timeout=LONG)


def test_a_clip_is_dropped_copied_and_its_tracking_begins(
    qtbot, page: CapturePage, tmp_path: Path, faceless: Path
) -> None:
    new = faceless
    session = page.session
    assert not dropped(page, tmp_path)  # a folder is no clip
    assert dropped(page, new)
    qtbot.waitUntil(lambda: page._clip is not None and page._clip.clip.title == new.name, timeout=LONG)
    assert len(clips_of(page)) == 2
    # There is no face in it: that is said, the clip stays to be looked at, and one can try again.
    with qtbot.waitSignal(session.failed, timeout=LONG) as failed:
        pass
    assert "No face" in failed.args[0].reason
    card = page.side.tracking
    qtbot.waitUntil(card.start_button.isVisible, timeout=LONG)
    assert card.start_button.text() == "Try again"
    assert "No face" in card._words.text()
    assert not page._go_on.isVisible()
    job = page._job_folder()
    assert job is not None
    assert read_status(job).state == "failed"
    assert session.subject is not None
    assert read_job(job).subject == session.subject.name
    qtbot.waitUntil(lambda: workers_gone(page), timeout=LONG)


def test_what_is_no_film_is_refused_and_nothing_is_changed(qtbot, page: CapturePage, tmp_path: Path) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("no film")
    with qtbot.waitSignal(page.session.failed, timeout=LONG) as failed:
        assert dropped(page, notes)
    assert "notes.mp4" in failed.args[0].what
    qtbot.waitUntil(lambda: not page.bring_in.incoming, timeout=LONG)
    assert len(clips_of(page)) == 1
    qtbot.waitUntil(page.side.tracking.isHidden, timeout=LONG)


def test_without_a_clip_the_page_says_the_next_step(qtbot, window, store) -> None:
    window.session.open_subject(store.add("Nobody yet"))
    window.show_page("capture")
    page = window.page("capture")
    assert page._pages.currentIndex() == 0
    assert page._pages.currentWidget().button.isVisible()
    assert not any(thread.name == "clip frames" for thread in threading.enumerate())
