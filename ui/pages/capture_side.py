"""The right-hand side of the capture page: what the clip shows, what is missing, tracking again."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from ui.pages.capture_data import Seen
from ui.pages.capture_people import FaceChoice
from ui.pages.capture_tracking import TrackingCard, TrackOptions
from ui.theme import GAP
from ui.widgets.coverage_bars import Advice, ExpressionBars
from ui.widgets.coverage_map import PoseMap
from ui.widgets.plain import card, column, label

WIDTH = 392


class CaptureSide(QScrollArea):
    """Cards below each other."""

    def __init__(self) -> None:
        super().__init__()
        self.tracking, self.options = TrackingCard(), TrackOptions()
        self.advice, self.poses, self.bars = Advice(), PoseMap(), ExpressionBars()
        self.faces = FaceChoice()
        self._advice = _titled(self.tr("Record next"), self.advice)
        self._faces = _titled(self.tr("Whom to follow"), self.faces)
        self._poses = _titled(
            self.tr("Head poses"),
            self.poses,
            self.tr("Good frames at each turn and nod; inside the dashed frame an avatar needs some."),
        )
        self._bars = _titled(
            self.tr("Expressions"),
            self.bars,
            self.tr("100 % is what people usually show; beyond the mark is enough."),
        )
        self._photo = _titled(
            self.tr("From one photo"),
            label(
                self.tr(
                    "Every pose and expression of its avatars is made from this picture. A photo "
                    "from the front, mouth closed and eyes open, goes farthest."
                ),
                wrap=True,
            ),
            self.tr("A clip of the same person shows more: add one, and avatars can be trained."),
        )
        self._cards = (self._advice, self._poses, self._bars)
        inside = QWidget()
        parts = (self.tracking, self._photo, self._advice, self._faces, self._poses, self._bars, self.options)
        inside.setLayout(column(*parts, None, spacing=GAP))
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedWidth(WIDTH)
        self.faces.chosen.connect(self.options.set_person)
        self.show_seen(None)

    def show_photo(self, photo: bool) -> None:
        """Whether the open clip is a photo: there is no part of it to choose, and nothing to smooth."""
        self.options.setVisible(not photo)

    def show_seen(self, seen: Seen | None) -> None:
        """What tracking found of a clip; None hides what it would be shown in."""
        photo = seen is not None and seen.sequence.still
        for part in self._cards:
            part.setVisible(seen is not None and not photo)
        self._photo.setVisible(photo)
        self._faces.setVisible(seen is not None and seen.people is not None)
        self.faces.show_people(seen.people if seen is not None else None)
        self.poses.show_coverage(seen.coverage if seen is not None else None)
        self.poses.show_pose(None)
        self.bars.show_reach(seen.coverage.expressions if seen is not None else ())
        self.advice.show_gaps(seen.coverage.gaps if seen is not None else ())


def _titled(title: str, content: QWidget, hint: str = "") -> QFrame:
    made = card()
    inside = made.layout()
    assert inside is not None
    inside.addWidget(label(title, "heading"))
    inside.addWidget(content)
    if hint:
        inside.addWidget(label(hint, "hint", wrap=True))
    return made
