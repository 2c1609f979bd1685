"""All controls of an avatar as a searchable list in sections that fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.domain.controls import Control
from studio.domain.edits import GROUP as EDITS
from ui.controls_model import ControlsModel, is_edit
from ui.theme import GAP
from ui.widgets.control_slider import ControlSlider
from ui.widgets.plain import button, column, label

ORDER = ("Head", "Camera", "Mouth", "Eyes", "Brows", EDITS, "Expression")
"""Sections from the top; groups that are not named here follow."""
FOLDED = ("Expression",)
"""Sections that are closed at first."""
RARE_ENDS, RARE_STARTS = ("_left", "_right", "_outer", "_inner"), ("jaw_", "eyelid_", "move_")
"""Controls that stand behind “More”: single sides, and raw joints that handles move together."""


def is_rare(control: Control) -> bool:
    """Whether a control stands behind “More”."""
    rare = control.name.endswith(RARE_ENDS) or control.name.startswith(RARE_STARTS)
    return rare and not is_edit(control)


class ControlList(QWidget):
    """Sections of sliders, handles before raw controls; rows are made when they are first seen."""

    def __init__(self, model: ControlsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._sections: list[Section] = []
        self._rows: dict[str, ControlSlider] = {}
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Find a control"))
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(self.tr("Find a control"))
        self.search.textChanged.connect(self._filter)
        self._nothing = label(self.tr("No control is called that."), "hint", wrap=True)
        self._nothing.hide()
        self._inside = QWidget()
        self._layout = QVBoxLayout(self._inside)
        self._layout.setContentsMargins(0, 0, GAP // 2, 0)
        self._layout.setSpacing(4)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._inside)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setLayout(column(self.search, self._nothing, self._scroll, spacing=GAP // 2))
        self.layout().setContentsMargins(0, GAP - 2, 0, 0)  # type: ignore[union-attr]
        model.sheet_changed.connect(self._fill)
        model.value_changed.connect(self._show_value)
        self._fill()

    def row(self, name: str) -> ControlSlider:
        """The slider of a control, made if need be."""
        if name not in self._rows:
            self._rows[name] = ControlSlider(self._model, self._model.control(name))
        return self._rows[name]

    def has_row(self, name: str) -> bool:
        """Whether somebody has seen this control's slider yet."""
        return name in self._rows

    @property
    def sections(self) -> tuple[Section, ...]:
        """From the top."""
        return tuple(self._sections)

    def _fill(self) -> None:
        """Sections for the model's controls; those that stay as they are keep their rows."""
        controls = [*(h.control for h in self._model.handles), *self._model.sheet.controls]
        wanted = {group: [c for c in controls if c.group == group] for group in _groups(controls)}
        kept = {}
        for section in self._sections:
            if _looks(section.controls) == _looks(_ordered(wanted.get(section.group, []))):
                kept[section.group] = section
        if list(kept) == list(wanted) == [section.group for section in self._sections]:
            return
        for section in self._sections:
            if kept.get(section.group) is not section:
                for control in section.controls:
                    self._rows.pop(control.name, None)
                section.hide()
                section.deleteLater()
        self._sections = []
        while self._layout.count():
            self._layout.takeAt(0)
        for group, own in wanted.items():
            self._sections.append(kept[group] if group in kept else Section(self, group, own))
            self._layout.addWidget(self._sections[-1])
        self._layout.addStretch(1)
        self._filter(self.search.text())

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        found = [section.filter(words) for section in self._sections]
        self._nothing.setVisible(bool(words) and not any(found))

    def _show_value(self, name: str, value: float) -> None:
        row = self._rows.get(name)
        if row is not None:
            row.show_value(value)


