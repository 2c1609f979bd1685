"""What can be saved of a comparison: a contact sheet and a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from pipelines.compare_result import Comparison, Measure, as_json, as_markdown
from ui.pages.compare_sheet import write_aside, write_sheet
from ui.session import Session
from ui.widgets.plain import button, label, row

JUDGES = ("lpips", "haarpsi", "psnr")
"""Measures that are nearest to a person's eye; the first that there is."""


def judge(comparison: Comparison) -> str:
    """The measure that says most and has values; empty for none."""
    return next((name for name in JUDGES if name in comparison.curves["a"]), "")


class CompareSaving(QWidget):
    """Two buttons that ask where to, and what they do without asking.

    Attributes:
        saved: where a file was written.
    """

    saved = Signal(str)

    def __init__(
        self, session: Session, shown: Callable[[], tuple[Comparison | None, Measure | None]]
    ) -> None:
        """``shown``: the comparison and the measure that are on the screen."""
        super().__init__()
        self._session, self._of = session, shown
        self.sheet = button(
            self.tr("Save contact sheet…"),
            self.ask_for_sheet,
            picture="export",
            tip=self.tr("A PNG with some frames, what each side made of them, and where they differ"),
        )
        self.table = button(
            self.tr("Save table…"),
            self.ask_for_table,
            picture="export",
            tip=self.tr("The figures as a Markdown table or as JSON"),
        )
        self._done = label(role="good")
        self._done.hide()
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(row(self.sheet, self.table, None, spacing=8))
        inside.addWidget(self._done)

    def ask_for_sheet(self) -> None:
        """Ask where to, then :meth:`save_sheet`."""
        path = self._ask(self.tr("Save contact sheet"), "comparison.png", self.tr("PNG picture (*.png)"))
        if path is not None:
            self.save_sheet(path)

    def ask_for_table(self) -> None:
        """Ask where to, then :meth:`save_table`."""
        kinds = self.tr("Markdown table (*.md);;JSON (*.json)")
        path = self._ask(self.tr("Save table"), "comparison.md", kinds)
        if path is not None:
            self.save_table(path)

    def save_sheet(self, path: Path) -> None:
        """Write the contact sheet as PNG, with the chosen measure, or another one where that is off."""
        comparison, measure = self._of()
        if comparison is None or measure is None:
            return
        if measure.id not in comparison.curves["a"]:
            measure = comparison.measure(judge(comparison) or measure.id)
        path = path if path.suffix.lower() == ".png" else path.with_name(f"{path.name}.png")
        self._write(path, lambda: write_sheet(comparison, measure, path))

    def save_table(self, path: Path) -> None:
        """Write the figures as Markdown, or as JSON where the name ends so."""
        comparison, _ = self._of()
        if comparison is None:
            return
        if path.suffix.lower() == ".json":
            text = json.dumps(as_json(comparison), indent=1, ensure_ascii=False) + "\n"
        else:
            path = path if path.suffix.lower() in (".md", ".txt") else path.with_name(f"{path.name}.md")
            text = as_markdown(comparison)
        self._write(path, lambda: write_aside(path, text.encode("utf-8")))

    def _ask(self, title: str, name: str, kinds: str) -> Path | None:
        folder = self._session.preferences.text("compare.folder", str(Path.home()))
        found, _ = QFileDialog.getSaveFileName(self, title, str(Path(folder) / name), kinds)
        if not found:
            return None
        self._session.preferences.keep("compare.folder", str(Path(found).parent))
        return Path(found)

    def _write(self, path: Path, work: Callable[[], None]) -> None:
        def written(_: object) -> None:
            self._session.said.emit(self.tr("Saved {name}").format(name=path.name))
            self._done.setText(self.tr("Saved as {name}").format(name=path.name))
            self._done.show()
            self.saved.emit(str(path))

        def failed(error: Exception) -> None:
            self._session.fail(self.tr("{name} could not be saved").format(name=path.name), error)

        self._session.background.run(self, work, written, failed)
