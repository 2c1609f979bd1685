"""Rename somebody, state their consent, put them into the trash and take them out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from studio.project.slug import tidy_name
from studio.project.store import Store, SubjectFolder, TrashEntry
from ui.session import Session

if TYPE_CHECKING:
    from ui.widgets.small_dialog import NameDialog

T = TypeVar("T")


class SubjectActions(QObject):
    """Each works on a thread and tells the session; failures land in the banner.

    Attributes:
        deleted: a :class:`TrashEntry` that can be undone.
        restored: name under which something is back.
        emptied: nothing is in the trash any more.
    """

    deleted = Signal(object)
    restored = Signal(str)
    emptied = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    def ask_rename(self, parent: QWidget, subject: SubjectFolder) -> NameDialog:
        """Ask for another name; the window goes on meanwhile."""
        from ui.widgets.small_dialog import NameDialog

        title = self.tr("New name of {name}").format(name=subject.name)
        dialog = NameDialog(parent, title, subject.name, self.tr("Rename"), tidy_name)

        def rename() -> None:
            if dialog.name != subject.name:
                self.rename(subject, dialog.name)

        dialog.accepted.connect(rename)
        dialog.open()
        return dialog

    def rename(self, subject: SubjectFolder, name: str) -> None:
        """Give another name; the folder stays."""
        self._change(self.tr("The name was not changed"), subject, name=name)

    def ask_consent(self, parent: QWidget, subject: SubjectFolder) -> None:
        """Ask whose face it is and with whose permission."""
        from ui.widgets.consent_dialog import ConsentDialog

        dialog = ConsentDialog(parent, subject.name, subject.consent)
        dialog.accepted.connect(lambda: self.state_consent(subject, dialog.statement))
        dialog.open()

    def state_consent(self, subject: SubjectFolder, consent: str) -> None:
        """Keep another statement."""
        self._change(self.tr("The statement was not kept"), subject, consent=consent)

    def delete(self, subject: SubjectFolder) -> None:
        """Pause their jobs and move them to the trash. No question: it can be undone."""
        session = self._session
        store = session.store
        if session.subject is not None and session.subject.path == subject.path:
            session.open_subject(None)
        safe = self.tr("{name} is still where they were.").format(name=subject.name)
        self._run(
            lambda: _discard(store, subject),
            self.deleted.emit,
            self.tr("{name} could not be deleted").format(name=subject.name),
            safe,
        )

    def restore(self, entry: TrashEntry) -> None:
        """Take something out of the trash; if its name is taken meanwhile, it gets a number."""
        store = self._session.store
        what = self.tr("{title} could not be restored").format(title=entry.title)
        safe = self.tr("It is still in the trash.")
        self._run(lambda: _restore(store, entry), self.restored.emit, what, safe)

    def ask_empty(self, parent: QWidget) -> None:
        """Ask before what is in the trash is gone for good."""
        question = self.tr("Delete everything in the trash for good? This cannot be undone.")
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(parent, self.tr("Empty trash"), question, buttons.Yes | buttons.Cancel)
        if answer == buttons.Yes:
            self.empty_trash()

    def empty_trash(self) -> None:
        """Delete for good what is in the trash."""
        store = self._session.store
        self._run(
            store.empty_trash,
            lambda nothing: self.emptied.emit(),
            self.tr("The trash could not be emptied"),
            "",
        )

    def _change(self, what: str, subject: SubjectFolder, **changes: str) -> None:
        session = self._session

        def done(changed: SubjectFolder) -> None:
            if session.subject is not None and session.subject.path == changed.path:
                session.subject = changed  # the same person: nothing else has to be read again

        safe = self.tr("{name} stays as they were.").format(name=subject.name)
        self._run(lambda: session.store.change(subject, **changes), done, what, safe)

    def _run(self, work: Callable[[], T], done: Callable[[T], object], what: str, safe: str) -> None:
        session = self._session

        def ended(result: T) -> None:
            session.mended.emit(what)
            done(result)
            session.refresh()

        def failed(error: Exception) -> None:
            session.fail(what, error, safe, about=what)
            session.refresh()

        session.background.run(self, work, ended, failed)


def _discard(store: Store, subject: SubjectFolder) -> TrashEntry:
    """On a thread: jobs that work in the folder are paused first, and go on when it is back."""
    from pipelines import runner
    from pipelines.job import read_status

    for folder in subject.jobs():
        if read_status(folder).state == "running":
            runner.RunningJob(folder, None).stop()
    return store.discard(subject.path, subject.name)


def _restore(store: Store, entry: TrashEntry) -> str:
    """On a thread. Returns the name it has now."""
    if not entry.origin.startswith("subjects/") or entry.origin.count("/") > 1:
        store.restore(entry)
        return entry.title
    name, number = entry.title, 2
    while store.has(name):
        name, number = f"{entry.title} {number}", number + 1
    store.restore(entry, None if name == entry.title else name)
    return name
