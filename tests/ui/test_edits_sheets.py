"""Choosing from sheets and baking, on a generator of toy size: what is clicked is what is wished for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QComboBox, QSpinBox

from pipelines import runner
from pipelines.bake_job import baked_copies
from pipelines.build_job import avatars, find_avatar
from pipelines.edit_avatar import put_edit
from pipelines.edit_person import latent_person
from pipelines.latent_sheet_job import latent_sheet_job, read_sheet
from pipelines.latent_sheets import COMPONENTS, STRENGTHS
from pipelines.run import run_job
from studio.domain.avatar import Avatar
from studio.domain.edits import Edit, LatentShift, Recolour
from studio.domain.problem import Problem
from studio.editing.attributes import eight_bit
from studio.editing.direction_files import DirectionFileWish
from studio.editing.ganspace import GanSpaceWish
from studio.editing.interfacegan import InterfaceGanWish, shown_to_judge
from studio.project.edit_files import load_edits
from studio.project.store import Store, SubjectFolder
from tests.cli.edited_home import NAME, instant_files, write_home
from ui.controls_model import ControlsModel
from ui.pages.perform_edits import EditsPanel
from ui.pages.perform_edits_add import AddEdit
from ui.pages.perform_edits_data import read_possible
from ui.pages.perform_edits_find import BY_THUMBS, BY_WORDS
from ui.pages.perform_posing import Posing
from ui.session import Session
from ui.widgets.viewport import Viewport

LEFT = Qt.MouseButton.LeftButton
SLOW = 300_000
"""Milliseconds for torch to load on a busy machine."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return instant_files(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture
def lee(store: Store, session: Session, base: Path, monkeypatch: pytest.MonkeyPatch) -> SubjectFolder:
    """Somebody whose PVP avatar is open. Jobs are done on the window's threads, which is quicker."""
    monkeypatch.setattr("os.fsync", lambda number: None)
    write_home(store.home, base)

    def start(folder: Path, *_: object, **__: object) -> runner.RunningJob:
        run_job(folder)
        return runner.RunningJob(folder, None)

    monkeypatch.setattr(runner, "start", start)
    subject = store.find(NAME)
    session.open_subject(subject)
    session.open_avatar(find_avatar(subject, "pvp"))
    session.jobs.begin()
    return subject


@pytest.fixture
def add(lee: SubjectFolder, session: Session, store: Store, qtbot) -> AddEdit:
    made = AddEdit(session)
    qtbot.addWidget(made)
    made.resize(352, 900)
    made.show()
    made.show_possible(read_possible(store.home, opened(session)))
    return made


def opened(session: Session) -> Avatar:
    assert session.avatar is not None
    return session.avatar


def test_a_component_is_chosen_by_its_row(add, qtbot) -> None:
    add.open("components")
    finder = add.finders["components"]
    view = finder.sheets["ganspace"]
    assert view.draw.isVisible()
    assert not view.sheet.isVisible()
    qtbot.mouseClick(view.draw, LEFT)
    qtbot.waitUntil(view.sheet.isVisible, timeout=SLOW)
    assert not view.draw.isVisible()
    assert len(view.sheet._places) == COMPONENTS * len(STRENGTHS)
    qtbot.mouseClick(view.sheet, LEFT, pos=view.sheet.cell(2 * len(STRENGTHS) + 1).center())
    part = finder.form.parts["component"]
    assert isinstance(part, QSpinBox)
    assert part.value() == 3
    part.setValue(2)
    view.sheet.setFocus()
    qtbot.keyClick(view.sheet, Qt.Key.Key_Down)
    qtbot.keyClick(view.sheet, Qt.Key.Key_Down)
    qtbot.keyClick(view.sheet, Qt.Key.Key_Space)
    with qtbot.waitSignal(add.asked) as asked:
        qtbot.mouseClick(finder.begin, LEFT)
    assert asked.args[1] == GanSpaceWish(component=4)


