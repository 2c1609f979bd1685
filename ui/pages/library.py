"""Everybody you work with."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QScrollArea, QStackedWidget, QVBoxLayout

from studio.domain.problem import Problem
from studio.project.store import SubjectFolder, TrashEntry
from ui.actions.bring_in import FAILED, BringIn, Incoming
from ui.actions.show_folder import show_folder
from ui.actions.subjects import SubjectActions
from ui.bridge.jobs import Job
from ui.pages.library_grid import CardGrid
from ui.pages.library_listing import (
    Entry,
    Library,
    clips_and_use,
    engine_titles,
    read_library,
)
from ui.pages.library_pictures import Pictures
from ui.pages.library_trash import TrashDialog, UndoBar
from ui.pages.page import Page
from ui.preferences import Preferences
from ui.session import Session
from ui.theme import GAP
from ui.widgets.empty_state import EmptyState
from ui.widgets.file_drop import FileDrop
from ui.widgets.plain import button, label
from ui.widgets.subject_card import Card, DamagedCard, IncomingCard, SubjectCard

if TYPE_CHECKING:
    from pipelines.import_job import Import

SEARCH_FROM = 9
"""People from which on there is a search field."""


class LibraryPage(Page):
    """Subjects with their pictures; new ones from a clip that is dropped or chosen."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.bring_in = BringIn(session)
        self.actions_on = SubjectActions(session)
        self.library = Library((), (), ())
        self.cards: dict[Path, SubjectCard] = {}
        self._coming: dict[Incoming, IncomingCard] = {}
        self._pictures = Pictures(session)
        self._reading = self._again = False
        self._entered = False
        self._awaited: dict[Path, SubjectFolder] = {}
        self._build()
        self.bring_in.began.connect(self._began)
        self.bring_in.moved.connect(self._moved)
        self.bring_in.ended.connect(self._ended)
        self.bring_in.arrived.connect(self._arrived)
        self.actions_on.deleted.connect(self._deleted)
        self.actions_on.restored.connect(
            lambda name: self.undo_bar.offer(self.tr("{name} is back.").format(name=name))
        )
        self._pictures.ready.connect(self._pictured_as)
        self._pictures.failed.connect(self._no_picture)
        session.library_changed.connect(self.read)
        session.subject_changed.connect(self._subject_changed)
        session.jobs.changed.connect(self._job_changed)
        session.jobs.ended.connect(self._job_ended)

    def enter(self) -> None:
        """Look at the disk: another process may have been at work."""
        self._entered = True
        self.read()

    def leave(self) -> None:
        """What was deleted stays in the trash; the offer to undo it goes."""
        self._entered = False
        self._awaited.clear()
        self.undo_bar.put_away()

    def read(self) -> None:
        """Read everything again, on a thread."""
        if not self._entered:
            return
        if self._reading:
            self._again = True
            return
        self._reading = True
        store, keep = self.session.store, self.session.preferences
        opened = _notes(keep)

        def work() -> Library:
            return read_library(store, opened)

        self.session.background.run(self, work, self._take, self._unreadable)

    def open(self, subject: SubjectFolder) -> None:
        """Open somebody and go on where it makes sense: to the avatar, else to the clip."""
        self.session.open_subject(subject)
        self.session.show_page("capture" if self.session.avatar is None else "perform")

    def ask_trash(self) -> TrashDialog:
        """Show what can be restored."""
        dialog = TrashDialog(self, self.actions_on, self.library.trash)
        self.actions_on.emptied.connect(dialog.accept)
        dialog.open()
        return dialog

    def _build(self) -> None:
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setAccessibleName(self.tr("Search by name"))
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(220)
        self.search.textChanged.connect(self._show_cards)
        self.trash = button("", self.ask_trash, "flat", "trash", self.tr("What was deleted, to restore it"))
        self.new = button(
            self.tr("New"),
            lambda: self.bring_in.ask(self),
            "primary",
            "plus",
            self.tr("Bring in a phone video or a photo of a face (Ctrl+N)"),
        )
        top = QHBoxLayout()
        top.setSpacing(GAP)
        top.addStrut(self.new.sizeHint().height())  # the title stays where it is when the buttons come
        top.addWidget(label(self.tr("Library"), "title"))
        top.addStretch(1)
        top.addWidget(self.search)
        top.addWidget(self.trash)
        top.addWidget(self.new)
        self.grid = CardGrid()
        self._view = QScrollArea()
        self._view.setWidgetResizable(True)
        self._view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setWidget(self.grid)
        self.empty = EmptyState(
            "film",
            self.tr("Bring in your first face"),
            self.tr(
                "Drop a phone video here: 20 to 60 seconds, phone held still, even light, looking around and "
                "talking. Or a photo: its avatar is there at once, and only knows what the photo shows."
            ),
            self.tr("Choose a video or photo…"),
            lambda: self.bring_in.ask(self),
        )
        self.sample = button(
            self.tr("Try the bundled sample"),
            self.bring_in.do_sample,
            tip=self.tr("A clip that comes with the program: nothing of yours is needed"),
        )
        inside = self.empty.layout()
        assert isinstance(inside, QVBoxLayout)
        inside.insertWidget(inside.count() - 1, self.sample, 0, Qt.AlignmentFlag.AlignHCenter)
        self.nobody = label(self.tr("Nobody of that name."), "hint")
        self.stack = QStackedWidget()
        self.stack.addWidget(self._view)
        self.stack.addWidget(self.empty)
        self.undo_bar = UndoBar()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        whole.setSpacing(GAP + 4)
        whole.addLayout(top)
        whole.addWidget(self.nobody)
        whole.addWidget(self.stack, 1)
        whole.addWidget(self.undo_bar)
        self.drop = FileDrop(self, self.tr("Drop the video or photo to bring it in"), self._dropped)
        for keys, action in (
            (QKeySequence.StandardKey.New, self.new.click),
            (QKeySequence.StandardKey.Undo, self.undo_bar.undo.click),
            (QKeySequence.StandardKey.Find, self.search.setFocus),
        ):
            QShortcut(QKeySequence(keys), self, action, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._shown_nothing_yet()

    def _shown_nothing_yet(self) -> None:
        """Until the disk has been read, neither people nor an invitation: one of them would be wrong."""
        for part in (self.search, self.trash, self.nobody):
            part.hide()
        self.stack.setCurrentWidget(self._view)

    def _take(self, library: Library) -> None:
        self._reading = False
        self.session.mended.emit("library")
        self.library = library
        for entry in library.entries:
            self._fill(entry)
        here = {entry.subject.path for entry in library.entries}
        for path in [path for path in self.cards if path not in here]:
            self._pictures.forget(path)
            self.cards.pop(path).deleteLater()
        self._show_cards()
        for entry in library.entries:
            if entry.clips:
                empty = self.cards[entry.subject.path].portrait.empty
                self._pictures.want(
                    entry.subject, (entry.clips, entry.used), entry.picture if empty else None
                )
        for job in self.session.jobs.jobs():
            self._job_changed(job)
        if self._again:
            self._again = False
            self.read()

    def _unreadable(self, error: Exception) -> None:
        self._reading = False
        self.session.fail(self.tr("The library cannot be read"), error, about="library")

    def _fill(self, entry: Entry) -> None:
        path = entry.subject.path
        card = self.cards.get(path)
        if card is None:
            card = self.cards[path] = SubjectCard()
            card.opened.connect(lambda: self._asked(path, "open"))
            card.asked.connect(lambda what: self._asked(path, what))
            card.go_on.connect(lambda: self._go_on(path))
        card.say(entry.subject.name, clips_and_use(entry))
        card.setToolTip(entry.trouble or entry.subject.consent)
        card.show_engines(engine_titles(entry.engines))

    def _show_cards(self) -> None:
        entries = self.library.entries
        wanted = _plain(self.search.text())
        cards: list[Card] = [*self._coming.values()]
        found = [e for e in entries if wanted in _plain(e.subject.name)]
        cards += [self.cards[entry.subject.path] for entry in found]
        if not wanted:
            cards += [DamagedCard(sentence, folder) for sentence, folder in self.library.problems]
        for old in self.grid.cards:
            if isinstance(old, DamagedCard):
                old.deleteLater()
        self.grid.show_cards(cards)
        some = bool(entries or self._coming or self.library.problems)
        self.stack.setCurrentWidget(self._view if some else self.empty)
        self.new.setVisible(some)
        self.search.setVisible(len(entries) >= SEARCH_FROM or bool(wanted))
        self.nobody.setVisible(bool(wanted) and not found)
        count = len(self.library.trash)
        self.trash.setVisible(count > 0)
        self.trash.setText(self.tr("Trash ({n})").format(n=count))

    def _pictured_as(self, path: Path, image: QImage) -> None:
        card = self.cards.get(path)
        if card is not None:
            card.portrait.show_image(image)

    def _no_picture(self, path: Path, error: Exception) -> None:
        """A clip that shows nothing is told on its card; a banner for each would be too much."""
        card = self.cards.get(path)
        if card is None:
            return
        if isinstance(error, Problem):
            card.setToolTip(str(error))
        elif path.is_dir():
            self.session.fail(self.tr("A picture could not be made"), error)

    def _asked(self, path: Path, what: str) -> None:
        subject = next((e.subject for e in self.library.entries if e.subject.path == path), None)
        if subject is None:
            return
        if what == "open":
            self.open(subject)
        elif what == "clip":
            self.bring_in.ask(self, subject.name)
        elif what == "rename":
            self.actions_on.ask_rename(self, subject)
        elif what == "consent":
            self.actions_on.ask_consent(self, subject)
        elif what == "folder":
            show_folder(path)
        elif what == "delete":
            self.actions_on.delete(subject)

    def _go_on(self, path: Path) -> None:
        job = self._latest_job(path)
        if job is not None:
            self.session.jobs.start(job.folder)

    def _latest_job(self, path: Path) -> Job | None:
        jobs = [job for job in self.session.jobs.jobs() if job.folder.parents[1] == path]
        running = [job for job in jobs if not job.status.over]
        found = running or jobs
        return found[-1] if found else None

    def _job_changed(self, job: Job) -> None:
        card = self.cards.get(job.folder.parents[1])
        latest = self._latest_job(job.folder.parents[1])
        if card is None or latest is None:
            return
        status = latest.status
        title = latest.plan.steps[min(status.step, len(latest.plan.steps) - 1)].title
        if status.state == "queued" and not (latest.folder / "status.json").exists():
            # The window was closed between the copy and the start: nobody else will start it.
            card.show_work("", None, self.tr("Not started"), idle=True)
        elif not status.over:
            card.show_work(status.what or title, latest.share)
        elif status.state == "stopped":
            card.show_work("", None, self.tr("Paused"), idle=True)
        elif status.state in ("failed", "crashed"):
            tracking = latest.plan.kind == "import"
            card.show_work("", None, self.tr("Tracking failed") if tracking else self.tr("Build failed"))
            card.trouble.setToolTip(f"{title}: {status.message}")
        else:
            card.show_work("", None)

    def _began(self, incoming: Incoming) -> None:
        card = self._coming[incoming] = IncomingCard(incoming.name)
        card.cancelled.connect(lambda: self.bring_in.cancel(incoming))
        self.undo_bar.put_away()
        self._show_cards()

    def _arrived(self, done: Import) -> None:
        """Somebody whose photo comes in waits for the avatar: it takes no longer than looking at the card."""
        if done.engines and done.job is not None:
            self._awaited[done.job] = done.subject

    def _job_ended(self, job: Job) -> None:
        subject = self._awaited.pop(job.folder, None)
        if subject is not None and job.status.state == "finished" and self._entered:
            self.open(subject)

    def _moved(self, incoming: Incoming) -> None:
        if incoming in self._coming:
            self._coming[incoming].show_share(incoming.what, incoming.share)

    def _ended(self, incoming: Incoming) -> None:
        card = self._coming.pop(incoming, None)
        if card is not None:
            self._show_cards()
            card.deleteLater()

    def _deleted(self, entry: TrashEntry) -> None:
        words = self.tr("{name} is in the trash.").format(name=entry.title)
        self.undo_bar.offer(words, lambda: self.actions_on.restore(entry))

    def _subject_changed(self) -> None:
        subject = self.session.subject
        if subject is not None:
            notes = _notes(self.session.preferences)
            notes[subject.path.name] = datetime.now(UTC).isoformat()
            self.session.preferences.keep("used", json.dumps(notes))

    def _dropped(self, files: list[Path]) -> None:
        if len(files) > 1:
            several = Problem(self.tr("Several files were dropped at once: drop one clip at a time."))
            self.session.fail(self.tr("The clips were not brought in"), several, about=FAILED)
        else:
            self.bring_in.ask_name(self, files[0])


def _notes(preferences: Preferences) -> dict[str, str]:
    """Folder name to when it was last opened."""
    try:
        found = json.loads(preferences.text("used", "{}"))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _plain(name: str) -> str:
    """Letters without accents and capitals, so that any spelling finds a name."""
    split = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in split if not unicodedata.combining(letter))
