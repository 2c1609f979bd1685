"""Named poses of a subject: a row of buttons below the live picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPushButton, QScrollArea, QWidget

from studio.domain.problem import Problem
from studio.project.pose_files import Poses, load_poses, save_poses
from ui.controls_model import ControlsModel, Pose
from ui.session import Session
from ui.widgets.plain import button, label, row
from ui.widgets.small_dialog import NameDialog

LONGEST = 40
"""Letters of a pose's name."""


class PoseRow(QWidget):
    """Click to take a pose, right-click to replace, rename or delete it.

    Attributes:
        poses_changed: there are others, or they have other names.
    """

    poses_changed = Signal()

    def __init__(self, session: Session, model: ControlsModel) -> None:
        super().__init__()
        self._session, self._model = session, model
        self.poses: Poses = {}
        self._folder = None if session.subject is None else session.subject.path
        self._by_name: dict[str, QPushButton] = {}
        self._strip = QWidget()
        self._buttons = QHBoxLayout(self._strip)
        self._buttons.setContentsMargins(0, 0, 0, 0)
        self._buttons.setSpacing(6)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self._strip)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        for part in (scroll.viewport(), self._strip):
            part.setAutoFillBackground(False)
        scroll.setFixedHeight(42)
        scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._hint = label(self.tr("Save a pose to come back to it with one click."), "hint")
        self.add = button(
            self.tr("Save pose"), self._ask_name, picture="plus", tip=self.tr("Keep this pose under a name")
        )
        self.setLayout(row(self.add, scroll))

    def enter(self) -> None:
        """Read the poses of whoever is open."""
        subject = self._session.subject
        self._folder = None if subject is None else subject.path
        self.poses = {}
        if self._folder is not None:
            try:
                self.poses = load_poses(self._folder)
            except Problem as problem:
                self._session.fail(self.tr("The saved poses cannot be read"), problem)
        self._fill()

    def take(self, name: str) -> None:
        """Put the avatar into a pose."""
        self._model.replace(self.poses[name], self.tr("Pose {name}").format(name=name))

    def keep(self, name: str, pose: Pose) -> bool:
        """Save a pose under a name, in place of one of the same name. False when the disk said no."""
        return self._save({**self.poses, name: pose})

    def forget(self, name: str) -> bool:
        """Delete a pose. False when the disk said no."""
        return self._save({other: pose for other, pose in self.poses.items() if other != name})

    def rename(self, name: str, other: str) -> bool:
        """Another name for a pose, in its place. False when the disk said no."""
        kept = {k: v for k, v in self.poses.items() if k != other or k == name}
        return self._save({other if k == name else k: v for k, v in kept.items()})

    def button_of(self, name: str) -> QPushButton:
        """The button that takes a pose."""
        return self._by_name[name]

    def _save(self, poses: Poses) -> bool:
        if self._folder is None:
            return False
        try:
            save_poses(self._folder, poses)
        except Problem as problem:
            self._session.fail(self.tr("The pose was not saved"), problem)
            return False
        self.poses = poses
        self._fill()
        return True

    def _fill(self) -> None:
        for old in self._by_name.values():
            old.hide()  # deleting waits for the event loop
            old.deleteLater()
        while self._buttons.count():
            self._buttons.takeAt(0)
        self._by_name = {}
        for name in self.poses:
            made = self._by_name[name] = button(name, partial(self.take, name))
            made.setToolTip(self.tr("Click to take this pose; right-click to replace, rename or delete it"))
            made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            made.customContextMenuRequested.connect(partial(self._menu, made, name))
            self._buttons.addWidget(made)
        self._buttons.addWidget(self._hint)
        self._hint.setVisible(not self.poses)
        self._buttons.addStretch(1)
        self.poses_changed.emit()

    def _menu(self, by: QPushButton, name: str, place: QPoint) -> None:
        menu = QMenu(by)
        menu.addAction(self.tr("Replace with the present pose"), lambda: self.keep(name, self._model.seen))
        menu.addAction(self.tr("Rename…"), lambda: self._ask_rename(name))
        menu.addAction(self.tr("Delete"), lambda: self.forget(name))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(by.mapToGlobal(place))

    def _ask_name(self) -> None:
        pose = self._model.seen
        self._ask(self.tr("Save pose"), self._free_name(), lambda name: self.keep(name, pose))

    def _ask_rename(self, name: str) -> None:
        self._ask(self.tr("Rename pose"), name, lambda other: other == name or self.rename(name, other))

    def _ask(self, title: str, name: str, take: Callable[[str], object]) -> None:
        dialog = NameDialog(self, title, name, self.tr("Save"), lambda text: " ".join(text.split()), LONGEST)
        dialog.accepted.connect(lambda: take(dialog.name))
        dialog.open()

    def _free_name(self) -> str:
        number = len(self.poses) + 1
        while (name := self.tr("Pose {n}").format(n=number)) in self.poses:
            number += 1
        return name
