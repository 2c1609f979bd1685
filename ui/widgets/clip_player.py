"""The clip playing: picture, tracked mesh over it, and the buttons below."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QLineF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from ui.bridge.clip_frames import ClipFrames, FilmFacts
from ui.theme import GAP, RADIUS, tokens
from ui.widgets.plain import column, label, row, tool
from ui.widgets.themed import IconFollowsTheme
from ui.words import duration

TICK = 8
"""Milliseconds between two looks at the clock while playing."""


class ClipView(QWidget):
    """A picture of the clip, as large as fits, with the mesh over it."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(320, 240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Clip"))
        self._image: QImage | None = None
        self._pixels: object = None
        self._size = QSize(16, 9)
        self._points: npt.NDArray[np.float32] | None = None
        self._note = ""

    def sizeHint(self) -> QSize:
        """Qt asks for the size that is liked best."""
        return QSize(640, 480)

    def show_picture(self, pixels: npt.NDArray[np.uint8] | None, size: QSize) -> None:
        """``[h, w, 4]`` as :data:`ui.bridge.clip_frames.Pixels` of a clip of ``size``; None for nothing."""
        self._pixels, self._size = pixels, size
        if pixels is None:
            self._image = None
        else:
            height, width = pixels.shape[:2]
            # The image looks into the array, which is kept beside it.
            self._image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self.update()

    def show_mesh(self, points: npt.NDArray[np.float32] | None) -> None:
        """``[478, 2+]`` in the clip's pixels, None for no mesh."""
        self._points = points
        self.update()

    def say(self, note: str) -> None:
        """A few words in the corner; empty for none."""
        self._note = note
        self.update()

    @property
    def picture_place(self) -> QRectF:
        """Where in the widget the picture lies."""
        width, height = self._size.width(), self._size.height()
        scale = min(self.width() / max(1, width), self.height() / max(1, height))
        size = (width * scale, height * scale)
        return QRectF((self.width() - size[0]) / 2, (self.height() - size[1]) / 2, *size)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QPainterPath()
        frame.addRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
        painter.setClipPath(frame)
        painter.fillRect(self.rect(), QColor(tokens().stage))
        if self._image is not None:
            painter.drawImage(self.picture_place, self._image)
            if self._points is not None:
                self._paint_mesh(painter, self._points)
        if self._note:
            self._paint_note(painter)
        painter.end()

    def _paint_mesh(self, painter: QPainter, points: npt.NDArray[np.float32]) -> None:
        from studio.head.mesh_lines import mesh_lines

        place = self.picture_place
        scale = place.width() / max(1, self._size.width())
        at = (points[:, :2] * scale + np.array([place.x(), place.y()])).tolist()
        lines = mesh_lines()
        accent = QColor(tokens().accent)
        for pairs, colour, width in (
            (lines.edges, QColor(255, 255, 255, 70), 1.0),
            (lines.features, accent, 1.6),
        ):
            painter.setPen(QPen(colour, width))
            painter.drawLines([QLineF(*at[a], *at[b]) for a, b in pairs.tolist()])

    def _paint_note(self, painter: QPainter) -> None:
        metrics = self.fontMetrics()
        text = metrics.elidedText(self._note, Qt.TextElideMode.ElideRight, self.width() - 48)
        box = QRectF(12, self.height() - 12 - 28, metrics.horizontalAdvance(text) + 24, 28)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 190))
        painter.drawRoundedRect(box, 14, 14)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class ClipPlayer(QWidget):
    """Plays a clip at its own speed; frames that come too late are left out.

    Attributes:
        frame_changed: number of the frame that is shown now.
        opened: :class:`ui.bridge.clip_frames.FilmFacts`.
        failed: why the clip cannot be shown.
    """

    frame_changed = Signal(int)
    opened = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.frames = ClipFrames(self)
        self.frames.opened.connect(self._take_facts)
        self.frames.arrived.connect(self._take_picture)
        self.frames.failed.connect(self._fail)
        self.view = ClipView()
        self.facts: FilmFacts | None = None
        self.frame = 0
        self._part = (0, 1)
        self._landmarks: npt.NDArray[np.float32] | None = None
        self._start: tuple[float, int] | None = None
        self._waiting = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._tick)
        self._build()

    def _build(self) -> None:
        self.play_button = tool("play", self.tr("Play (Space)"), self.toggle)
        self._picture = _picture_of(self.play_button)
        self._back = tool("step-back", self.tr("One frame back (Left)"), lambda: self.step(-1))
        self._on = tool("step-on", self.tr("One frame on (Right)"), lambda: self.step(1))
        self.mesh_button = tool("mesh", self.tr("Show the tracked mesh (M)"), checkable=True)
        self.mesh_button.setText(self.tr("Mesh"))
        self.mesh_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.mesh_button.setChecked(True)
        self.mesh_button.toggled.connect(lambda on: self._draw_mesh())
        self._clock = label(role="hint")
        self._clock.setMinimumWidth(150)
        self.buttons = row(
            self.play_button, self._back, self._on, self._clock, None, self.mesh_button, spacing=GAP // 2
        )
        inside = column(self.view, self.buttons, spacing=GAP // 2)
        inside.setStretch(0, 1)
        self.setLayout(inside)
        self._set_enabled(False)

    def show_still(self, still: bool) -> None:
        """Whether what is shown is a photo, which does not play."""
        for part in (self.play_button, self._back, self._on, self._clock):
            part.setVisible(not still)

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._start is not None

    def open(self, path: Path | None) -> None:
        """Another clip, or none. It is shown from its first frame."""
        self.pause()
        self.facts, self.frame, self._waiting = None, 0, False
        self.set_landmarks(None)
        self.view.show_picture(None, QSize(16, 9))
        self.view.say("")
        self._clock.setText("")
        self._set_enabled(False)
        self.frames.open(path)

    def set_landmarks(self, landmarks: npt.NDArray[np.float32] | None) -> None:
        """``[T, 478, 2+]`` in the clip's pixels: the mesh of each frame; None for none."""
        self._landmarks = landmarks
        self.mesh_button.setEnabled(landmarks is not None)
        self._draw_mesh()

    def set_part(self, first: int, stop: int) -> None:
        """Play this part only: frames ``first`` to ``stop`` (excluded)."""
        self._part = (first, max(first + 1, stop))

    def seek(self, frame: int) -> None:
        """Show this frame; goes on playing from there if it plays."""
        if self.facts is None:
            return
        frame = min(max(0, frame), self.facts.frames - 1)
        if self._start is not None:
            self._start = (time.perf_counter(), frame)
        self.frames.ask(frame)

    def step(self, by: int) -> None:
        """So many frames on, or back; stops playing."""
        self.pause()
        self.seek(self.frame + by)

    def toggle(self) -> None:
        """Play or pause."""
        self.pause() if self.playing else self.play()

    def play(self) -> None:
        """Play from here; from the part's start when it stands at the part's end or outside of it."""
        if self.facts is None or self.playing:
            return
        first, stop = self._part
        start = self.frame if first <= self.frame < stop - 1 else first
        self._start = (time.perf_counter(), start)
        self._waiting = False
        self._picture.show_picture("pause")
        self.play_button.setToolTip(self.tr("Pause (Space)"))
        self._timer.start()
        self._tick()

    def pause(self) -> None:
        """Stand still."""
        self._start = None
        self._timer.stop()
        self._picture.show_picture("play")
        self.play_button.setToolTip(self.tr("Play (Space)"))

    def close_player(self) -> None:
        """Let go of the decoder's thread."""
        self.pause()
        self.frames.close()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's door: pictures need not be larger than they are shown."""
        super().resizeEvent(event)
        longest = max(self.view.width(), self.view.height()) * self.devicePixelRatioF()
        # In steps, so that dragging the window's edge does not throw away every picture that is kept.
        self.frames.fit(int(-(-longest // 160) * 160))

    def _tick(self) -> None:
        if self._start is None or self.facts is None or self._waiting:
            return
        began, first = self._start
        wanted = first + int((time.perf_counter() - began) * float(self.facts.rate))
        last = min(self._part[1], self.facts.frames) - 1
        if wanted != self.frame or self.frame == first:
            self._waiting = True
            self.frames.ask(min(wanted, last))
        if wanted >= last:
            self._start = (began, first)
            self.pause()

    def _take_facts(self, facts: FilmFacts) -> None:
        self.facts = facts
        self._part = (0, facts.frames)
        self._set_enabled(True)
        self.opened.emit(facts)
        self.frames.ask(0)

    def _take_picture(self, frame: int, pixels: npt.NDArray[np.uint8]) -> None:
        if self.facts is None:
            return
        self._waiting = False
        self.frame = frame
        self.view.show_picture(pixels, QSize(self.facts.width, self.facts.height))
        self._draw_mesh()
        self._clock.setText(
            self.tr("{now} / {all} · frame {frame}").format(
                now=clock(frame, self.facts.rate), all=clock(self.facts.frames, self.facts.rate), frame=frame
            )
        )
        self.frame_changed.emit(frame)

    def _draw_mesh(self) -> None:
        shown = self._landmarks is not None and self.mesh_button.isChecked()
        inside = self._landmarks is not None and self.frame < len(self._landmarks)
        self.view.show_mesh(self._landmarks[self.frame] if shown and inside else None)  # type: ignore[index]

    def _fail(self, error: Exception) -> None:
        self.pause()
        self.view.say(self.tr("This clip cannot be shown"))
        self.failed.emit(error)

    def _set_enabled(self, on: bool) -> None:
        for part in (self.play_button, self._back, self._on):
            part.setEnabled(on)


def clock(frame: int, rate: Fraction) -> str:
    """0:07.4 for a frame's beginning."""
    tenths = int(frame / rate * 10)
    return f"{duration(tenths // 10)}.{tenths % 10}"


def _picture_of(button: QToolButton) -> IconFollowsTheme:
    found = button.findChild(IconFollowsTheme)
    assert isinstance(found, IconFollowsTheme)
    return found


__all__ = ["ClipPlayer", "ClipView", "clock"]
