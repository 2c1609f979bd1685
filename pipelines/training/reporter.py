"""How a training tells what happens, in a job and anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from studio.domain.progress import Progress


@runtime_checkable
class Reporter(Protocol):
    """A Progress that also takes figures, a changing note, sentences and pictures; a JobContext is one."""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """As :class:`~studio.domain.progress.Progress`; may raise Interrupted."""

    def metric(self, **values: float) -> None:
        """Record figures."""

    def note(self, text: str) -> None:
        """Show ``text`` beside the progress until the next note."""

    def say(self, sentence: str) -> None:
        """Record something that a person should read once."""

    def picture(self, path: Path) -> None:
        """A preview picture was written or renewed."""


class _Adapted:
    """Any Progress as a Reporter: what it cannot take is dropped."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, done: int, total: int | None, what: str) -> None:
        self._progress(done, total, what)

    def metric(self, **values: float) -> None:
        self._hand_on("metric", **values)

    def note(self, text: str) -> None:
        self._hand_on("note", text)

    def say(self, sentence: str) -> None:
        self._hand_on("say", sentence)

    def picture(self, path: Path) -> None:
        self._hand_on("picture", path)

    def _hand_on(self, name: str, *values: object, **named: object) -> None:
        method = getattr(self._progress, name, None)
        if callable(method):
            method(*values, **named)


class Repeating(_Adapted):
    """A Reporter that can repeat its last report, so that long work between two of them hears a wish to stop.

    Validations, measurements and previews look at many pictures in the middle of a training, whose own count
    they must not disturb.
    """

    def __init__(self, progress: Progress, what: str) -> None:
        """
        Args:
            progress: where reports go.
            what: the work, for as long as nothing has been reported.
        """
        super().__init__(progress)
        self._last: tuple[int, int | None, str] = (0, None, what)

    def __call__(self, done: int, total: int | None, what: str) -> None:
        self._last = (done, total, what)
        super().__call__(done, total, what)

    def again(self) -> None:
        """Repeat the last report; may raise Interrupted."""
        super().__call__(*self._last)


def reporter_of(progress: Progress) -> Reporter:
    """``progress`` itself if it takes everything, otherwise an adapter around it."""
    return progress if isinstance(progress, Reporter) else _Adapted(progress)