def test_samples_are_liked_and_not_and_a_direction_is_asked_for(add, session, qtbot) -> None:
    add.open("attributes")
    finder = add.finders["attributes"]
    about = finder.form.parts["attribute"]
    assert isinstance(about, QComboBox)
    with qtbot.waitSignal(add.asked) as asked:
        qtbot.mouseClick(finder.begin, LEFT)
    assert asked.args[1] == InterfaceGanWish(attribute="smile")
    about.setCurrentIndex(about.findData(BY_WORDS))
    assert finder.form.parts["text"].isVisible()
    assert not finder.begin.isEnabled()
    finder.form.put_text("text", "rosy cheeks")
    assert finder.begin.isEnabled()
    about.setCurrentIndex(about.findData(BY_THUMBS))
    assert not finder.form.parts["text"].isVisible()
    assert not finder.begin.isEnabled()
    view = finder.sheets["interfacegan"]
    qtbot.mouseClick(view.draw, LEFT)
    qtbot.waitUntil(view.sheet.isVisible, timeout=SLOW)
    for number in range(5):
        qtbot.mouseClick(view.sheet, LEFT, pos=view.sheet.cell(number).center())
    for number in range(11, 16):
        view.sheet.setFocus()
        view.sheet._current = number
        qtbot.keyClick(view.sheet, Qt.Key.Key_D)
    qtbot.mouseClick(view.sheet, LEFT, pos=view.sheet.cell(7).center())
    for _ in range(2):  # liked, disliked, and after all neither
        qtbot.mouseClick(view.sheet, LEFT, pos=view.sheet.cell(7).center())
    assert view.hint.text().startswith("5 liked, 5 not")
    with qtbot.waitSignal(add.asked) as asked:
        qtbot.mouseClick(finder.begin, LEFT)
    wish = asked.args[1]
    assert (wish.attribute, wish.text) == ("", "")
    assert (wish.likes, wish.dislikes) == ((0, 1, 2, 3, 4), (11, 12, 13, 14, 15))

    # Another avatar has its own sheet; the first one's is found again.
    pvp = opened(session)
    session.open_avatar(next(a for a in avatars(session.subject) if a.engine == "instant"))
    view.enter()
    assert not view.sheet.isVisible()
    session.open_avatar(pvp)
    view.enter()
    qtbot.waitUntil(view.sheet.isVisible, timeout=SLOW)


def test_every_picture_lies_where_the_sheet_says(lee: SubjectFolder) -> None:
    avatar = find_avatar(lee, "pvp")
    person = latent_person(avatar, "cpu")
    usual = person.usual(1)
    rest = eight_bit(person.draw(usual.ws, usual.moments))[0]
    job = latent_sheet_job(lee, avatar, "components")
    assert run_job(job) == 0
    sheet = read_sheet(job)
    pixels = np.asarray(Image.open(sheet.picture))
    assert {len(row) for row in sheet.rows} == {len(STRENGTHS)}
    for row in sheet.rows:
        x, y, side = row[STRENGTHS.index(0.0)]
        assert np.array_equal(pixels[y : y + side, x : x + side], rest)
        x, y, side = row[0]
        assert not np.array_equal(pixels[y : y + side, x : x + side], rest)
    job = latent_sheet_job(lee, avatar, "samples")
    assert run_job(job) == 0
    sheet = read_sheet(job)
    shown = shown_to_judge(person, InterfaceGanWish())
    places = [place for row in sheet.rows for place in row]
    assert len(places) == len(shown)
    pixels = np.asarray(Image.open(sheet.picture))
    for number in (0, 9, 10, len(places) - 1):
        x, y, side = places[number]
        drawn = eight_bit(person.draw(shown.ws[number : number + 1], shown.moments[number : number + 1]))[0]
        assert np.abs(pixels[y : y + side, x : x + side].astype(int) - drawn.astype(int)).max() <= 1
    with pytest.raises(Problem, match="no generator"):
        latent_sheet_job(lee, find_avatar(lee, "instant"), "samples")


def test_baking_leaves_a_copy_and_undoing_it_shows_the_original(lee, session, store, qtbot) -> None:
    original = opened(session)
    rows = np.random.default_rng(0).normal(0, 0.3, (1, 8)).astype(np.float32)
    put_edit(original, Edit("older", "Older", "direction-file", LatentShift(rows), 0.7))
    model = ControlsModel()
    panel = EditsPanel(session, model, Posing(session, model, Viewport()))
    qtbot.addWidget(panel)
    panel.show()
    panel.enter()
    session.edits.look()
    qtbot.waitUntil(panel.bake.isVisible, timeout=SLOW)
    actions = [action.text() for action in panel.list.rows["older"]._menu.actions()]
    assert any(words.startswith("Bake") for words in actions)
    qtbot.mouseClick(panel.bake, LEFT)
    qtbot.waitUntil(lambda: bool(baked_copies(lee)), timeout=SLOW)
    qtbot.waitUntil(lambda: not panel.searches.rows)
    (copy,) = baked_copies(lee)
    session.open_avatar(copy)
    qtbot.waitUntil(lambda: session.edits.known)
    assert panel.copies.baked.text() == "Baked into this copy: “Older” at 0.7."
    assert not panel.bake.isVisible()
    assert not panel.before.isVisible()
    qtbot.mouseClick(panel.copies.unbake, LEFT)
    qtbot.waitUntil(lambda: opened(session).folder == original.folder)
    assert not baked_copies(lee)
    assert [entry.title for entry in store.trash()] == [f"{NAME}: copy with “Older” at 0.7"]
    qtbot.waitUntil(lambda: "older" in panel.list.rows)
    assert not panel.copies.unbake.isVisible()


