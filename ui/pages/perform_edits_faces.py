"""Faces in the rows of edits and on the tiles of what is offered, as the live picture stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QImage

from studio.domain.controls import ControlState
from studio.domain.edits import Edit
from ui.bridge.edit_faces import FaceWish, with_values
from ui.controls_model import ControlsModel
from ui.pages.perform_edits_add import AddEdit
from ui.pages.perform_edits_data import given_up, used
from ui.pages.perform_posing import Posing
from ui.session import Session
from ui.widgets.edit_list import EditList
from ui.widgets.edit_row import FACE
from ui.widgets.edit_tiles import SIDE, Offer

RESTS = 350
"""Milliseconds that a picture must stand still before faces are drawn anew."""


class PanelFaces(QObject):
    """Draws nothing while something moves, and nothing twice."""

    def __init__(
        self, session: Session, model: ControlsModel, posing: Posing, rows: EditList, add: AddEdit
    ) -> None:
        super().__init__(add)
        self._session, self._model, self._posing = session, model, posing
        self._rows, self._add = rows, add
        self._active = self._connected = False
        self._known: dict[str, Offer] | None = None
        self._beside: dict[str, Edit] = {}
        self._wished: dict[str, FaceWish] = {}
        self._drawn: dict[str, tuple[tuple[Path, ControlState, int], QImage]] = {}
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(RESTS)
        self._rest.timeout.connect(self._wish)
        model.changed.connect(self.disturb)
        add.changed.connect(self.disturb)

    def enter(self) -> None:
        """The panel is seen now."""
        self._active = True
        if not self._connected:
            self._connected = True
            live = self._posing.live
            live.arrived.connect(self._arrived)
            live.took_over.connect(self.disturb)
            live.rests_changed.connect(self.disturb)
            self._session.faces.drawn.connect(self._take)
        self._rest.start()

    def leave(self) -> None:
        """It is hidden now."""
        if self._active:
            self._active = False
            self._rest.stop()
            self._session.faces.rest()

    def disturb(self) -> None:
        """Something moves or is another one: faces are drawn when all is still."""
        if self._active:
            self._session.faces.draw(())
            self._rest.start()

    def _arrived(self) -> None:
        frame = self._posing.live.frame
        if self._active and frame is not None and frame.request.quality == "full":
            self._rest.start()

    def _wish(self) -> None:
        live, session = self._posing.live, self._session
        avatar, state = session.avatar, self._model.state()
        if not self._active or avatar is None or live.avatar is None or live.coming is not None:
            return
        if not state.names:
            return
        if self._known is not self._add.offers:
            self._known = self._add.offers
            self._beside = {key: in_reserve(offer, n) for n, (key, offer) in enumerate(self._known.items())}
        session.faces.show(avatar, self._beside.values())
        ratio = self._add.devicePixelRatioF()
        none = {edit.control_name: 0.0 for edit in avatar.edits.edits}
        wishes = []
        for edit in avatar.edits.edits:
            alone = with_values(state, none | {edit.control_name: at_work(edit)})
            wishes.append(FaceWish(f"row {edit.name}", alone, round(FACE * ratio)))
        for offer in self._add.offered:
            tried = state
            if used(avatar.edits, offer) is None:
                old = given_up(avatar.edits, offer)
                gone = {} if old is None else {old.control_name: 0.0}
                tried = with_values(state, gone | {self._beside[offer.key].control_name: at_work(offer.edit)})
            wishes.append(FaceWish(f"tile {offer.key}", tried, round(SIDE * ratio)))
        self._wished = {wish.key: wish for wish in wishes}
        missing = []
        for wish in wishes:
            known = self._drawn.get(wish.key)
            if known is not None and known[0] == (avatar.folder, wish.state, wish.side):
                self._show(wish.key, known[1])  # a row that came back has none yet
            else:
                missing.append(wish)
        session.faces.draw(missing)

    def _take(self, key: str, picture: QImage) -> None:
        wish, avatar = self._wished.get(key), self._session.avatar
        if wish is not None and avatar is not None:
            self._drawn[key] = (avatar.folder, wish.state, wish.side), picture
        self._show(key, picture)

    def _show(self, key: str, picture: QImage) -> None:
        kind, _, name = key.partition(" ")
        if kind == "row":
            self._rows.show_picture(name, picture)
        else:
            self._add.show_picture(name, picture)


def at_work(edit: Edit) -> float:
    """The strength at which an edit's face is drawn: its own, or what is suggested where it has none."""
    return edit.strength or edit.suggested[1] or edit.suggested[0] or edit.limits[1]


def in_reserve(offer: Offer, place: int) -> Edit:
    """An offer under a name that no edit of a stack has, at rest at no strength."""
    return replace(offer.edit, name=f"offer__{place}", on=False)
