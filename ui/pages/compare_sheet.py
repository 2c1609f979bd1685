"""A contact sheet of a comparison: some frames, what each side made of them, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QLinearGradient, QPainter

from pipelines.compare_result import Comparison, Measure, Side
from studio.domain.problem import Problem
from studio.project.atomic import explaining_disk
from ui.pages.compare_frames import GAIN, Pictures, heat, heat_colours, read_pictures

SPREAD, APART = 4, 2
"""Frames spread evenly over the held-out part, and those in which the two differ most."""
_CELL, _GAP, _MARGIN = 256, 8, 28
_SIDE = 132
"""Width of the column with the names of the rows."""
_LINE = 22
_HEADING = 92


@dataclass(frozen=True)
class _Row:
    name: str
    pictures: Sequence[QImage]
    notes: Sequence[str]

    @property
    def height(self) -> int:
        return _CELL + _GAP + (_LINE if any(self.notes) else 0)


def sheet_frames(comparison: Comparison, measure: str) -> list[int]:
    """Indices of the frames to show, ascending: some spread evenly, and those where A and B differ most."""
    count = len(comparison.pictures)
    spread = np.linspace(0, count - 1, min(SPREAD, count)).round().astype(int).tolist()
    a, b = (comparison.curves[side].get(measure) for side in ("a", "b"))
    chosen = set(spread)
    if a is not None and b is not None:
        rows = np.searchsorted(comparison.frames, comparison.pictures)
        apart = np.nan_to_num(np.abs(a - b)[rows], nan=-1.0)
        for index in np.argsort(-apart, kind="stable"):
            # A neighbour of a frame that is shown looks the same.
            if len(chosen) >= min(len(spread) + APART, count):
                break
            if apart[index] >= 0 and min(abs(index - other) for other in chosen) > count // 20:
                chosen.add(int(index))
    return sorted(chosen)


def write_sheet(comparison: Comparison, measure: Measure, path: Path) -> None:
    """Read the frames, draw the sheet and write it as PNG; for a thread. Raises Problem."""
    indices = sheet_frames(comparison, measure.id)
    sheet = draw_sheet(comparison, measure, [(index, read_pictures(comparison, index)) for index in indices])
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not sheet.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise Problem("The contact sheet could not be made: there is too little memory.")
    write_aside(path, bytes(data.data()))


def write_aside(path: Path, content: bytes) -> None:
    """Write a file of the user's beside its place and move it there. Raises Problem when the disk says no."""
    aside = path.with_name(f".{path.name}.part")
    if not path.parent.is_dir():
        raise Problem(f"The folder {path.parent} does not exist: choose another place.")
    with explaining_disk(path):
        try:
            aside.write_bytes(content)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def draw_sheet(comparison: Comparison, measure: Measure, frames: Sequence[tuple[int, Pictures]]) -> QImage:
    """The sheet: a column for each frame; rows real, A, B, nearest frame, and both errors."""
    numbers = [int(comparison.pictures[index]) for index, _ in frames]
    rows = _rows(comparison, measure, numbers, [pictures for _, pictures in frames])
    width = 2 * _MARGIN + _SIDE + len(frames) * (_CELL + _GAP) - _GAP
    # Few frames must leave room for the words above them.
    width = max(width, 2 * _MARGIN + _SIDE + 3 * (_CELL + _GAP))
    height = 2 * _MARGIN + _HEADING + sum(row.height for row in rows) - _GAP
    sheet = QImage(width, height, QImage.Format.Format_RGB32)
    sheet.fill(QColor("#16181c"))
    painter = QPainter(sheet)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    _heading(painter, comparison, measure, width)
    top = _MARGIN + _HEADING
    for row in rows:
        _words(painter, QRectF(_MARGIN, top, _SIDE - 16, _CELL), row.name, 15, bold=True, wrap=True)
        for column, (picture, note) in enumerate(zip(row.pictures, row.notes)):
            left = _MARGIN + _SIDE + column * (_CELL + _GAP)
            painter.drawImage(QRectF(left, top, _CELL, _CELL), picture)
            _words(painter, QRectF(left, top + _CELL, _CELL, _LINE), note, 13, "#b4bac4")
        top += row.height
    painter.end()
    return sheet


def _rows(
    comparison: Comparison, measure: Measure, numbers: list[int], pictures: list[Pictures]
) -> list[_Row]:
    places = np.searchsorted(comparison.frames, numbers)

    def notes(side: Side) -> list[str]:
        values = comparison.curves[side].get(measure.id)
        if values is None:
            return [""] * len(numbers)
        shown = [None if np.isnan(values[place]) else float(values[place]) for place in places]
        return [f"{measure.title} {measure.text(value)} {measure.unit}".strip() for value in shown]

    a, b = comparison.names
    real = _tr("Real frame")
    moments = [_tr("frame {n}, {time} s").format(n=n, time=f"{n / comparison.rate:.2f}") for n in numbers]
    none = [""] * len(numbers)
    return [
        _Row(real, [p["real"] for p in pictures], moments),
        _Row(f"A: {a}", [p["a"] for p in pictures], notes("a")),
        _Row(f"B: {b}", [p["b"] for p in pictures], notes("b")),
        _Row(_tr("Nearest training frame"), [p["nearest"] for p in pictures], notes("nearest")),
        _Row(_tr("Error of A"), [heat(p["real"], p["a"]) for p in pictures], none),
        _Row(_tr("Error of B"), [heat(p["real"], p["b"]) for p in pictures], none),
        _Row(_tr("Difference between A and B"), [heat(p["a"], p["b"]) for p in pictures], none),
    ]


def _heading(painter: QPainter, comparison: Comparison, measure: Measure, width: int) -> None:
    a, b = comparison.names
    room = width - 2 * _MARGIN
    title = _tr("A: {a}   against   B: {b}").format(a=a, b=b)
    _words(painter, QRectF(_MARGIN, _MARGIN - 6, room, 30), title, 21, bold=True)
    sentence = _tr("{clip}: frames {first} to {last}, which neither has seen").format(
        clip=comparison.clip, first=comparison.held_out[0], last=comparison.held_out[1]
    )
    _words(painter, QRectF(_MARGIN, _MARGIN + 28, room, 22), sentence, 14, "#b4bac4")
    bar = QRectF(_MARGIN + _SIDE, _MARGIN + 62, 2 * _CELL + _GAP, 8)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for share, colour in zip(np.linspace(0, 1, 9), heat_colours()[np.linspace(0, 255, 9).astype(int)]):
        gradient.setColorAt(float(share), QColor(*(int(part) for part in colour)))
    painter.fillRect(bar, gradient)
    painter.setPen(QColor("#565c68"))
    painter.drawRect(bar)
    _words(painter, QRectF(_MARGIN, bar.top() - 8, _SIDE - 8, 24), _tr("Scale of errors"), 13, "#b4bac4")
    words = _tr("dark: equal, light: {n} levels of 255 and more").format(n=-(-255 // GAIN))
    _words(painter, QRectF(bar.right() + 12, bar.top() - 8, room, 24), words, 13, "#b4bac4")


def _words(
    painter: QPainter,
    box: QRectF,
    text: str,
    size: int,
    colour: str = "#f0f2f5",
    bold: bool = False,
    wrap: bool = False,
) -> None:
    font = QFont(painter.font())
    font.setPixelSize(size)
    font.setBold(bold)
    painter.setFont(font)
    painter.setPen(QColor(colour))
    if wrap:
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap, text)
        return
    text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
    painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


def _tr(text: str) -> str:
    return QCoreApplication.translate("compare", text)
