"""Edits of the avatar: what is changed about the person, how much, and what else could be."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from pipelines.colour_job import KIND as MEASURING
from pipelines.colour_job import colour_job, measured_colours
from pipelines.edit_avatar import free_name
from studio.domain.edits import Edit, EditStack
from studio.domain.progress import silent
from ui.bridge.jobs import Job
from ui.controls_model import ControlsModel
from ui.edit_changes import (
    EditCommand,
    TwoWays,
    added,
    moved,
    removed,
    replaced,
    strengthened,
    switched,
    titled,
)
from ui.pages.perform_edits_add import AddEdit
from ui.pages.perform_edits_copies import EditCopies
from ui.pages.perform_edits_data import MEASURED, Possible, Way, given_up, offer_of, read_possible, used
from ui.pages.perform_edits_faces import PanelFaces
from ui.pages.perform_edits_searches import EditSearches
from ui.pages.perform_posing import Posing
from ui.session import Session
from ui.theme import GAP
from ui.widgets.edit_facts import EditFacts
from ui.widgets.edit_list import EditList
from ui.widgets.edit_tiles import Offer
from ui.widgets.file_drop import FileDrop
from ui.widgets.plain import button, label, line, row


class EditsPanel(QWidget):
    """The stack above, what could be added below.

    Attributes:
        counted: how many edits there are, whenever that changes.
    """

    counted = Signal(int)

    def __init__(self, session: Session, model: ControlsModel, posing: Posing) -> None:
        super().__init__()
        self._session, self._model, self._posing = session, model, posing
        self._active = False
        self.before = button(
            self.tr("Hold to see before"),
            picture="before",
            tip=self.tr("Shows the person as filmed for as long as you hold this button, or the B key"),
        )
        self.before.setAutoRepeat(False)
        self.before.pressed.connect(partial(self.show_before, True))
        self.before.released.connect(partial(self.show_before, False))
        self.searches = EditSearches(session)
        self.bake = button(
            self.tr("Bake"),
            self.searches.bake,
            tip=self.tr(
                "Makes the edits that show part of a copy of the avatar, where they cost nothing. The "
                "original stays."
            ),
        )
        self.copies = EditCopies(session)
        self._measured: Path | None = None
        self.list = EditList(model)
        self._hint = label(
            self.tr("Nothing is changed about this person yet. Choose below, and it shows on the picture."),
            "hint",
            wrap=True,
        )
        self.add = AddEdit(session)
        self.faces = PanelFaces(session, model, posing, self.list, self.add)
        self._lay_out()
        self.drop = FileDrop(self, self.tr("Drop a direction to make an edit of it"), self._dropped)
        self.list.titled.connect(self._retitle)
        self.list.switched.connect(self._switch)
        self.list.moved.connect(self._move)
        self.list.asked.connect(self._asked)
        self.add.chosen.connect(self.take_offer)
        self.add.asked.connect(self._find)
        self.add.changed.connect(self._measure)
        session.jobs.ended.connect(self._job_ended)
        session.edits.changed.connect(self._show)
        session.avatar_changed.connect(self._show)
        session.avatar_changed.connect(self._read)
        model.sheet_changed.connect(self._order_keys)
        model.keeper = self._keep_strength
        self._show()

    @property
    def stack(self) -> EditStack:
        """The open avatar's edits."""
        return self._session.edits.stack

    def enter(self) -> None:
        """It is seen now."""
        self._active = True
        self.faces.enter()
        self._read()

    def leave(self) -> None:
        """It is hidden now."""
        if not self._active:
            return
        self._active = False
        self.faces.leave()
        self.before.setDown(False)
        self.show_before(False)

    def _read(self) -> None:
        """Look what is possible, on a thread: weights may have come, or another avatar is open."""
        session, avatar = self._session, self._session.avatar
        if self._active and avatar is not None:
            work = partial(read_possible, session.store.home, avatar, session.subject)
            session.background.run(self, work, self._take_possible)

    def _take_possible(self, possible: Possible) -> None:
        self.add.show_possible(possible)
        self._show()
        self._measure()

    def _measure(self) -> None:
        """Have the person's colours measured, once, when colours are looked at."""
        session = self._session
        subject, avatar = session.subject, session.avatar
        wanted = self.add.possible.unmeasured and self.add.shown == "colour"
        if not wanted or subject is None or avatar is None or avatar.folder == self._measured:
            return
        self._measured = avatar.folder
        work = partial(colour_job, subject, avatar)
        start = partial(session.jobs.start, failed=self._not_found)
        session.background.run(self, work, start, self._not_found)

    def _job_ended(self, job: Job) -> None:
        if job.plan.kind == MEASURING and job.status.state == "finished":
            self._read()

    # What hands do

    def show_before(self, held: bool) -> None:
        """Show the person as filmed while somebody holds a button."""
        self._posing.show_unedited(held and bool(self.stack.edits))

    def take_offer(self, offer: Offer) -> None:
        """Add what is offered, or go to it if it is there."""
        there, old = used(self.stack, offer), given_up(self.stack, offer)
        if there is None and old is not None:
            self._replace(old, offer.edit)
        elif there is None:
            self.put(offer.edit)
        else:
            row = self.list.rows[there]
            self._scroll.ensureWidgetVisible(row)
            row.keys[-1].setFocus()

    def put(self, edit: Edit) -> None:
        """Add an edit under a name that is free."""
        named = freely_named(self.stack, edit)
        self._do(added(named), self.tr("Add {title}").format(title=edit.title))
        self._scroll.verticalScrollBar().setValue(0)

    def _replace(self, old: Edit, edit: Edit) -> None:
        new = freely_named(self.stack, edit)
        words = {"old": old.title, "new": new.title}
        self._do(replaced(self.stack, old.name, new), self.tr("{new} instead of {old}").format(**words))
        said = self.tr("{new} takes the place of {old}. Ctrl+Z brings it back.")
        self._session.said.emit(said.format(**words))

    def _find(self, way: Way, wish: Any) -> None:
        """What somebody wishes, at once where nothing must be searched, otherwise in a job."""
        if way.spec.generator:
            self.searches.begin(way.spec.id, wish)
            return
        if way.spec.id == MEASURED and self.add.possible.unmeasured:
            self._session.said.emit(
                self.tr("The person’s colours are being looked at: try again in a moment.")
            )
            return
        home, avatar, subject = self._session.store.home, self._session.avatar, self._session.subject

        def work() -> Offer:
            from studio.assets import AssetLibrary
            from studio.editing.method import Workplace

            assert avatar is not None
            colours = None if subject is None else measured_colours(subject, avatar)
            place = Workplace(
                AssetLibrary(home),
                avatar.folder / "edits" / "cache",
                silent,
                colours=None if colours is None else lambda: colours,
            )
            return offer_of(way.spec.id, wish, way.spec.find(None, wish, place))

        if avatar is not None:
            self._session.background.run(self, work, self.take_offer, self._not_found)

    def _dropped(self, files: list[Path]) -> None:
        """A direction from elsewhere: its form is opened with it."""
        finder = self.add.finders.get("file")
        if finder is not None:
            self.add.open("file")
            finder.form.put_text("path", str(files[0]))
            self._scroll.ensureWidgetVisible(finder)
            finder.begin.setFocus()

    def _not_found(self, error: Exception) -> None:
        self._session.fail(self.tr("This edit cannot be made"), error)

    def _keep_strength(self, control: str, before: float, strength: float) -> None:
        edit = next((edit for edit in self.stack.edits if edit.control_name == control), None)
        if edit is not None:
            change = strengthened(self.stack, edit.name, strength, before)
            self._do(change, self.tr("Strength of {title}").format(title=edit.title), f"strength {edit.name}")

    def _retitle(self, name: str, title: str) -> None:
        self._do(titled(self.stack, name, title), self.tr("Rename {title}").format(title=title))

    def _switch(self, name: str, on: bool) -> None:
        words = self.tr("Show {title}") if on else self.tr("Hide {title}")
        self._do(switched(self.stack, name, on), words.format(title=self.stack.find(name).title))

    def _move(self, name: str, place: int) -> None:
        words = self.tr("Move {title}").format(title=self.stack.find(name).title)
        self._do(moved(self.stack, name, place), words)

    def _asked(self, name: str, wish: str) -> None:
        if wish == "remove":
            title = self.stack.find(name).title
            self._do(removed(self.stack, name), self.tr("Remove {title}").format(title=title))
            words = self.tr("“{title}” is removed. Ctrl+Z brings it back.")
            self._session.said.emit(words.format(title=title))
        elif wish == "bake":
            self.searches.bake((name,))
        elif wish == "facts":
            edit = self.stack.find(name)
            titles = {way.spec.id: way.spec.title for way in self.add.possible.ways}
            EditFacts(self, edit, titles.get(edit.method, edit.method)).open()

    def _do(self, change: TwoWays, text: str, key: str = "") -> None:
        folder = self._folder
        if folder is not None:
            self._model.undo.push(EditCommand(self._session.edits, folder, change, text, key))

    @property
    def _folder(self) -> Path | None:
        avatar = self._session.avatar
        return None if avatar is None else avatar.folder

    # What is seen

    def _show(self) -> None:
        stack = self.stack
        self.list.show_stack(stack)
        some = bool(stack.edits)
        self.list.setVisible(some)
        self.before.setVisible(some)
        possible = self.add.possible
        self.copies.offer(possible.elsewhere, empty=not some)
        self._hint.setVisible(not some and not self.copies.is_baked)
        able = [edit for edit in stack.edits if isinstance(edit.effect, possible.baked)]
        self.bake.setVisible(any(edit.on and edit.strength != 0.0 for edit in able))
        self.list.offer_baking({edit.name for edit in able})
        self.add.show_used({key for key, offer in self.add.offers.items() if used(stack, offer)})
        self.counted.emit(len(stack))
        self._order_keys()
        self.faces.disturb()

    def _order_keys(self) -> None:
        """The keyboard goes from the top down, also to what came later."""
        searched = [part for search in self.searches.rows.values() for part in search.keys]
        above = [*self.copies.keys, self.before, self.bake]
        keys = [*above, *self.list.keys, *searched, *self.add.ways.values()]
        for one, other in zip(keys, keys[1:]):
            QWidget.setTabOrder(one, other)

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, GAP - 2, GAP // 2, 0)
        column.setSpacing(GAP - 4)
        column.addWidget(self._hint)
        column.addWidget(self.copies)
        column.addLayout(row(self.before, self.bake, None, spacing=8))
        column.addWidget(self.list)
        column.addWidget(self.searches)
        column.addWidget(line())
        column.addWidget(self.add)
        column.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._scroll)


def freely_named(stack: EditStack, edit: Edit) -> Edit:
    """The edit under a name that no other has."""
    return replace(edit, name=free_name(edit.title, {one.name for one in stack.edits}))
