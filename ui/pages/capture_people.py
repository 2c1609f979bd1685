"""Whom to follow, when a clip shows several people."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from studio.project.people_files import PeopleInClip, SeenPerson
from ui.theme import GAP

SIDE = 84


class FaceChoice(QWidget):
    """A button with the face of each person.

    Attributes:
        chosen: number of the person who was clicked.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GAP // 2)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.chosen)
        self.faces: list[QToolButton] = []

    def show_people(self, people: PeopleInClip | None) -> None:
        """Another clip's; nothing for one person."""
        for face in self.faces:
            self._group.removeButton(face)
            face.hide()
            face.deleteLater()
        while self._row.takeAt(0) is not None:
            pass
        self.faces = []
        if people is not None:
            for person in people.people:
                face = self._button(person)
                face.setChecked(person.number == people.chosen)
                self._group.addButton(face, person.number)
                self._row.addWidget(face)
                self.faces.append(face)
        self._row.addStretch(1)

    def choose(self, number: int) -> None:
        """Show somebody as chosen."""
        if 0 <= number < len(self.faces):
            self.faces[number].setChecked(True)

    def _button(self, person: SeenPerson) -> QToolButton:
        made = QToolButton()
        made.setCheckable(True)
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        height, width = person.picture.shape[:2]
        image = QImage(person.picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        made.setIcon(QIcon(QPixmap.fromImage(image)))
        made.setIconSize(QSize(SIDE, SIDE))
        share = self.tr("{n} %").format(n=round(100 * person.share))
        made.setText(share)
        said = self.tr("Person {n}, seen in {share} of the clip").format(n=person.number + 1, share=share)
        made.setToolTip(self.tr("{who}. Click, then track again, to follow them.").format(who=said))
        made.setAccessibleName(said)
        return made
