"""How long work tells the outside that it moves, and hears that it should end."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called often by long work. May raise :class:`Interrupted`; the work must then leave no half-written
    artefact behind (write aside, rename last) and let the exception pass."""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Report ``done`` of ``total`` units (None while unknown) of the stage named ``what``."""


class Interrupted(Exception):
    """The user asked the work to end. Not an error."""


def silent(done: int, total: int | None, what: str) -> None:
    """A Progress that tells nobody."""
