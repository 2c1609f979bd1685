"""Files of weights: which are here, what the others would unlock, and how to get them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from studio.assets import WEIGHTS_VARIABLE, Asset
from ui.actions.weights import WeightsActions
from ui.session import Session
from ui.theme import GAP
from ui.widgets.asset_row import AssetRow
from ui.widgets.plain import button, label


class WeightsPanel(QWidget):
    """A row for each entry of the manifest."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.actions_on = WeightsActions(session)
        library = self.actions_on.library
        words = label(
            self.tr(
                "The studio works without any of these. Nothing is downloaded for you: get a file from its "
                "page under its terms, then drop it here. It is copied to {folder} and checked."
            ).format(folder=library.weights),
            "hint",
            wrap=True,
        )
        words.setToolTip(
            self.tr("Files in a folder that {variable} names are found too.").format(
                variable=WEIGHTS_VARIABLE
            )
        )
        self.verify = button(
            self.tr("Verify all"), self.actions_on.verify, tip=self.tr("Read every file and compare it")
        )
        self.take = button(self.tr("Import a file…"), lambda: self.actions_on.ask(self), picture="plus")
        top = QHBoxLayout()
        top.setSpacing(GAP)
        top.addWidget(words, 1)
        top.addWidget(self.verify)
        top.addWidget(self.take)
        self.rows = {name: self._row(asset) for name, asset in library.assets.items()}
        held = QWidget()
        rows = QVBoxLayout(held)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(GAP - 2)
        for row in self.rows.values():
            rows.addWidget(row)
        rows.addStretch(1)
        self._view = QScrollArea()
        self._view.setWidgetResizable(True)
        self._view.setWidget(held)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, GAP, 0, 0)
        inside.setSpacing(GAP)
        inside.addLayout(top)
        inside.addWidget(self._view, 1)
        self.actions_on.looked.connect(self._looked)
        self.actions_on.moved.connect(self._moved)
        self.actions_on.ended.connect(self._ended)

    def enter(self) -> None:
        """Look which are here."""
        if not self.actions_on.importing:
            self.actions_on.look()

    def take_in(self, files: list[Path]) -> None:
        """What was dropped: each file is whatever it turns out to be."""
        for file in files:
            self.actions_on.do(file)

    def _row(self, asset: Asset) -> AssetRow:
        row = AssetRow(asset)
        row.import_asked.connect(lambda: self.actions_on.ask(self, asset))
        row.verify_asked.connect(lambda: self.actions_on.verify(asset.id))
        return row

    def _looked(self, name: str, state: str, trouble: str) -> None:
        row = self.rows[name]
        # A quick look knows less than a thorough one before it, unless the file has gone or changed.
        if state == "there" and row.state_id == "good":
            return
        row.show_state(state, trouble)
        here = any(row.state_id in ("there", "good", "wrong") for row in self.rows.values())
        self.verify.setEnabled(here)

    def _moved(self, name: str, share: float) -> None:
        self.take.setEnabled(False)
        self.take.setText(
            self.tr("Copying…") if share < 0 else self.tr("Copying {n} %").format(n=round(100 * share))
        )
        if name:
            self.rows[name].show_share(share)

    def _ended(self) -> None:
        self.take.setEnabled(True)
        self.take.setText(self.tr("Import a file…"))
        for row in self.rows.values():
            row.show_share(None)
