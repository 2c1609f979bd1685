"""How much of a search is done: steps of work, told as they are taken."""

from __future__ import annotations

from studio.domain.progress import Progress


class Steps:
    """Counts work that weighs the same for every step, so that whoever is told can say how long the rest
    takes."""

    def __init__(self, progress: Progress, total: int, what: str) -> None:
        """
        Args:
            progress: told at once, and with every step.
            total: steps there are.
            what: what is done.
        """
        self._progress, self._total, self._what, self._done = progress, total, what, 0
        progress(0, total, what)

    def took(self, count: int = 1, what: str | None = None) -> None:
        """``count`` further steps are done; may raise Interrupted. ``what`` names what comes next."""
        self._what = what or self._what
        self._done = min(self._done + count, self._total)
        self._progress(self._done, self._total, self._what)
