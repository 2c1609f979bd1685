"""Asks how a clip's expression is taken over: as it was tracked, or without whose face it is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from pipelines.retarget_motion import RetargetSettings
from ui.session import Session
from ui.widgets.plain import label


class ExpressionSpaceChoice(QWidget):
    """A choice where the home has a base model that can do it; otherwise a sentence what to do.

    Attributes:
        changed: another one was chosen.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.spaces = QComboBox()
        self.spaces.addItem(self.tr("Expression as tracked"), "head")
        self.spaces.addItem(self.tr("Expression without whose face it is"), "clebs")
        self.spaces.setAccessibleName(self.tr("Expression space"))
        self.spaces.setToolTip(
            self.tr(
                "What was tracked also tells a little of the driver’s own face. A base model that has learnt "
                "expressions of many people leaves some of that out, and some of the expression with it."
            )
        )
        self.words = label("", "hint", wrap=True)
        inside = QHBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.spaces)
        inside.addWidget(self.words, 1)
        self.spaces.hide()
        self.words.hide()
        self.spaces.activated.connect(self.changed)

    def look(self, session: Session) -> None:
        """See which there are, on a thread."""
        home = session.store.home
        session.background.run(self, lambda: _missing(home), self._take)

    def settings(self) -> RetargetSettings:
        """What was chosen, all else as usual."""
        return RetargetSettings(expression_space=self.spaces.currentData())

    def _take(self, missing: str | None) -> None:
        self.words.setText(missing or "")
        self.words.setVisible(missing is not None)
        self.spaces.setVisible(missing is None)
        if missing is not None and self.spaces.currentData() != "head":
            self.spaces.setCurrentIndex(0)
            self.changed.emit()


def _missing(home: Path) -> str | None:
    from pipelines.expression_spaces import missing_space
    from studio.head import builtin_head

    return missing_space(home, builtin_head().id)
