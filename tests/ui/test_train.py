"""The Train page: pivots chosen, locked and swapped; avatars built, watched, paused and given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage

from pipelines.build_job import plan_build
from pipelines.job import JobContext, alone, read_job, read_status
from pipelines.pivot_job import plan_pivots, wished
from studio.domain.pivots import PivotWishes
from studio.domain.progress import Interrupted
from studio.project.pivot_files import load_pivots, load_wishes, save_wishes
from studio.project.sequence_files import load_sequence
from ui.pages.train import TrainPage
from ui.widgets.job_card import JobCard

PATIENCE = 180_000
"""Milliseconds that a worker process may take to start and work."""


@pytest.fixture
def page(window, subject, qtbot) -> TrainPage:
    """The page on the sample, its pivots read."""
    window.resize(1280, 800)
    window.session.open_subject(subject)
    window.show_page("train")
    shown = window.page("train")
    qtbot.waitUntil(lambda: bool(shown.pivots.grid.frames()), timeout=PATIENCE)
    return shown


def click(qtbot, widget) -> None:
    assert widget.isVisible()
    assert widget.isEnabled()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def chosen_by_default(subject) -> list[int]:
    return load_pivots(plan_pivots(subject, subject.clip(None), PivotWishes()).folder).frames.tolist()


def test_pivots_are_shown_as_points_and_as_pictures_of_their_frames(page, subject, qtbot) -> None:
    from pipelines.aligned_crop import cut_view
    from studio.media import read_selected

    frames = chosen_by_default(subject)
    assert page.pivots.grid.frames() == frames
    qtbot.waitUntil(lambda: all(page.pivots.thumbnails.picture(f) for f in frames), timeout=PATIENCE)
    choice = plan_pivots(subject, subject.clip(None), PivotWishes())
    sequence = load_sequence(choice.sequence)
    for frame in (frames[0], frames[-1]):
        ((_, picture),) = read_selected(subject.clip(None).source, [frame])
        truth = cut_view(picture, sequence.crop_view(frame, 160))
        shown = page.pivots.thumbnails.picture(frame).convertToFormat(QImage.Format.Format_RGB888)
        lines = np.frombuffer(shown.constBits(), np.uint8).reshape(160, shown.bytesPerLine())
        assert np.array_equal(lines[:, :480].reshape(160, 160, 3), truth)
    x, y = page.pivots.plot._points.getData()
    assert np.allclose(np.stack([x, y], 1), sequence.motion.angles[frames, :2])


def test_a_frame_chosen_in_the_plot_is_chosen_among_the_pictures_and_back(page, subject, qtbot) -> None:
    pivots = page.pivots
    frames = chosen_by_default(subject)
    yaws = pivots._view.sequence.motion.angles[frames, 0]
    far = frames[int(np.argmax(yaws))]
    qtbot.mouseClick(
        pivots.plot.viewport(), Qt.MouseButton.LeftButton, pos=pivots.plot.place_of(far).toPoint()
    )
    assert pivots.grid.frame() == far == pivots.chosen
    assert str(far) in pivots._title.text()
    assert "alike frames" in pivots._reason.text()
    first = pivots.grid.item(0)
    pivots.grid.scrollToItem(first)
    place = pivots.grid.visualItemRect(first).center()
    qtbot.mouseClick(pivots.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert pivots.chosen == frames[0]
    ring = [float(data[0]) for data in pivots.plot._ring.getData()]
    assert np.allclose(ring, pivots._view.sequence.motion.angles[frames[0], :2])
    qtbot.keyClick(pivots.grid, Qt.Key.Key_Right)
    assert pivots.chosen == frames[1]


def test_any_good_frame_can_be_locked_a_pivot_swapped_and_all_of_it_reset(page, subject, qtbot) -> None:
    pivots, clip = page.pivots, subject.clip(None)
    before = chosen_by_default(subject)
    sequence = pivots._view.sequence
    other = next(f for f in np.flatnonzero(sequence.good).tolist() if f not in before)
    pivots.choose(other)
    assert "Not a pivot" in pivots._reason.text()
    assert not pivots._swap.isEnabled()
    click(qtbot, pivots._lock)
    qtbot.waitUntil(lambda: other in pivots.grid.frames(), timeout=PATIENCE)
    assert pivots._reason.text().startswith("Locked by you")
    assert load_wishes(clip.path) == PivotWishes(locked=(other,))
    victim = next(f for f in pivots.grid.frames() if f != other)
    pivots.choose(victim)
    qtbot.keyClick(pivots.grid, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: victim not in pivots.grid.frames(), timeout=PATIENCE)
    assert other in pivots.grid.frames()
    assert pivots.chosen in pivots.grid.frames()
    assert "1 locked" in pivots._heading.text()
    assert "1 ruled out" in pivots._heading.text()
    # What is built now heeds it.
    page.build.choose("instant", "draft")
    qtbot.waitUntil(lambda: page.build._wishes == PivotWishes((other,), (victim,)), timeout=PATIENCE)
    click(qtbot, pivots._undo)
    qtbot.waitUntil(lambda: pivots.grid.frames() == before, timeout=PATIENCE)
    assert not pivots._undo.isVisible()


def test_a_clip_without_pivots_offers_to_choose_them(window, subject, qtbot) -> None:
    from studio.project.atomic import remove_folder

    choice = plan_pivots(subject, subject.clip(None), PivotWishes())
    remove_folder(choice.folder)
    window.session.open_subject(subject)
    window.show_page("train")
    pivots = window.page("train").pivots
    qtbot.waitUntil(pivots.choose_now.isVisible, timeout=PATIENCE)
    click(qtbot, pivots.choose_now.button)
    qtbot.waitUntil(lambda: bool(pivots.grid.frames()), timeout=PATIENCE)
    assert choice.made
    assert pivots.grid.isVisible()


def test_a_wish_that_cannot_be_granted_is_explained_and_can_be_taken_back(window, subject, qtbot) -> None:
    clip = subject.clip(None)
    save_wishes(clip.path, PivotWishes(locked=(100_000,)))
    window.session.open_subject(subject)
    window.show_page("train")
    pivots = window.page("train").pivots
    qtbot.waitUntil(pivots.forget.isVisible, timeout=PATIENCE)
    with qtbot.waitSignal(window.session.failed, timeout=PATIENCE) as told:
        click(qtbot, pivots.choose_now.button)
    assert "Frame 100000 cannot be a pivot" in told.args[0].reason
    qtbot.waitUntil(pivots.forget.isVisible, timeout=PATIENCE)
    click(qtbot, pivots.forget)
    qtbot.waitUntil(lambda: pivots.grid.frames() == chosen_by_default(subject), timeout=PATIENCE)


def test_an_avatar_is_built_and_leads_to_perform(page, window, subject, qtbot) -> None:
    build = page.build
    qtbot.waitUntil(build.build.isEnabled, timeout=PATIENCE)
    assert build.chosen == ("instant", "standard")
    assert build.build.text() == "Perform with it", "the sample's instant avatar is there"
    for preset, takes in build.cards["instant"]._takes.items():
        assert takes.text(), preset
    build.choose("instant", "draft")
    assert "memory" in build.cards["instant"]._takes["draft"].text()
    click(qtbot, build.build)
    made = plan_build(subject, subject.clip(None), "instant", "draft", wished(PivotWishes()))
    qtbot.waitUntil(lambda: bool(page.cards), timeout=PATIENCE)
    assert not build.build.isEnabled()
    qtbot.waitUntil(lambda: not page.cards, timeout=PATIENCE)
    qtbot.waitUntil(lambda: build.build.text() == "Perform with it", timeout=PATIENCE)
    assert plan_build(subject, subject.clip(None), "instant", "draft").made
    button = type(build.build)
    qtbot.waitUntil(lambda: sum(line.isVisible() for line in page.avatars.findChildren(button)) == 2)
    with qtbot.waitSignal(window.session.asked_for) as asked:
        click(qtbot, build.build)
    assert asked.args == ["perform"]
    assert window.session.avatar.folder == made.avatar
    assert window.session.preferences.text("train.instant") == "draft"


# A build at work, the worker being the test itself


@pytest.fixture
def worker(page, subject) -> Iterator[JobContext]:
    """The worker's side of a PVP build."""
    folder = plan_build(subject, subject.clip(None), "pvp", "draft").job()
    with alone(folder) as free:
        assert free
        context = JobContext(folder, read_job(folder))
        context.begin(4)
        yield context
        if not read_status(folder).over:
            context.end("stopped")