@pytest.mark.parametrize(("engine", "offered"), [("pvp", {"older", "red"}), ("instant", {"red"})])
def test_all_that_an_engine_can_bake_is_offered(lee, session, qtbot, engine: str, offered: set[str]) -> None:
    avatar = find_avatar(lee, engine)
    rows = np.random.default_rng(0).normal(0, 0.3, (1, 8)).astype(np.float32)
    put_edit(avatar, Edit("older", "Older", "direction-file", LatentShift(rows), 0.7))
    put_edit(avatar, Edit("red", "Red", "recolour", Recolour("hair", (0.0, 9.0, 5.0)), on=False))
    session.open_avatar(avatar)
    model = ControlsModel()
    panel = EditsPanel(session, model, Posing(session, model, Viewport()))
    qtbot.addWidget(panel)
    panel.show()
    panel.enter()
    session.edits.look()
    qtbot.waitUntil(lambda: bool(panel.list._bakeable), timeout=SLOW)
    words = {name: [a.text() for a in row._menu.actions()] for name, row in panel.list.rows.items()}
    assert {name for name, texts in words.items() if any(t.startswith("Bake") for t in texts)} == offered
    # Of what an instant avatar shows there is nothing to bake: latents mean nothing to it, the rest is off.
    assert panel.bake.isVisible() is (engine == "pvp")


def test_another_avatars_edits_are_copied_and_a_dropped_file_fills_its_form(
    lee, session, store, tmp_path, qtbot
) -> None:
    here = opened(session)
    other = find_avatar(lee, "instant")
    put_edit(other, Edit("hair", "Darker hair", "recolour", Recolour("hair", (-20.0, 0.0, 0.0)), 0.6))
    put_edit(other, Edit("older", "Older", "direction-file", LatentShift(np.ones((1, 8), np.float32))))
    model = ControlsModel()
    panel = EditsPanel(session, model, Posing(session, model, Viewport()))
    qtbot.addWidget(panel)
    panel.resize(368, 900)
    panel.show()
    qtbot.waitUntil(lambda: session.edits.known)
    assert not panel.copies.copy.isVisible()
    panel._take_possible(read_possible(store.home, here, lee))
    assert panel.copies.copy.text() == "Copy the edits of Instant (1)"
    said: list[str] = []
    session.said.connect(said.append)
    qtbot.mouseClick(panel.copies.copy, LEFT)
    qtbot.waitUntil(lambda: len(panel.list.rows) == 1)
    (edit,) = load_edits(here.folder).edits
    assert (edit.title, edit.strength) == ("Darker hair", 0.6)
    assert "“Older”" in said[0]
    assert not panel.copies.copy.isVisible()

    file = tmp_path / "age.npy"
    np.save(file, np.ones((1, 8), np.float32))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    none, middle = Qt.KeyboardModifier.NoModifier, QPointF(panel.rect().center())
    QApplication.sendEvent(panel, QDragEnterEvent(middle, Qt.DropAction.CopyAction, data, LEFT, none))
    assert panel.drop.hint.isVisible()
    QApplication.sendEvent(panel, QDropEvent(middle, Qt.DropAction.CopyAction, data, LEFT, none))
    assert panel.add.shown == "file"
    finder = panel.add.finders["file"]
    assert finder.begin.isEnabled()
    with qtbot.waitSignal(panel.add.asked) as asked:
        qtbot.mouseClick(finder.begin, LEFT)
    assert asked.args[1] == DirectionFileWish(file)
    qtbot.waitUntil(lambda: [e.title for e in panel.stack.edits][1:] == ["age"], timeout=SLOW)
