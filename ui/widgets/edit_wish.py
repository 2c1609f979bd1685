"""A form for any way of finding edits: the fields of its wish, with their docstrings as tooltips."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from pipelines.setting_hints import setting_hints
from ui.widgets.plain import button, label, row

HIDDEN = ("name", "title")
"""Fields that the form leaves as they are: an edit gets its name by itself, and its title in its row."""
WIDEST = 1_000_000
"""Farthest from 0 that a number without bounds can be."""
COLOUR = "to"
"""Field that holds a colour as in #7a3b10."""
NAMES = 92
"""Width of the names of fields at least, so that fields of several forms are in line."""
SPIN = 120
"""Width of a field for a number, pixels."""


def tr(text: str) -> str:
    """Translated, in the words of wishes."""
    return QCoreApplication.translate("wishes", text)


def field_words(name: str) -> str:
    """What a field is called."""
    known = {
        "text": tr("To"),
        "neutral": tr("From"),
        "alpha": tr("How far (α)"),
        "auto_beta": tr("Choose β by trying"),
        "beta": tr("Selectivity (β)"),
        "colours": tr("Colours too"),
        "samples": tr("Samples"),
        "probes": tr("Probes"),
        "deviation_samples": tr("Samples for deviations"),
        "clip": tr("CLIP file"),
        "activation": tr("CLIP’s activation"),
        "seed": tr("Seed"),
        "aim": tr("Aim"),
        "steps": tr("Steps"),
        "learning_rate": tr("Learning rate"),
        "l2": tr("Weight of size"),
        "identity": tr("Weight of identity"),
        "pictures": tr("Pictures"),
        "batch": tr("Pictures in a step"),
        "smallest_crop": tr("Smallest crop"),
        "coarse": tr("Coarse rows"),
        "medium": tr("Medium rows"),
        "fine": tr("Fine rows"),
        "attribute": tr("More of"),
        "without": tr("Keep as they are"),
        "keep_pose_and_expression": tr("Keep pose and expression"),
        "space": tr("Space"),
        "rows": tr("Rows"),
        "extreme": tr("Extremes"),
        "component": tr("Component"),
        "coefficients": tr("Coefficients"),
        "file": tr("File"),
        "path": tr("File"),
        "entry": tr("Entry"),
        "region": tr("What"),
        "emotion": tr("Emotion"),
        "to": tr("Colour"),
        "shift": tr("Shift in Lab"),
        "light": tr("Light"),
        "direction": tr("Direction"),
        "ambient": tr("Everywhere"),
        "shape": tr("Shape"),
        "length": tr("Length"),
    }
    return known.get(name) or name.replace("_", " ").capitalize()


