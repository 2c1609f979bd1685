"""Drive the avatar with a camera or a clip: the row that starts, calibrates and ends it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFileDialog, QLabel, QWidget

from studio.live import Drive, Seen, driven_state
from ui.bridge.driving import Driving
from ui.pages.perform_posing import Posing
from ui.widgets.plain import button, label, row, set_role

CLIPS = "*.mp4 *.mov *.m4v *.mkv *.webm *.avi"
"""Files that are offered as clips."""
THUMB = 34
"""Height of the small picture of the driver."""


class DriveRow(QWidget):
    """Movement from rest is added to the pose that the hands have set."""

    def __init__(self, posing: Posing) -> None:
        super().__init__()
        self._posing = posing
        self.driving = Driving(self)
        self._clip = ""
        self.camera = button(
            self.tr("Camera"),
            self.start_camera,
            picture="camera",
            tip=self.tr("Drive with your own face, live"),
        )
        self.clip = button(
            self.tr("Clip…"), self._choose_clip, picture="film", tip=self.tr("Drive with the face in a video")
        )
        self.rest = button(
            self.tr("At rest now"),
            self.driving.calibrate,
            tip=self.tr(
                "Look straight ahead with a calm face, then press: this becomes the avatar's neutral face"
            ),
        )
        self.end = button(self.tr("Stop"), self.driving.stop, picture="stop")
        self.words = label(role="hint")
        self._thumb = QLabel()
        self._thumb.setAccessibleName(self.tr("What the camera sees"))
        self.setLayout(
            row(
                *(label(self.tr("Drive with"), "hint"), self.camera, self.clip, self._thumb, self.rest),
                *(self.end, self.words, None),
                spacing=8,
            )
        )
        self.driving.changed.connect(self._arrange)
        self.driving.seen.connect(self._seen)
        self.driving.ended.connect(self._ended)
        self._arrange()

    def start_camera(self) -> None:
        """Drive with the first camera."""
        self._clip = ""
        self.driving.start(Drive())

    def start_clip(self, clip: Path) -> None:
        """Drive with a clip, again and again."""
        self._clip = clip.name
        self.driving.start(Drive(clip=clip))

    def _choose_clip(self) -> None:
        title, kinds = self.tr("Drive with a clip"), self.tr("Videos ({kinds})").format(kinds=CLIPS)
        chosen, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
        if chosen:
            self.start_clip(Path(chosen))

    def _arrange(self) -> None:
        active = self.driving.active
        for part in (self.rest, self.end, self._thumb):
            part.setVisible(active)
        for part in (self.camera, self.clip):
            part.setVisible(not active)
        if active:
            opening = (
                self.tr("Opening {clip}…").format(clip=self._clip)
                if self._clip
                else self.tr("Opening the camera…")
            )
            self._say(opening)
        else:
            self._posing.drive(None)
            self._thumb.clear()
            self._say("")

    def _seen(self, seen: Seen) -> None:
        height, width = seen.picture.shape[:2]
        image = QImage(seen.picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        ratio = self.devicePixelRatioF()
        small = QPixmap.fromImage(image).scaledToHeight(
            round(THUMB * ratio), Qt.TransformationMode.SmoothTransformation
        )
        small.setDevicePixelRatio(ratio)
        self._thumb.setPixmap(small)
        if not seen.face:
            self._say(self.tr("No face is seen."))
        elif seen.offsets is None:
            self._say(self.tr("Look straight ahead with a calm face…"))
        else:
            self._say(self.tr("Driven by {clip}").format(clip=self._clip) if self._clip else "")
            if self._posing.model.sheet.controls:
                self._posing.drive(driven_state(self._posing.model.sheet, seen.offsets))

    def _ended(self, sentence: str) -> None:
        self._say(sentence, bad=True)

    def _say(self, words: str, bad: bool = False) -> None:
        if words != self.words.text():
            self.words.setText(words)
            self.words.setToolTip(words)
            set_role(self.words, "role", "warn" if bad else "hint")
