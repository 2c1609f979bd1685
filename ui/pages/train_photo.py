"""The left half of the Train page for a photo: the picture that everything is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.theme import GAP
from ui.widgets.first_frame import FirstFrame
from ui.widgets.plain import button, card, label, row

if TYPE_CHECKING:
    from ui.session import Session

SIDE = 720
"""Longest side, pixels, of the picture that is shown."""


class OnePicture(QWidget):
    """The part of the photo around the face, and what follows from there being no other."""

    def __init__(self, more: Callable[[], object]) -> None:
        """``more``: leads to where a clip can be added."""
        super().__init__()
        self._shown: Path | None = None
        self.picture = FirstFrame()
        self.picture.setAccessibleName(self.tr("The photo"))
        made = card()
        inside = made.layout()
        assert isinstance(inside, QVBoxLayout)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("One picture"), "heading"))
        inside.addWidget(self.picture, 1)
        inside.addWidget(
            label(
                self.tr(
                    "Avatars of a photo know this one picture. They look best near the pose and expression "
                    "in it; what it does not show is guessed."
                ),
                "hint",
                wrap=True,
            )
        )
        inside.addLayout(row(button(self.tr("Add a clip of the same person"), more, "flat", "plus"), None))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(made)

    def show_photo(self, photo: Path, landmarks: npt.NDArray[np.floating], session: Session) -> None:
        """Show a photo around ``[478, 2+]`` landmarks in its pixels; read on a thread."""
        if photo == self._shown:
            return
        self._shown = photo
        self.picture.show_picture(None)

        def failed(error: Exception) -> None:
            session.fail(self.tr("The photo cannot be shown"), error)

        session.background.run(self, lambda: face_of(photo, landmarks), self.picture.show_picture, failed)


def face_of(photo: Path, landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """``[S, S, 3]`` RGB: the largest square of a photo with the face in its middle, up to three faces
    high."""
    import cv2

    from studio.media import read_frames

    picture = next(iter(read_frames(photo)))
    height, width = picture.shape[:2]
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    side = int(min(height, width, 3.0 * (high - low).max()))
    left, top = np.clip((low + high) / 2 - side / 2, 0, (width - side, height - side)).astype(int)
    cut = picture[top : top + side, left : left + side]
    if side > SIDE:
        cut = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(cut)
