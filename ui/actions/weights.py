"""Take in a file of weights that somebody has got themselves, and check those that are here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.assets import Asset, AssetLibrary, AssetState
from ui.session import Session

if TYPE_CHECKING:
    from studio.domain.progress import Progress


class WeightsActions(QObject):
    """Reading gigabytes is done on a thread; failures land in the banner.

    Attributes:
        moved: (id of an asset or empty, share 0..1 or -1 while unknown).
        looked: (id of an asset, its :data:`~studio.assets.AssetState`, a sentence about what is wrong).
        ended: an import is over, whatever became of it.
    """

    moved = Signal(str, float)
    looked = Signal(str, str, str)
    ended = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.library = AssetLibrary(session.store.home)
        self.importing = False

    def look(self) -> None:
        """Which are here; their content is not read."""
        self._look(tuple(self.library.assets), thorough=False)

    def verify(self, *ids: str) -> None:
        """Read these and compare them with what is known of them; all that are here when none is named."""
        found = ids or tuple(name for name in self.library.assets if self.library.find(name))
        for name in found:  # one after the other, so that each is told when it is known
            self._look((name,), thorough=True)

    def ask(self, parent: QWidget, asset: Asset | None = None) -> None:
        """Let somebody choose a file."""
        title = self.tr("Choose the file") if asset is None else asset.title
        kinds = "" if asset is None else f"{asset.files[0]} (*{Path(asset.files[0]).suffix});;"
        start = self._session.preferences.text("weights folder", str(Path.home()))
        chosen, _ = QFileDialog.getOpenFileName(parent, title, start, kinds + self.tr("All files (*)"))
        if chosen:
            self._session.preferences.keep("weights folder", str(Path(chosen).parent))
            self.do(Path(chosen), None if asset is None else asset.id)

    def do(self, file: Path, asset_id: str | None = None) -> None:
        """Copy a file in if it is what it should be; without an id it is found out what it is."""
        library = self.library
        self.importing = True

        def work(progress: Progress) -> Asset:
            from pipelines.import_weights import import_weights

            return import_weights(library, file, asset_id, progress)

        def done(asset: Asset) -> None:
            self._session.said.emit(self.tr("{title} is here.").format(title=asset.title))
            self.verify(asset.id)

        def failed(error: Exception) -> None:
            safe = self.tr("The files that were here are as they were.")
            self._session.fail(self.tr("The file was not taken in"), error, safe)

        def ended() -> None:
            self.importing = False
            self.ended.emit()

        ticket = self._session.background.run(self, work, done, failed, progress=True)
        ticket.progressed.connect(
            lambda count, total, what: self.moved.emit(asset_id or "", count / total if total > 0 else -1.0)
        )
        ticket.ended.connect(ended)
        self.moved.emit(asset_id or "", -1.0)

    def _look(self, ids: tuple[str, ...], thorough: bool) -> None:
        library = self.library

        def work() -> list[tuple[str, AssetState, str]]:
            found = []
            for name in ids:
                state = library.state(name, thorough)
                wrong = (library.missing(name) or "") if state == "wrong" else ""
                found.append((name, state, wrong))
            return found

        def done(found: list[tuple[str, AssetState, str]]) -> None:
            for name, state, wrong in found:
                self.looked.emit(name, state, wrong)

        if thorough:
            for name in ids:
                self.looked.emit(name, "checking", "")
        self._session.background.run(self, work, done)
