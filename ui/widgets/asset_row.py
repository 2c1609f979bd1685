"""One file of weights: what it unlocks, whether it is here, where to get it and under which terms."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout

from studio.assets import Asset
from ui.theme import GAP, tokens
from ui.widgets.plain import Role, button, label, set_role
from ui.words import size


class AssetRow(QFrame):
    """Told what was found out; asks for the rest.

    Attributes:
        import_asked: a file should be chosen for it.
        verify_asked: it should be read and compared.
    """

    import_asked = Signal()
    verify_asked = Signal()

    def __init__(self, asset: Asset) -> None:
        super().__init__()
        self.asset = asset
        self.state_id = ""
        self.setProperty("role", "card")
        self.setAccessibleName(asset.title)
        self.state = label()
        self.state.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        unlocks = self.tr("Will unlock {what}.") if asset.planned else self.tr("Unlocks {what}.")
        self._trouble = label(role="bad", wrap=True)
        self._trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._page = QLabel()
        self._page.setOpenExternalLinks(True)
        self._page.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self._page.setToolTip(asset.source)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.verify = button(
            self.tr("Verify"), self.verify_asked.emit, tip=self.tr("Read the whole file and compare it")
        )
        self.take = button(
            self.tr("Import…"),
            self.import_asked.emit,
            tip=self.tr("Choose the file; it is copied and checked"),
        )
        for part in (self.verify, self.take):
            part.setAccessibleDescription(asset.title)
        facts = [asset.files[0], *([size(asset.size)] if asset.size else []), asset.licence]
        head = QHBoxLayout()
        head.addWidget(label(asset.title, "heading"))
        head.addStretch(1)
        head.addWidget(self.state)
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addWidget(label(unlocks.format(what=asset.unlocks), wrap=True))
        words.addWidget(label(" · ".join(facts), "hint", wrap=True))
        words.addWidget(self._page)
        words.addWidget(self._trouble)
        side = QHBoxLayout()
        side.setSpacing(8)
        side.addWidget(self.verify, 0, Qt.AlignmentFlag.AlignBottom)
        side.addWidget(self.take, 0, Qt.AlignmentFlag.AlignBottom)
        below = QHBoxLayout()
        below.setSpacing(GAP)
        below.addLayout(words, 1)
        below.addLayout(side)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(GAP + 4, GAP - 2, GAP + 4, GAP)
        inside.setSpacing(4)
        inside.addLayout(head)
        inside.addLayout(below)
        inside.addWidget(self.bar)
        self.bar.hide()
        self._draw_link()
        self.show_state("missing", "")

    def show_state(self, state: str, trouble: str) -> None:
        """What is known.

        Args:
            state: one of :data:`studio.assets.AssetState`, or ``checking``.
            trouble: a sentence when it is wrong.
        """
        words: dict[str, tuple[str, Role]] = {
            "missing": (self.tr("Not here"), "hint"),
            "there": (self.tr("Here, not verified"), "good"),
            "good": (self.tr("Here"), "good"),
            "wrong": (self.tr("Not the right file"), "bad"),
            "checking": (self.tr("Checking…"), "hint"),
        }
        if state == "good" and self.asset.sha256:
            words["good"] = (self.tr("Here and verified"), "good")
        text, role = words[state]
        self.state_id = state
        self.state.setText(text)
        set_role(self.state, "role", role)
        self._trouble.setText(trouble)
        self._trouble.setVisible(bool(trouble))
        self.verify.setVisible(state in ("there", "good", "wrong") and bool(self.asset.sha256))
        self.take.setText(self.tr("Replace…") if state in ("there", "good", "wrong") else self.tr("Import…"))

    def show_share(self, share: float | None) -> None:
        """How far its import is: 0..1, negative while unknown, None when it is over."""
        self.bar.setVisible(share is not None)
        if share is not None:
            self.bar.setRange(0, 1000 if share >= 0 else 0)
            self.bar.setValue(round(1000 * max(0.0, share)))

    def changeEvent(self, event: object) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)  # type: ignore[arg-type]
        if hasattr(self, "_page"):
            self._draw_link()

    def _draw_link(self) -> None:
        """A link's colour is part of its text."""
        source = escape(self.asset.source, quote=True)
        text = f'<a style="color:{tokens().accent}" href="{source}">{source.removeprefix("https://")}</a>'
        if self._page.text() != text:
            self._page.setText(text)
