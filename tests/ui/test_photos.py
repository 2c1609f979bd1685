"""A photo in the window: dropped, its avatar performs at once, and pages say what one picture cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel

from pipelines.build_job import avatars
from pipelines.import_job import import_clip
from pipelines.job import JobContext, read_job
from studio.media import read_selected
from studio.project.store import Store
from ui.actions.bring_driver import driving_clips
from ui.actions.video_files import ask_for_videos
from ui.pages.library_listing import clips_and_use, read_library

PATIENCE = 240_000
"""Milliseconds that a worker process may take to start and work on a busy machine."""


@pytest.fixture(scope="session")
def photo(filled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frame of the sample as a JPEG."""
    (clip,) = (filled_home / "subjects").glob("*/clips/*/source.mp4")
    ((_, picture),) = read_selected(clip, [0])
    file = tmp_path_factory.mktemp("photos") / "me.jpg"
    Image.fromarray(picture).save(file, quality=95)
    return file


@pytest.fixture
def photographed(store: Store, photo: Path):
    """A subject with a photo, tracked, and its instant avatar; made in this process."""
    from pipelines.run import make

    done = import_clip(store, "Ann", photo, consent="Public domain portrait")
    assert done.job is not None
    plan = read_job(done.job)
    context = JobContext(done.job, plan)
    for number, step in enumerate(plan.steps):
        context.begin(number)
        make(step, done.subject.path, context)
    context.end("finished")
    assert [avatar.engine for avatar in avatars(done.subject)] == ["instant"]
    return done.subject


@pytest.fixture
def shown(window, photographed):
    """The window with that subject open."""
    window.resize(1280, 800)
    window.session.open_subject(photographed)
    return window


def words(page) -> str:
    return " ".join(part.text() for part in page.findChildren(QLabel) if part.isVisible())


def test_a_dropped_photo_becomes_an_avatar_that_performs(window, qtbot, photo) -> None:
    library = window.page("library")
    window.show_page("library")
    library.bring_in.do("Ann", photo, "Public domain portrait")
    qtbot.waitUntil(lambda: window.shown == "perform", timeout=PATIENCE)
    session = window.session
    assert session.subject is not None
    assert session.subject.name == "Ann"
    assert session.avatar is not None
    assert session.avatar.engine == "instant"
    qtbot.waitUntil(lambda: session.live.frame is not None, timeout=PATIENCE)


def test_whoever_has_gone_elsewhere_is_not_called_back(window, qtbot, photo) -> None:
    library = window.page("library")
    window.show_page("library")
    done: list[object] = []
    library.bring_in.arrived.connect(done.append)
    library.bring_in.do("Ann", photo, "Public domain portrait")
    qtbot.waitUntil(lambda: bool(done), timeout=PATIENCE)
    window.show_page("settings")
    jobs = window.session.jobs
    qtbot.waitUntil(lambda: bool(jobs.jobs()) and all(j.status.over for j in jobs.jobs()), timeout=PATIENCE)
    qtbot.wait(200)
    assert window.shown == "settings"


def test_the_capture_page_shows_the_photo_and_asks_for_no_more_of_it(shown, qtbot) -> None:
    shown.show_page("capture")
    page = shown.page("capture")
    qtbot.waitUntil(lambda: page._data is not None and page._data.seen is not None, timeout=PATIENCE)
    qtbot.waitUntil(lambda: page.player.facts is not None, timeout=PATIENCE)
    assert "Photo · 256 × 256" in words(page)
    assert "From one photo" in words(page)
    assert "Record next" not in words(page)
    for part in (page.player.play_button, page.strip, page.legend, page.side.options, page.side.poses):
        assert not part.isVisible()
    assert page.player.mesh_button.isVisible()
    assert page._go_on.text() == "Perform"
    assert page._go_on_picture.picture == "perform"
    qtbot.mouseClick(page._go_on, Qt.MouseButton.LeftButton)
    assert shown.shown == "perform"


