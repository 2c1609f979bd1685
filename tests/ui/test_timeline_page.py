"""The Timeline page in the real window: from an empty timeline to one that is kept and played."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from pipelines import runner
from pipelines.control_file import read_control_file
from pipelines.control_list import plain_sheet
from pipelines.job import JobStatus, write_status
from pipelines.timeline_control_file import write_control_file
from pipelines.timeline_edits import set_keyframe
from pipelines.timeline_evaluation import evaluate_timeline
from studio.domain.timeline import Timeline
from studio.head import builtin_head
from studio.live.handles import live_handles
from studio.project.store import SubjectFolder
from studio.project.timeline_files import load_timeline, save_timeline, timeline_folder
from ui.main_window import MainWindow
from ui.pages.timeline import TimelinePage
from ui.session import Session

LONG = 180_000


@pytest.fixture
def page(qtbot, subject: SubjectFolder, session: Session) -> Iterator[TimelinePage]:
    """The page without a live picture, which takes seconds to come."""
    session.open_subject(subject)
    made = TimelinePage(session)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    made.show()
    sheet = plain_sheet()
    made.model.take_sheet(sheet, live_handles(builtin_head().handles.values(), sheet))
    qtbot.waitUntil(made.isEnabled, timeout=LONG)
    yield made
    made.close_page()


def kept(subject: SubjectFolder) -> Timeline | None:
    return load_timeline(timeline_folder(subject.path))


def test_a_timeline_is_made_by_hand_and_kept(
    qtbot, page: TimelinePage, subject: SubjectFolder, session: Session
) -> None:
    model = page.model
    assert model.timeline.empty
    page.list.search.setText("turn")
    QTest.keyClick(page.list.search, Qt.Key.Key_Return)
    assert model.names == ("yaw",)
    model.go(60)
    place = page.editor.place_of("yaw", 60, 15.0).toPoint()
    QTest.mouseDClick(page.editor.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseRelease(page.editor.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert model.value("yaw", 60) == pytest.approx(15.0, abs=0.8)
    assert page.picture.state()["yaw"] == pytest.approx(model.value("yaw", 60), abs=1e-4)
    assert session.timeline == model.timeline
    qtbot.waitUntil(lambda: not page.saver.busy, timeout=LONG)
    assert kept(subject) == model.timeline
    model.undo.undo()
    page.close_page()
    assert kept(subject) == model.timeline, "nothing is lost when the window closes at once"


def test_the_live_picture_follows_the_timeline(qtbot, subject: SubjectFolder, window: MainWindow) -> None:
    window.session.open_subject(subject)
    window.show_page("timeline")
    page = window.page("timeline")
    assert isinstance(page, TimelinePage)
    qtbot.waitUntil(lambda: page.isEnabled() and page.viewport.frame is not None, timeout=LONG)
    page.model.go(30)
    middle = page.viewport.rect().center()
    way = QPoint(round(0.1 * page.viewport.picture_rect().width()), 0)
    QTest.mousePress(page.viewport, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(page.viewport, middle + way)
    QTest.mouseRelease(page.viewport, Qt.MouseButton.LeftButton, pos=middle + way)
    (key,) = page.model.timeline.curves["yaw"].keyframes
    assert key.frame == 30
    assert key.value == pytest.approx(10.0, abs=0.5)
    assert page.model.undo.count() == 1

    def shows(yaw: float) -> bool:
        frame = page.viewport.frame
        return frame is not None and abs(frame.request.state["yaw"] - yaw) < 1e-3

    qtbot.waitUntil(lambda: shows(key.value), timeout=LONG)
    line = set_keyframe(Timeline(length=12), "yaw", 0, -12.0, "linear")
    page.model.put(set_keyframe(line, "yaw", 11, 10.0), "turn")
    page.model.go(0)
    page.player.play()
    qtbot.waitUntil(lambda: not page.player.playing, timeout=LONG)
    assert page.model.playhead == 11
    qtbot.waitUntil(lambda: shows(10.0), timeout=LONG)


def test_keys_play_and_step(qtbot, page: TimelinePage) -> None:
    page.activateWindow()
    page.editor.setFocus()
    qtbot.waitUntil(page.editor.hasFocus)
    page.model.go(20)
    steps = {Qt.Key.Key_Left: 19, Qt.Key.Key_Right: 20, Qt.Key.Key_Home: 0, Qt.Key.Key_End: 149}
    for key, frame in steps.items():
        QTest.keyClick(page.editor, key)
        assert page.model.playhead == frame
    for key, playing in ((Qt.Key.Key_J, True), (Qt.Key.Key_K, False), (Qt.Key.Key_L, True)):
        QTest.keyClick(page.editor, key)
        assert page.player.playing is playing
    QTest.keyClick(page.editor, Qt.Key.Key_Space)
    assert not page.player.playing


def test_a_clips_motion_comes_in_and_the_command_line_plays_it(
    qtbot, page: TimelinePage, subject: SubjectFolder, tmp_path: Path
) -> None:
    given_up = page.ask_import()
    qtbot.waitUntil(given_up.go.isEnabled, timeout=LONG)
    given_up.go.click()
    given_up.cancel.click()
    dialog = page.ask_import()
    qtbot.waitUntil(dialog.go.isEnabled, timeout=LONG)
    assert page.model.timeline.empty
    dialog.parts["expression"].setChecked(False)
    with qtbot.waitSignal(page.model.settled, timeout=LONG):
        dialog.go.click()
    line, model = page.model.timeline, page.model
    assert "yaw" in line.curves
    assert not any(name.startswith("expression") for name in line.curves)
    track = evaluate_timeline(line, model.sheet, model.handles)
    assert np.ptp(track.values[:, 0]) > 5, "the sample turns its head"
    write_control_file(tmp_path / "made.json", line, model.sheet, model.handles)
    played = read_control_file(tmp_path / "made.json", model.sheet, builtin_head().handles)
    assert np.allclose(played.values, track.values, atol=1e-4)
    model.undo.undo()
    assert model.timeline.empty


def test_a_wrong_file_leaves_nothing_behind(
    qtbot, page: TimelinePage, session: Session, tmp_path: Path, faceless: Path, monkeypatch
) -> None:
    def start(folder: Path, modest: bool = False, patience: float = 2.0) -> runner.RunningJob:
        """The worker being the test itself."""
        me = psutil.Process()
        host = socket.gethostname()
        write_status(
            folder, JobStatus("running", 0, 1, pid=me.pid, process_started=me.create_time(), host=host)
        )
        return runner.RunningJob(folder, None)

    monkeypatch.setattr(runner, "start", start)
    driving = session.store.home / "driving" / "clips"
    dialog = page.ask_import()
    qtbot.waitUntil(dialog.go.isEnabled, timeout=LONG)
    notes = tmp_path / "notes.mp4"
    notes.write_text("no film")
    with qtbot.waitSignal(session.failed, timeout=LONG) as failed:
        dialog.bring(notes)
    assert "notes.mp4" in failed.args[0].reason
    assert not list(driving.glob("*"))
    session.jobs.begin()
    dialog.bring(faceless)
    qtbot.waitUntil(lambda: [job.plan.subject for job in session.jobs.jobs()][-1:] == ["driving clips"])
    assert len(list(driving.glob("*"))) == 1
    (job,) = (session.store.home / "driving" / "jobs").glob("*")
    with qtbot.waitSignal(session.failed, timeout=LONG) as failed:
        write_status(job, JobStatus("failed", 0, 1, message="No face was found.", problem=True))
    assert failed.args[0].reason == "No face was found."
    qtbot.waitUntil(lambda: not list(driving.glob("*")), timeout=LONG)
    assert not job.exists()
    assert dialog.go.isEnabled(), "another one can be chosen"
    dialog.reject()
    qtbot.waitUntil(lambda: not session.jobs._started, timeout=LONG)


def test_control_files_go_out_and_come_in(
    qtbot, page: TimelinePage, session: Session, tmp_path: Path
) -> None:
    made = set_keyframe(set_keyframe(page.model.timeline, "yaw", 0, 3.0), "yaw", 60, 12.0)
    page.model.put(made, "turn")
    with qtbot.waitSignal(session.said, timeout=LONG):
        page.exchange.write(tmp_path / "made.json")
    page.model.undo.undo()
    assert page.model.timeline.empty
    with qtbot.waitSignal(page.model.settled, timeout=LONG):
        page.exchange.read(tmp_path / "made.json")
    assert page.model.timeline == made
    (tmp_path / "wrong.json").write_text("{")
    with qtbot.waitSignal(session.failed, timeout=LONG) as heard:
        page.exchange.read(tmp_path / "wrong.json")
    assert "not valid JSON" in heard.args[0].reason
    assert page.model.timeline == made


def test_the_bar_changes_length_rate_and_loop(page: TimelinePage) -> None:
    model = page.model
    model.put(set_keyframe(model.timeline, "smile", 90, 0.5), "smile")
    page.bar.length.setValue(8.0)
    assert model.timeline.length == 240
    page.bar.loop.click()
    assert model.timeline.loop
    index = next(i for i in range(page.bar.rate.count()) if page.bar.rate.itemData(i) == 60)
    page.bar.rate.setCurrentIndex(index)
    page.bar.rate.activated.emit(index)
    assert (model.timeline.length, model.timeline.curves["smile"].frames) == (480, (180,))
    for _ in range(4):
        model.undo.undo()
    assert model.timeline == Timeline()
    assert not page.bar.loop.isChecked()
    assert page.bar.length.value() == 5.0


def test_what_the_avatar_cannot_follow_is_said(qtbot, page: TimelinePage) -> None:
    line = set_keyframe(page.model.timeline, "jaw_open", 0, 34.0)
    page.model.put(set_keyframe(line, "mouth_open", 0, 1.0), "open")
    qtbot.waitUntil(lambda: "Held at the limit" in page._note.text(), timeout=LONG)
    page.model.undo.undo()
    qtbot.waitUntil(page._note.isHidden, timeout=LONG)


def test_a_timeline_that_cannot_be_read_is_kept_beside_the_new_one(
    qtbot, subject: SubjectFolder, session: Session
) -> None:
    folder = timeline_folder(subject.path)
    save_timeline(folder, Timeline(length=77))
    file = folder / "timeline.json"
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    before = file.read_text()
    session.open_subject(subject)
    with qtbot.waitSignal(session.failed, timeout=LONG) as heard:
        page = TimelinePage(session)
        qtbot.addWidget(page)
    assert "newer version" in heard.args[0].reason
    assert file.read_text() == before
    page.model.put(set_keyframe(page.model.timeline, "yaw", 0, 1.0), "turn")
    qtbot.waitUntil(lambda: not page.saver.busy, timeout=LONG)
    assert kept(subject) == page.model.timeline
    assert (folder.with_name("main.old1") / "timeline.json").read_text() == before
    page.close_page()
