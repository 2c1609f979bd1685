"""The export page with a live picture that is known without a worker, and jobs done on a thread."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from pipelines import export_job as export_module
from pipelines.export_job import PAUSED, WAITING, Export, ExportJobSettings, ExportReceipt, export_job
from pipelines.export_settings import ExportSettings
from pipelines.job import JobStatus
from pipelines.run import run_job
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet
from studio.domain.rendering import Frame
from studio.domain.timeline import Curve, Keyframe, Timeline
from studio.engines.catalog import ENGINES
from studio.engines.engine import EngineSpec
from studio.live import LiveFrame
from studio.media import probe
from studio.project.avatar_files import save_avatar
from ui.pages.export import ExportPage
from ui.widgets.queue_row import QueueRow

STAGE = View(Similarity(0.5, 0.0, -10.0, -20.0), 256, 256)
SHEET = ControlSheet(tuple(Control(n, n, "angle", "Head", -300, 300, 0) for n in HEAD_NAMES))
TURN = Timeline(
    Fraction(25), 12, {"yaw": Curve((Keyframe(0, 40.0, "linear"), Keyframe(11, 150.0, "linear")))}
)


class Grey:
    """As bright as the yaw asked for; the person is a disc before white, where coverage is known."""

    sheet = SHEET
    knows_coverage = True

    def render(self, request):
        height, width = request.view.height, request.view.width
        rows, columns = np.mgrid[:height, :width]
        inside = np.hypot(rows - height / 2, columns - width / 2) < width / 3
        image = np.full((height, width, 3), 255, np.uint8)
        image[inside] = int(request.state["yaw"])
        alpha = np.where(inside, 255, 0).astype(np.uint8) if self.knows_coverage else None
        return Frame(image, alpha, request, 5.0)

    def close(self):
        pass


class Live(QObject):
    """What the page needs of the live picture; frames come a moment after they were asked for."""

    arrived = Signal()
    took_over = Signal()
    rests_changed = Signal()

    def __init__(self, session, avatar):
        super().__init__(session)
        self.avatar, self.sheet, self.handles = avatar, SHEET, ()
        self.frame = None
        self.engine = Grey()

    def ask(self, request):
        QTimer.singleShot(0, self, lambda: self._draw(request))
        return 1

    def _draw(self, request):
        made = self.engine.render(request)
        self.frame = LiveFrame(made.image, made.alpha, 1, request, self.avatar, 5.0, 0.0, 0.0)
        self.arrived.emit()

    def close(self):
        pass


@pytest.fixture
def page(qtbot, session, store, monkeypatch, tmp_path):
    """The page, shown, for somebody with an avatar of the engine above."""
    monkeypatch.setattr(EngineSpec, "load", lambda self, avatar: Grey())
    monkeypatch.setitem(ENGINES, "grey", EngineSpec("grey", "Grey", "", "unused", (), lambda home: None))
    subject = store.add("Eileen")
    folder = subject.avatar("grey", "0123")
    folder.mkdir(parents=True)
    save_avatar(folder, Avatar(subject.name, "grey", "0123", folder, STAGE))
    session.open_subject(subject)
    session._live = Live(session, session.avatar)
    # Workers of their own do not know this engine: jobs are done on a thread here.
    started: list[Path] = []

    def start(job, failed=None):
        started.append(job)
        session.background.run(session, lambda: run_job(job), lambda _: session.jobs.look(), failed)

    monkeypatch.setattr(session.jobs, "start", start)
    (tmp_path / "out").mkdir()
    session.preferences.keep("export.folder", str(tmp_path / "out"))
    session.jobs.begin()
    made = ExportPage(session)
    qtbot.addWidget(made)
    made.resize(1188, 744)
    made.show()
    yield made
    # Where a test failed, one that still rests would be waited for for ever.
    for job in started:
        if job.exists():
            export_module.go_on(job)
    made.close_page()


def entered(qtbot, page, timeline=None):
    if timeline is not None:
        page.session.open_timeline(timeline)
    page.enter()
    qtbot.waitUntil(lambda: page.motion.motion is not None or page.motion.words.isVisible())
    return page


def click(qtbot, widget):
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def choose(box, data):
    place = box.findData(data)
    assert place >= 0
    box.setCurrentIndex(place)


def finished(qtbot, page, count=1):
    def over():
        rows = list(page.queue.rows.values())
        return len(rows) == count and all(row.export.receipt for row in rows)

    qtbot.waitUntil(over, timeout=120_000)


def test_an_empty_timeline_says_what_to_do_and_a_pose_can_be_held(qtbot, page):
    entered(qtbot, page)
    assert "timeline is empty" in page.motion.words.text()
    assert not page.export.isEnabled()
    page.motion.still.click()
    page.motion.seconds.setValue(2.0)
    qtbot.waitUntil(lambda: page.motion.motion is not None and len(page.motion.motion.track) == 50)
    assert page.export.isEnabled()
    assert page.forecast.text().startswith("50 frames, 0:02\nAbout ")
    qtbot.waitUntil(lambda: "to write" in page.forecast.text())


def test_what_was_seen_is_what_is_written(qtbot, page, tmp_path):
    entered(qtbot, page, TURN)
    choose(page.form.codec, "png")
    choose(page.form.side, 256)
    qtbot.waitUntil(lambda: page.preview.picture.pixels is not None)
    assert page.form.target == tmp_path / "out" / "eileen"
    qtbot.waitUntil(lambda: page.preview.picture.pixels.shape[0] == 256)
    first = page.preview.picture.pixels
    click(qtbot, page.export)
    finished(qtbot, page)
    files = sorted((tmp_path / "out" / "eileen").glob("*.png"))
    assert len(files) == 12
    shown = [np.asarray(Image.open(file)) for file in files]
    assert np.array_equal(shown[0], first), "the preview is the first frame"
    assert [int(picture[128, 128, 0]) for picture in shown] == [40 + 10 * n for n in range(12)]
    assert page.session.preferences.text("export.folder") == str(tmp_path / "out")


def test_fields_become_settings(qtbot, page, tmp_path):
    form = entered(qtbot, page, TURN).form
    assert form.settings() == ExportSettings(sound=False)
    choose(form.codec, "prores")
    assert form.target.suffix == ".mov"
    assert "editing" in form.hint.text()
    choose(form.side, 1024)
    choose(form.quality, "best")
    choose(form.rate, "30")
    choose(form.alpha, "premultiplied")
    form.watermark.click()
    form.last.setValue(9)
    form.first.setValue(2)
    assert form.frames() == (10, 30)
    assert form.span.text() == "0.32 s"
    form.take_sound(tmp_path / "voice.wav")
    form.offset.setValue(0.5)
    assert form.settings() == ExportSettings(
        codec="prores",
        size=1024,
        quality="best",
        range="2:9",
        rate="30",
        sound_file=tmp_path / "voice.wav",
        sound_offset=0.5,
        alpha="premultiplied",
        watermark=True,
    )
    choose(form.codec, "h264")
    assert form.settings().alpha == "none", "what a codec cannot hold is not asked of it"
    assert not form.alpha.isEnabled()
    assert form.target.suffix == ".mp4"
    click(qtbot, form.all)
    assert form.settings().range == "all"


def test_every_field_explains_itself_and_has_a_name(qtbot, page):
    form = page.form
    fields = (form.codec, form.side, form.quality, form.first, form.last, form.rate, form.sound, form.alpha)
    for field in (*fields, form.offset, form.watermark):
        assert field.accessibleName()
        assert len(field.toolTip()) > 15


def test_the_preview_shows_transparency_and_the_mark(qtbot, page):
    entered(qtbot, page, TURN)
    choose(page.form.codec, "prores")
    choose(page.form.alpha, "straight")
    qtbot.waitUntil(
        lambda: page.preview.picture.pixels is not None and page.preview.picture.pixels.shape[2] == 4
    )
    plain = page.preview.picture.pixels
    assert plain[0, 0, 3] == 0
    page.form.watermark.click()
    qtbot.waitUntil(lambda: page.preview.picture.pixels[..., 3].sum() > plain[..., 3].sum())
    page.session.live.engine.knows_coverage = False
    choose(page.form.side, 256)
    qtbot.waitUntil(page.preview.words.isVisible)
    assert "export with the background" in page.preview.words.text()


def test_a_file_that_is_there_is_replaced_only_after_asking(qtbot, page, tmp_path):
    precious = tmp_path / "out" / "film.mp4"
    precious.write_bytes(b"the only copy")
    entered(qtbot, page, TURN)
    choose(page.form.side, 256)
    page.form.file.setText(str(precious))
    click(qtbot, page.export)
    assert page.replace.isVisible()
    assert not page.export.isVisible()
    click(qtbot, page.keep)
    assert page.export.isVisible()
    assert precious.read_bytes() == b"the only copy"
    click(qtbot, page.export)
    click(qtbot, page.replace)
    finished(qtbot, page)
    assert probe(precious).frames == 12


def test_the_answer_about_one_file_is_none_about_another(qtbot, page, tmp_path):
    there, precious = (tmp_path / "out" / name for name in ("film.mp4", "precious.mp4"))
    there.write_bytes(b"old")
    precious.write_bytes(b"the only copy")
    entered(qtbot, page, TURN)
    page.form.file.setText(str(there))
    click(qtbot, page.export)
    assert page.replace.isVisible()
    page.form.file.clear()
    qtbot.keyClicks(page.form.file, str(precious))
    assert not page.replace.isVisible()
    page._start(True)  # even if the click was on its way
    assert page.replace.isVisible()
    assert "precious" in page._sure.text()
    assert precious.read_bytes() == b"the only copy"
    assert not page.queue.rows


def test_without_a_name_nothing_is_asked_and_nothing_written(qtbot, page):
    entered(qtbot, page, TURN)
    page.form.file.clear()
    with qtbot.waitSignal(page.session.failed) as told:
        click(qtbot, page.export)
    assert "name" in told.args[0].reason
    assert not page.replace.isVisible()


def test_what_cannot_be_written_lands_in_the_banner(qtbot, page, tmp_path):
    entered(qtbot, page, TURN)
    page.form.file.setText(str(tmp_path / "nowhere" / "film.mp4"))
    with qtbot.waitSignal(page.session.failed) as told:
        click(qtbot, page.export)
    assert "no folder" in told.args[0].reason
    assert page.export.isEnabled()
    assert not page.queue.rows


def test_a_paused_export_goes_on_and_leaves_the_list_but_not_the_disk(qtbot, page, tmp_path):
    entered(qtbot, page, TURN)
    session = page.session
    target = tmp_path / "out" / "film.mp4"
    job = export_job(
        session.subject, session.avatar, page.motion.motion.track, target, ExportSettings(size=64)
    )
    export_module.pause(job)
    session.jobs.start(job)
    qtbot.waitUntil(
        lambda: job in page.queue.rows and page.queue.rows[job].state == "paused", timeout=120_000
    )
    row = page.queue.rows[job]
    qtbot.waitUntil(lambda: row.play.isVisible() and not row.pause.isVisible())
    click(qtbot, row.play)
    finished(qtbot, page)
    assert row.folder.isVisible()
    click(qtbot, row.forget)
    qtbot.waitUntil(lambda: not page.queue.rows)
    assert probe(target).frames == 12
    assert not job.exists()


def test_a_cancelled_export_leaves_nothing_and_can_start_again(qtbot, page, tmp_path):
    entered(qtbot, page, TURN)
    session = page.session
    target = tmp_path / "out" / "film.mp4"
    job = export_job(
        session.subject, session.avatar, page.motion.motion.track, target, ExportSettings(size=64)
    )
    export_module.pause(job)
    session.jobs.start(job)
    qtbot.waitUntil(
        lambda: job in page.queue.rows and page.queue.rows[job].state == "paused", timeout=120_000
    )
    row = page.queue.rows[job]
    click(qtbot, row.cancel)
    qtbot.waitUntil(lambda: row.state == "cancelled", timeout=120_000)
    assert list((tmp_path / "out").iterdir()) == []
    click(qtbot, row.again)
    finished(qtbot, page)
    assert probe(target).frames == 12


STATES = {
    "queued": (JobStatus("queued"), {"pause", "cancel"}, "Starting"),
    "waiting": (JobStatus("running", what=WAITING), {"pause", "cancel"}, "Waiting for its turn"),
    "running": (
        JobStatus("running", what="Rendering", done=30, total=120, seconds_left=61),
        {"pause", "cancel"},
        "30 of 120 frames · 1:01 left",
    ),
    "paused": (JobStatus("running", what=PAUSED, done=30, total=120), {"play", "cancel"}, "Paused"),
    "failed": (JobStatus("failed", message="The disk is full."), {"again", "forget"}, "disk is full"),
    "cancelled": (JobStatus("cancelled"), {"again", "forget"}, "Cancelled"),
    "finished": (JobStatus("finished"), {"folder", "forget"}, "2 MB in 0:07"),
}


@pytest.mark.parametrize("state", STATES)
def test_a_row_says_where_its_export_stands_and_what_can_be_done(qtbot, qapp, state):
    status, offered, words = STATES[state]
    asked = ExportJobSettings(ExportSettings(), Path("films") / "film.mp4", 0.0, "name")
    receipt = ExportReceipt(120, Fraction(30), 7.0, 2 * 10**6, ())
    export = Export(Path("job"), "Eileen", "instant", asked, JobStatus("queued"), False, None)
    row = QueueRow(export)
    qtbot.addWidget(row)
    row.show()
    row.show_export(replace(export, status=status, receipt=receipt if state == "finished" else None))
    assert row.state == state
    buttons = ("pause", "play", "again", "cancel", "folder", "forget")
    assert {name for name in buttons if getattr(row, name).isVisible()} == offered
    assert words in row.words.text()
    assert row.pause.isEnabled() == (state == "running")
    assert row.bar.isVisible() == (not status.over)
    if status.total:
        assert row.bar.value() == 250
    for name in offered - {"folder"}:
        button = getattr(row, name)
        if button.isEnabled():
            with qtbot.waitSignal(row.asked) as told:
                click(qtbot, button)
            assert told.args == [{"play": "go_on"}.get(name, name)]
