"""Edits of the avatar: what is changed about the person, how much, and what else could be."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from pipelines.bake_job import about_copy, remove_copy
from pipelines.build_job import BAKED
from pipelines.edit_avatar import GENERATORS, Copied, copy_edits, free_name
from studio.domain.avatar import Avatar
from studio.domain.controls import ControlState
from studio.domain.edits import LATENT, Edit, EditStack
from studio.domain.progress import silent
from ui.bridge.edit_faces import FaceWish, with_values
from ui.controls_model import ControlsModel
from ui.edit_changes import (
    EditCommand,
    TwoWays,
    added,
    moved,
    removed,
    strengthened,
    switched,
    titled,
)
from ui.pages.perform_edits_add import AddEdit
from ui.pages.perform_edits_data import Possible, Way, offer_key, offer_of, read_possible
from ui.pages.perform_edits_searches import EditSearches
from ui.pages.perform_posing import Posing
from ui.session import Session
from ui.theme import GAP
from ui.widgets.edit_facts import EditFacts
from ui.widgets.edit_list import EditList
from ui.widgets.edit_row import FACE
from ui.widgets.edit_tiles import SIDE, Offer
from ui.widgets.file_drop import FileDrop
from ui.widgets.plain import button, label, line, row
from ui.words import avatar_title

RESTS = 350
"""Milliseconds that a picture must stand still before faces are drawn anew."""


class EditsPanel(QWidget):
    """The stack above, what could be added below.

    Attributes:
        counted: how many edits there are, whenever that changes.
    """

    counted = Signal(int)

    def __init__(self, session: Session, model: ControlsModel, posing: Posing) -> None:
        super().__init__()
        self._session, self._model, self._posing = session, model, posing
        self._active = self._connected = False
        self._wished: dict[str, FaceWish] = {}
        self._shown: dict[str, tuple[ControlState, int]] = {}
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
                "Makes edits found by words, attributes or directions part of a copy of the avatar, where "
                "they cost nothing. The original stays."
            ),
        )
        self.baked = label(role="hint", wrap=True)
        self.unbake = button(
            self.tr("Undo baking"),
            self._unbake,
            picture="undo",
            tip=self.tr("Moves this copy to the trash and shows the original with its edits"),
        )
        self.copy = button(
            "",
            self._copy,
            picture="copy",
            tip=self.tr(
                "Shapes and colours are copied; what was found for one generator means nothing to another"
            ),
        )
        self._source: Avatar | None = None
        self.list = EditList(model)
        self._hint = label(
            self.tr("Nothing is changed about this person yet. Choose below, and it shows on the picture."),
            "hint",
            wrap=True,
        )
        self.add = AddEdit(session)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(RESTS)
        self._rest.timeout.connect(self._wish_faces)
        self._lay_out()
        self.drop = FileDrop(self, self.tr("Drop a direction to make an edit of it"), self._dropped)
        self.list.titled.connect(self._retitle)
        self.list.switched.connect(self._switch)
        self.list.moved.connect(self._move)
        self.list.asked.connect(self._asked)
        self.add.chosen.connect(self.take_offer)
        self.add.asked.connect(self._find)
        self.add.changed.connect(self._rest.start)
        session.edits.changed.connect(self._show)
        session.avatar_changed.connect(self._show)
        session.avatar_changed.connect(self._read)
        model.changed.connect(self._disturbed)
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
        live, faces = self._posing.live, self._session.faces
        if not self._connected:
            self._connected = True
            live.arrived.connect(self._arrived)
            live.took_over.connect(self._disturbed)
            live.rests_changed.connect(self._disturbed)
            faces.drawn.connect(self._take_face)
        self._read()
        self._rest.start()

    def leave(self) -> None:
        """It is hidden now."""
        if not self._active:
            return
        self._active = False
        self._rest.stop()
        self.before.setDown(False)
        self.show_before(False)
        self._session.faces.rest()

    def _read(self) -> None:
        """Look what is possible, on a thread: weights may have come, or another avatar is open."""
        session, avatar = self._session, self._session.avatar
        if self._active and avatar is not None:
            work = partial(read_possible, session.store.home, avatar, session.subject)
            session.background.run(self, work, self._take_possible)

    def _take_possible(self, possible: Possible) -> None:
        self.add.show_possible(possible)
        self._show()

    # What hands do

    def show_before(self, held: bool) -> None:
        """Show the person as filmed while somebody holds a button."""
        self._posing.show_unedited(held and bool(self.stack.edits))

    def take_offer(self, offer: Offer) -> None:
        """Add what is offered, or go to it if it is there."""
        there = used(self.stack, offer)
        if there is None:
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

    def _find(self, way: Way, wish: Any) -> None:
        """What somebody wishes, at once where nothing must be searched, otherwise in a job."""
        if way.spec.generator:
            self.searches.begin(way.spec.id, wish)
            return
        home, avatar = self._session.store.home, self._session.avatar

        def work() -> Offer:
            from studio.assets import AssetLibrary
            from studio.editing.method import Workplace

            assert avatar is not None
            place = Workplace(AssetLibrary(home), avatar.folder / "edits" / "cache", silent)
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

    def _offer_copy(self, empty: bool) -> None:
        """Edits of another avatar of the same person, where this one has none."""
        source, count = self.add.possible.elsewhere or (None, 0)
        here = self._folder
        self._source = source
        if source is None or here is None or source.folder.parent != here.parent or source.folder == here:
            self._source = None
        else:
            words = self.tr("Copy the edits of {title} ({n})")
            self.copy.setText(words.format(title=avatar_title(source), n=count))
        self.copy.setVisible(empty and self._source is not None)

    def _copy(self) -> None:
        session, source = self._session, self._source
        avatar = session.avatar
        if avatar is None or source is None:
            return

        def done(copied: Copied) -> None:
            session.edits.look()
            if copied.refused:
                session.said.emit(copied.refused)

        session.background.run(self, partial(copy_edits, source, avatar), done, self._not_copied)

    def _not_copied(self, error: Exception) -> None:
        self._session.fail(self.tr("The edits were not copied"), error)

    def _unbake(self) -> None:
        """Remove the copy that is open, and show what it was made from."""
        session = self._session
        subject, avatar, store = session.subject, session.avatar, session.store
        if subject is None or avatar is None or BAKED not in avatar.lineage:
            return
        self.unbake.setEnabled(False)

        def work() -> Avatar | None:
            from studio.project.avatar_files import load_avatar

            source = avatar.folder.parent / Path(str(avatar.lineage[BAKED]["from"])).name
            original = load_avatar(source) if source.is_dir() else None
            remove_copy(store, subject, avatar.key)
            return original

        def done(original: Avatar | None) -> None:
            self.unbake.setEnabled(True)
            if original is not None:
                session.open_avatar(original)
            session.refresh()
            session.said.emit(self.tr("The copy is in the trash; the original has its edits as before."))

        session.background.run(self, work, done, self._not_unbaked)

    def _not_unbaked(self, error: Exception) -> None:
        self.unbake.setEnabled(True)
        self._session.fail(self.tr("The copy could not be removed"), error)

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
        avatar = self._session.avatar
        baked = avatar is not None and BAKED in avatar.lineage
        self._hint.setVisible(not some and not baked)
        self._offer_copy(not some and not baked)
        self.baked.setVisible(baked)
        self.unbake.setVisible(baked)
        if baked and avatar is not None:
            self.baked.setText(self.tr("Baked into this copy: {what}.").format(what=about_copy(avatar)))
        bakes = avatar is not None and avatar.engine in GENERATORS
        latent = [edit for edit in stack.edits if bakes and isinstance(edit.effect, LATENT)]
        self.bake.setVisible(any(edit.on and edit.strength != 0.0 for edit in latent))
        self.list.offer_baking({edit.name for edit in latent})
        self.add.show_used({key for key, offer in self.add.offers.items() if used(stack, offer)})
        self.counted.emit(len(stack))
        self._order_keys()
        self._disturbed()

    def _order_keys(self) -> None:
        """The keyboard goes from the top down, also to what came later."""
        searched = [part for search in self.searches.rows.values() for part in search.keys]
        first = [self.copy, self.unbake, self.before, self.bake]
        keys = [*first, *self.list.keys, *searched, *self.add.ways.values()]
        for one, other in zip(keys, keys[1:]):
            QWidget.setTabOrder(one, other)

    def _disturbed(self) -> None:
        """Nothing is drawn small while something moves."""
        if self._active:
            self._session.faces.draw(())
            self._rest.start()

    def _arrived(self) -> None:
        frame = self._posing.live.frame
        if self._active and frame is not None and frame.request.quality == "full":
            self._rest.start()

    def _wish_faces(self) -> None:
        """Faces of all edits and of what is offered, as the picture stands."""
        live, session = self._posing.live, self._session
        if not self._active or live.avatar is None or live.coming is not None or session.avatar is None:
            return
        state = self._model.state()
        if not state.names:
            return
        offers = self.add.offered
        beside = {key: in_reserve(offer, n) for n, (key, offer) in enumerate(self.add.offers.items())}
        session.faces.show(session.avatar, beside.values())
        ratio = self.devicePixelRatioF()
        none = {edit.control_name: 0.0 for edit in self.stack.edits}
        wishes = []
        for edit in self.stack.edits:
            alone = with_values(state, none | {edit.control_name: at_work(edit)})
            wishes.append(FaceWish(f"row {edit.name}", alone, round(FACE * ratio)))
        for offer in offers:
            name = beside[offer.key].control_name
            tried = with_values(state, {name: at_work(offer.edit)})
            wishes.append(FaceWish(f"tile {offer.key}", tried, round(SIDE * ratio)))
        session.faces.draw(wish for wish in wishes if self._shown.get(wish.key) != (wish.state, wish.side))
        self._wished = {wish.key: wish for wish in wishes}

    def _take_face(self, key: str, picture: QImage) -> None:
        wish = self._wished.get(key)
        if wish is not None:
            self._shown[key] = (wish.state, wish.side)
        kind, _, name = key.partition(" ")
        picture.setDevicePixelRatio(self.devicePixelRatioF())
        if kind == "row":
            self.list.show_picture(name, picture)
        else:
            self.add.show_picture(name, picture)

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, GAP - 2, GAP // 2, 0)
        column.setSpacing(GAP - 4)
        column.addWidget(self._hint)
        column.addLayout(row(self.copy, None))
        column.addWidget(self.baked)
        column.addLayout(row(self.unbake, None))
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


def at_work(edit: Edit) -> float:
    """The strength at which an edit's face is drawn: its own, or what is suggested where it has none."""
    return edit.strength or edit.suggested[1] or edit.suggested[0] or edit.limits[1]


def used(stack: EditStack, offer: Offer) -> str | None:
    """Name of the edit that does what is offered, if there is one."""
    found = (edit.name for edit in stack.edits if offer_key(edit) == offer.key)
    return next(found, None)


def freely_named(stack: EditStack, edit: Edit) -> Edit:
    """The edit under a name that no other has."""
    return replace(edit, name=free_name(edit.title, {one.name for one in stack.edits}))


def in_reserve(offer: Offer, place: int) -> Edit:
    """An offer under a name that no edit of a stack has."""
    return replace(offer.edit, name=f"offer__{place}")