def test_a_clip_beside_it_brings_everything_back(shown, qtbot, filled_home, photographed) -> None:
    (film,) = (filled_home / "subjects").glob("*/clips/*/source.mp4")
    clip, _ = photographed.add_clip(film)
    shown.show_page("capture")
    page = shown.page("capture")
    shown.session.open_clip(clip)
    for part in (page.player.play_button, page.strip, page.side.options):
        assert part.isVisible()
    assert page._go_on.text() == "Build an avatar"
    assert page._go_on_picture.picture == "train"
    (entry,) = read_library(shown.session.store, {}).entries
    assert clips_and_use(entry).startswith("1 clip, 1 photo")


def test_the_train_page_offers_what_one_picture_is_enough_for(shown, qtbot) -> None:
    shown.show_page("train")
    page = shown.page("train")
    qtbot.waitUntil(lambda: bool(page.build._offers.offers), timeout=PATIENCE)
    qtbot.waitUntil(lambda: page.pivots.photo.picture.pixels is not None, timeout=PATIENCE)
    assert page.build._offers.photo
    cards = page.build.cards
    assert list(cards)[:2] == ["instant", "semantic"]
    assert cards["instant"].missing is None
    assert "train-people" in str(cards["semantic"].missing)
    assert "--engine nofa" in str(cards["nofa"].missing)
    for engine in ("pvp", "tri2plane"):
        assert "one photo" in str(cards[engine].missing)
        assert not cards[engine].title.isEnabled()
    assert page.build.chosen == ("instant", "standard")
    assert page.build.build.text() == "Perform with it"
    assert page.pivots.photo.picture.pixels.shape[2] == 3


def test_a_base_model_that_comes_is_offered_and_chosen(shown, qtbot, store) -> None:
    from tests.engines.semantic.one_person import shelve

    shelve(store.home)
    shown.show_page("train")
    page = shown.page("train")
    qtbot.waitUntil(lambda: ("semantic", "best") in page.build._offers.offers, timeout=PATIENCE)
    assert page.build.chosen == ("semantic", "standard")
    assert page.build.build.text() == "Build"
    assert "already there" not in page.build._offers.offers["semantic", "draft"].forecast.sentence


def test_comparing_says_in_a_sentence_why_it_cannot(shown, qtbot) -> None:
    shown.show_page("compare")
    page = shown.page("compare")
    qtbot.waitUntil(lambda: "never see" in words(page), timeout=PATIENCE)
    assert page.state == "nothing"
    assert not page.a.isVisible()


def test_a_photo_is_nobody_who_drives(photographed, store, photo) -> None:
    assert driving_clips(store) == []


def test_dialogs_let_photos_be_chosen_where_they_will_do(qtbot, session) -> None:
    from PySide6.QtWidgets import QWidget

    parent = QWidget()
    qtbot.addWidget(parent)
    for photos in (True, False):
        dialog = ask_for_videos(parent, session.preferences, lambda files: None, "Choose", photos=photos)
        assert isinstance(dialog, QFileDialog)
        first = dialog.nameFilters()[0]
        assert ("*.heic" in first) == ("*.jpg" in first) == photos
        assert "*.mp4" in first
        dialog.close()


def test_emotions_are_tiles_of_their_own(shown, qtbot) -> None:
    shown.show_page("perform")
    page = shown.page("perform")
    page.tabs.setCurrentWidget(page.edits)
    add = page.edits.add
    qtbot.waitUntil(lambda: bool(add.tiles["emotion"].tiles), timeout=PATIENCE)
    titles = [tile.text() for tile in add.tiles["emotion"].tiles.values()]
    assert titles == ["Happy", "Sad", "Angry", "Surprised", "Disgusted", "Afraid", "Neutral"]
    add.open("emotion")
    assert add.ways["emotion"].text() == "Emotion"
    next(tile for tile in add.tiles["emotion"].tiles.values() if tile.text() == "Sad").click()
    qtbot.waitUntil(lambda: [edit.name for edit in page.edits.stack.edits] == ["sad"], timeout=PATIENCE)
    assert np.isclose(page.edits.stack.edits[0].strength, 0.8)