class Section(QWidget):
    """A heading that folds, the rows below it, and “More”."""

    def __init__(self, of: ControlList, group: str, controls: list[Control]) -> None:
        super().__init__()
        self._list = of
        self.group = group
        plain, rare = [c for c in controls if not is_rare(c)], [c for c in controls if is_rare(c)]
        if not plain:
            plain, rare = rare, []
        self.controls = [*plain, *rare]
        self._plain, self._rare = plain, rare
        self._all = False
        self._words: list[str] = []
        self._made: dict[str, ControlSlider] = {}
        titles = {
            "Head": self.tr("Head"),
            "Camera": self.tr("Camera"),
            "Mouth": self.tr("Mouth"),
            "Eyes": self.tr("Eyes"),
            "Brows": self.tr("Brows"),
            EDITS: self.tr("Edits"),
            "Expression": self.tr("All {n} coefficients").format(n=len(controls)),
        }
        self.heading = QToolButton()
        self.heading.setText(titles.get(group, group))
        self.heading.setProperty("role", "flat")
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setCheckable(True)
        self.heading.setChecked(group not in FOLDED)
        self.heading.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.heading.setStyleSheet("text-align: left; font-weight: 600; padding: 4px 2px; background: none;")
        self.heading.toggled.connect(self._arrange)
        self.more = button(
            "", self._toggle_more, "flat", tip=self.tr("Left and right by themselves, and single joints")
        )
        self.more.setStyleSheet("padding: 2px 4px; text-align: left; font-size: 12px;")
        self._body = QVBoxLayout()
        self._body.setContentsMargins(4, 0, 0, 0)
        self._body.setSpacing(0)
        self.setLayout(column(self.heading, self._body, spacing=2))
        self.layout().addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)  # type: ignore[union-attr, call-arg]
        self._arrange()

    def filter(self, words: Iterable[str]) -> int:
        """Show what all words stand in; everything for no words. Returns how many controls are left."""
        self._words = list(words)
        self._arrange()
        self.setVisible(not self._words or bool(self._shown()))
        return len(self._shown())

    def open(self) -> None:
        """Unfold."""
        self.heading.setChecked(True)

    def _shown(self) -> list[Control]:
        if self._words:
            return [c for c in self.controls if all(word in _haystack(c) for word in self._words)]
        if not self.heading.isChecked():
            return []
        return self.controls if self._all else self._plain

    def _arrange(self, *toggled: object) -> None:
        shown = self._shown()
        names = {control.name for control in shown}
        for name, row in self._made.items():
            row.setVisible(name in names)
        for control in shown:
            if control.name not in self._made:
                place = self._place(control)
                row = self._made[control.name] = self._list.row(control.name)
                self._body.insertWidget(place, row)
        opened = self.heading.isChecked() or bool(self._words)
        self.heading.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.more.setVisible(bool(self._rare) and self.heading.isChecked() and not self._words)
        self.more.setText(self.tr("Fewer controls") if self._all else self.tr("More controls"))

    def _place(self, control: Control) -> int:
        """Where a new row stands among those that are there, in the section's order."""
        before = self.controls[: self.controls.index(control)]
        return sum(other.name in self._made for other in before)

    def _toggle_more(self) -> None:
        self._all = not self._all
        self._arrange()


def _groups(controls: list[Control]) -> list[str]:
    """Groups in the order of the sections."""
    present = list(dict.fromkeys(c.group for c in controls))
    return sorted(present, key=lambda g: ORDER.index(g) if g in ORDER else len(ORDER))


def _ordered(controls: list[Control]) -> list[Control]:
    """A group's controls in the order in which its section holds them."""
    return [*(c for c in controls if not is_rare(c)), *(c for c in controls if is_rare(c))]


def _looks(controls: list[Control]) -> list[Control]:
    return [_look(control) for control in controls]


def _look(control: Control) -> Control:
    """What a row shows of a control: an edit's does not show where it rests."""
    return replace(control, default=0.0) if is_edit(control) else control


def _haystack(control: Control) -> str:
    return f"{control.label} {control.name.replace('_', ' ')} {control.name} {control.group}".lower()
