"""Theme, device, and where projects live."""

from __future__ import annotations

import shutil
from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.project.store import HOME_VARIABLE
from ui.actions.device import choose_device
from ui.actions.show_folder import show_folder
from ui.pages.settings_health import Found, Health, Report
from ui.session import Session
from ui.theme import GAP, Choice
from ui.widgets.plain import button, card, label
from ui.words import size


class GeneralPanel(QWidget):
    """A card each."""

    def __init__(self, session: Session, health: Health) -> None:
        super().__init__()
        self._session = session
        held = QWidget()
        cards = QVBoxLayout(held)
        cards.setContentsMargins(0, 0, 0, 0)
        cards.setSpacing(GAP + 4)
        cards.addWidget(self._look())
        cards.addWidget(self._device())
        cards.addWidget(self._home())
        cards.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(held)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, GAP, 0, 0)
        inside.addWidget(scroll)
        health.found.connect(self._found)
        health.ended.connect(lambda: self._finding.setText(self.tr("Not known: look again under Health.")))
        session.preferences.theme_changed.connect(lambda choice: self.themes[choice].setChecked(True))

    def enter(self) -> None:
        """Look at the disk."""
        home = self._session.store.home

        def done(free: int) -> None:
            self._free.setText(self.tr("{size} free on its disk.").format(size=size(free)))

        self._session.background.run(
            self, lambda: shutil.disk_usage(home).free, done, lambda error: self._free.setText("")
        )

    def _look(self) -> QFrame:
        made, inside = _section(self.tr("Appearance"))
        row = QHBoxLayout()
        row.setSpacing(2 * GAP)
        group = QButtonGroup(self)
        self.themes: dict[str, QRadioButton] = {}
        for choice, words in (
            ("system", self.tr("As the system")),
            ("light", self.tr("Light")),
            ("dark", self.tr("Dark")),
        ):
            button_ = self.themes[choice] = QRadioButton(words)
            button_.setChecked(self._session.preferences.theme == choice)
            button_.clicked.connect(lambda on, choice=choice: self._theme(choice))
            group.addButton(button_)
            row.addWidget(button_)
        row.addStretch(1)
        inside.addLayout(row)
        return made

    def _theme(self, choice: str) -> None:
        self._session.preferences.theme = cast("Choice", choice)

    def _device(self) -> QFrame:
        made, inside = _section(self.tr("What to compute on"))
        self._finding = label(self.tr("Looking at this machine…"), "hint")
        self.devices: dict[str, QRadioButton] = {}
        self._devices = QVBoxLayout()
        self._devices.setSpacing(8)
        self._group = QButtonGroup(self)
        inside.addWidget(self._finding)
        inside.addLayout(self._devices)
        self._later = label(
            self.tr("Builds that start from now on use it; the live picture does after the next start."),
            "hint",
            wrap=True,
        )
        self._later.hide()
        inside.addWidget(self._later)
        return made

    def _found(self, report: Report) -> None:
        for old in self.devices.values():
            self._group.removeButton(old)
            old.deleteLater()
        self.devices = {}
        self._finding.hide()
        self._later.show()
        fastest = report.devices[0]
        wanted = self._session.preferences.text("device", "auto")
        kinds = {device.kind for device in report.devices}
        self._add("auto", self.tr("Automatic: {title}").format(title=fastest.title), wanted)
        for device in report.devices:
            self._add(device.kind, _device_words(device), wanted)
        if wanted not in kinds | {"auto"}:
            gone = self.tr("{kind}: not on this machine").format(kind=wanted.upper())
            self._add(wanted, gone, wanted)

    def _add(self, kind: str, words: str, wanted: str) -> None:
        made = self.devices[kind] = QRadioButton(words)
        made.setChecked(kind == wanted)
        made.clicked.connect(lambda: choose_device(self._session, kind))
        self._group.addButton(made)
        self._devices.addWidget(made)

    def _home(self) -> QFrame:
        made, inside = _section(self.tr("Where projects live"))
        home = self._session.store.home
        place = label(str(home), wrap=True)
        place.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        place.setAccessibleName(self.tr("Project folder"))
        self._free = label(role="hint")
        how = label(
            self.tr(
                "To move it: close the program, move the folder, and start with --home FOLDER, or set the "
                "environment variable {variable} to the new place. Nothing inside depends on where it is."
            ).format(variable=HOME_VARIABLE),
            "hint",
            wrap=True,
        )
        row = QHBoxLayout()
        row.addWidget(place, 1)
        row.addWidget(button(self.tr("Open folder"), lambda: show_folder(home), picture="folder"))
        inside.addLayout(row)
        inside.addWidget(self._free)
        inside.addWidget(how)
        return made


def _device_words(device: Found) -> str:
    return f"{device.kind.upper()}: {device.title}, {size(device.memory)}"


def _section(title: str) -> tuple[QFrame, QVBoxLayout]:
    inside = QVBoxLayout()
    made = card(inside)
    inside.addWidget(label(title, "heading"))
    return made, inside