class WishForm(QWidget):
    """Fields of a wish: the main ones, and the others behind a button.

    Attributes:
        changed: something was set to another value.
    """

    changed = Signal()

    def __init__(
        self,
        kind: type[Any],
        main: Sequence[str] = (),
        choices: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        examples: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            kind: dataclass of the wish.
            main: fields that are seen at once, in this order; all of them when empty.
            choices: fields of free text to the values that they can have, each with its words.
            examples: fields of text to what stands in them faintly while they are empty.
        """
        super().__init__()
        self._kind, self._choices, self._examples = kind, choices or {}, examples or {}
        self._hints, self._types = setting_hints(cast("Any", kind)), get_type_hints(kind, include_extras=True)
        self.parts: dict[str, QWidget] = {}
        self._words: dict[str, QWidget] = {}
        self._files: set[str] = set()
        self._read: dict[str, Callable[[], Any]] = {}
        known = {one.name: one for one in fields(kind) if one.name not in HIDDEN}
        first = [name for name in main if name in known] or list(known)
        rest = [name for name in known if name not in first]
        self._rest = QWidget()
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addLayout(self._laid_out([known[name] for name in first]))
        self.more = button(tr("More settings"), self._toggle, "flat")
        self.more.setStyleSheet("padding: 2px 4px; text-align: left; font-size: 12px;")
        self.more.setVisible(bool(rest))
        inside.addWidget(self.more)
        self._rest.setLayout(self._laid_out([known[name] for name in rest]))
        inside.addWidget(self._rest)
        self._rest.hide()
        for name, part in self.parts.items():
            # What is found by trying is not asked for.
            by_trying = self.parts.get(f"auto_{name}")
            if isinstance(by_trying, QCheckBox):
                by_trying.toggled.connect(part.setDisabled)
                part.setDisabled(by_trying.isChecked())

    def wish(self) -> Any:
        """What was asked for, of the form's kind."""
        return self._kind(**{name: read() for name, read in self._read.items()})

    def text(self, name: str) -> str:
        """What stands in a field of text; nothing where there is no such field."""
        part = self.parts.get(name)
        return part.text() if isinstance(part, QLineEdit) else ""

    def put_text(self, name: str, text: str) -> None:
        """Write into a field of text, if there is one of that name."""
        part = self.parts.get(name)
        if isinstance(part, QLineEdit):
            part.setText(text)

    def show_field(self, name: str, shown: bool) -> None:
        """Show a field with its words, or hide it, if there is one of that name."""
        for part in (self.parts.get(name), self._words.get(name)):
            if part is not None:
                part.setVisible(shown)

    def _ask_colour(self, name: str) -> None:
        chosen = QColorDialog.getColor(QColor(self.text(name) or "#7a3b10"), self, field_words(name))
        if chosen.isValid():
            self.put_text(name, chosen.name())

    def _ask_file(self, name: str) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, field_words(name))
        if chosen:
            self.put_text(name, chosen)

    def _toggle(self) -> None:
        shown = self._rest.isHidden()
        self._rest.setVisible(shown)
        self.more.setText(tr("Fewer settings") if shown else tr("More settings"))

    def _laid_out(self, wanted: Sequence[Field[Any]]) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, NAMES)
        for place, one in enumerate(wanted):
            part = self._part(one)
            hint = self._hints.get(one.name, "")
            part.setToolTip(hint)
            if isinstance(part, QAbstractSpinBox):
                part.setFixedWidth(SPIN)
                # A stylesheet's padding reaches the words of every field but these.
                part.lineEdit().setTextMargins(7, 0, 0, 0)
            part.setAccessibleName(field_words(one.name))
            part.setAccessibleDescription(hint)
            self.parts[one.name] = part
            if isinstance(part, QCheckBox):
                part.setText(field_words(one.name))
                grid.addWidget(part, place, 0, 1, 2)
                continue
            words = label(field_words(one.name), "hint")
            words.setToolTip(hint)
            words.setBuddy(part)
            self._words[one.name] = words
            grid.addWidget(words, place, 0)
            if one.name in self._files:
                choose = button(tr("Choose…"), partial(self._ask_file, one.name))
                grid.addLayout(row(part, choose, spacing=6), place, 1)
            elif one.name == COLOUR:
                choose = button(tr("Choose…"), partial(self._ask_colour, one.name))
                grid.addLayout(row(part, choose, spacing=6), place, 1)
            elif isinstance(part, QAbstractSpinBox):
                grid.addLayout(row(part, None), place, 1)  # a number needs no more than its width
            else:
                grid.addWidget(part, place, 1)
        return grid

    def _part(self, one: Field[Any]) -> QWidget:
        """The widget for a field, and how it is read."""
        default = one.default if one.default is not MISSING else None
        kind, bounds = _bare(self._types[one.name])
        name = one.name
        if name in self._choices:
            return self._combo(name, list(self._choices[name]), default)
        if get_origin(kind) is Literal:
            words = [(str(value), _choice_words(str(value))) for value in get_args(kind)]
            return self._combo(name, words, default)
        if kind is bool:
            box = QCheckBox()
            box.setChecked(bool(default))
            box.toggled.connect(self.changed)
            self._read[name] = box.isChecked
            return box
        if kind in (int, float):
            return self._spin(name, kind, default or 0, bounds)
        if kind is Path:
            self._files.add(name)
        field = QLineEdit("" if default in (None, (), "") else _written(default))
        field.setPlaceholderText(self._examples.get(name, ""))
        field.textChanged.connect(self.changed)
        self._read[name] = lambda: _read_text(field.text(), kind)
        return field

    def _combo(self, name: str, words: list[tuple[str, str]], default: Any) -> QComboBox:
        box = QComboBox()
        for value, said in words:
            box.addItem(said, value)
        box.setCurrentIndex(max(0, box.findData(default)))
        box.currentIndexChanged.connect(self.changed)
        self._read[name] = box.currentData
        return box

    def _spin(self, name: str, kind: type, default: Any, bounds: tuple[float, float]) -> QAbstractSpinBox:
        if kind is int:
            whole = QSpinBox()
            whole.setRange(round(max(bounds[0], -WIDEST)), round(min(bounds[1], WIDEST)))
            whole.setValue(int(default))
            whole.valueChanged.connect(self.changed)
            self._read[name] = whole.value
            return whole
        spin = QDoubleSpinBox()
        digits = len(f"{float(default):.6f}".rstrip("0").partition(".")[2])
        spin.setDecimals(max(2, digits))
        spin.setSingleStep(10.0 ** -max(1, digits))
        spin.setRange(max(bounds[0], -WIDEST), min(bounds[1], WIDEST))
        spin.setValue(float(default))
        spin.valueChanged.connect(self.changed)
        self._read[name] = spin.value
        return spin


def _bare(kind: Any) -> tuple[Any, tuple[float, float]]:
    """A type without its annotations and without None, and the bounds that they set."""
    low, high = -float("inf"), float("inf")
    if get_origin(kind) is Annotated:
        kind, *notes = get_args(kind)
        for note in notes:
            low = max(low, *_ends(note, "ge", "gt"))
            high = min(high, *_ends(note, "le", "lt"))
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    return kind, (low, high)


def _ends(note: Any, *names: str) -> tuple[float, ...]:
    """What an annotation says of one end; without an end where it says nothing."""
    nothing = -float("inf") if names[0] == "ge" else float("inf")
    found = (getattr(note, name, None) for name in names)
    return tuple(nothing if end is None else float(end) for end in found)


def _choice_words(value: str) -> str:
    return value.replace("_", " ").capitalize() if len(value) > 2 else value.upper()


def _written(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)


def _read_text(text: str, kind: Any) -> Any:
    """A text as its field has it: words and numbers may be a row with commas between."""
    if get_origin(kind) is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        of = get_args(kind)[0]
        return tuple(of(part) for part in parts)
    if kind is Path:
        return Path(text.strip()).expanduser()
    return text.strip()