@pytest.fixture
def card(page, worker, qtbot) -> JobCard:
    """Its card on the page."""
    qtbot.waitUntil(lambda: worker.folder in page.cards, timeout=PATIENCE)
    return page.cards[worker.folder]


def test_a_build_at_work_shows_stage_progress_curves_picture_and_notes(card, worker, qtbot) -> None:
    worker(100, 1000, "teaching the painter")
    worker.metric(step=20, loss=0.5)
    worker.metric(step=40, loss=0.25, validation_psnr=21.5)
    worker.say("LPIPS is off.")
    sheet = QImage(4 * 16, 3 * 16, QImage.Format.Format_RGB888)
    sheet.fill(Qt.GlobalColor.red)
    path = worker.scratch(worker.plan.steps[4]) / "preview.png"
    assert sheet.save(str(path))
    worker.picture(path)
    qtbot.waitUntil(card.preview.isVisible, timeout=PATIENCE)
    assert card.title == "Personal prior (PVP)"
    assert "Step 5 of 6" in card._stage.text()
    worker.note("step 40 of 400")

    def noted() -> bool:
        worker(100, 1000, "teaching the painter")
        return "step 40 of 400" in card._what.text()

    qtbot.waitUntil(noted, timeout=PATIENCE)
    assert card.bar.value() == round(1000 * (4 + 0.1) / 6)
    assert card.curves.losses.line.getData()[1].tolist() == [0.5, 0.25]
    assert card.curves.judged.line.getData()[1].tolist() == [21.5]
    assert "LPIPS is off." in card.notes.text()
    worker.metric(step=60, loss=0.125)
    qtbot.waitUntil(lambda: card.curves.losses.line.getData()[1].tolist() == [0.5, 0.25, 0.125])


def test_pause_stops_with_a_checkpoint_and_cancel_asks_first(page, card, worker, qtbot) -> None:
    scratch = worker.scratch(worker.plan.steps[4])
    click(qtbot, card.pause)
    assert not card.pause.isEnabled()
    with pytest.raises(Interrupted):
        worker.obey()
    worker.end("stopped")
    qtbot.waitUntil(card.resume.isVisible)
    assert card.resume.text() == "Resume"
    assert not card.pause.isVisible()
    assert scratch.is_dir()
    click(qtbot, card.cancel)
    assert scratch.is_dir(), "it asks first"
    click(qtbot, card.keep)
    assert not card.give_up.isVisible()
    click(qtbot, card.cancel)


def test_giving_up_a_build_at_work_takes_its_card_away(page, card, worker, qtbot) -> None:
    click(qtbot, card.cancel)
    click(qtbot, card.give_up)
    assert (worker.folder / "cancel").exists()
    worker.end("cancelled")
    qtbot.waitUntil(lambda: worker.folder not in page.cards)
    assert page.build.isVisible()


def test_a_failure_says_what_failed_what_is_safe_and_has_a_report(card, worker, qtbot) -> None:
    (worker.folder / "log.txt").write_text("first line\nlast words of the worker\n")
    worker.end("failed", "The graphics card is full: choose a smaller preset.", problem=True)
    qtbot.waitUntil(card.trouble.isVisible)
    assert card.trouble.text() == "The graphics card is full: choose a smaller preset."
    assert "safe" in card._safe.text()
    assert card.resume.text() == "Try again"
    assert "Making the personal prior" in card._stage.text()
    click(qtbot, card.report)
    clipboard = QGuiApplication.clipboard()
    qtbot.waitUntil(lambda: "last words of the worker" in clipboard.text())
    assert "The graphics card is full" in clipboard.text()


def test_a_build_from_before_the_window_was_opened_is_shown(qtbot, qapp, filled_store, subject) -> None:
    from ui.app import open_window

    folder = plan_build(subject, subject.clip(None), "pvp", "draft").job()
    context = JobContext(folder, read_job(folder))
    context.end("stopped")
    window = open_window(qapp, filled_store)
    qtbot.addWidget(window)
    window.show()
    window.session.open_subject(subject)
    window.show_page("train")
    page = window.page("train")
    assert isinstance(page, TrainPage)
    qtbot.waitUntil(lambda: folder in page.cards, timeout=PATIENCE)
    assert page.cards[folder].resume.isVisible()
    window.close()


def test_somebody_without_a_clip_is_led_to_the_library(window, store, qtbot) -> None:
    window.session.open_subject(store.add("Nobody yet"))
    window.show_page("train")
    page: TrainPage = window.page("train")
    assert page._states.currentIndex() == 1
    assert not Path(store.home / "subjects" / "nobody-yet" / "jobs").exists()
