"""The pages in the order of the work."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QT_TRANSLATE_NOOP

if TYPE_CHECKING:
    from ui.pages.page import Page
    from ui.session import Session


@dataclass(frozen=True)
class PageSpec:
    """One entry of the navigation."""

    id: str
    """Stable identifier, also the icon's name."""
    title: str
    """What a person reads; translated when shown."""
    hint: str
    """What the page is for, in one sentence."""
    place: str
    """``module:Class``; imported when the page is first shown."""
    needs_subject: bool = True
    """Whether it is of no use before somebody is open."""

    def make(self, session: Session) -> Page:
        """The page."""
        module, name = self.place.split(":")
        return cast("Page", getattr(importlib.import_module(module), name)(session))


_T: Callable[[str, str], str] = QT_TRANSLATE_NOOP  # type: ignore[assignment]
PAGES: tuple[PageSpec, ...] = (
    PageSpec(
        "library",
        _T("pages", "Library"),
        _T("pages", "Everybody you work with."),
        "ui.pages.library:LibraryPage",
        False,
    ),
    PageSpec(
        "capture",
        _T("pages", "Capture"),
        _T("pages", "Look at the clip: is everything there that an avatar needs?"),
        "ui.pages.capture:CapturePage",
    ),
    PageSpec(
        "train",
        _T("pages", "Train"),
        _T("pages", "Choose pivots and build avatars."),
        "ui.pages.train:TrainPage",
    ),
    PageSpec(
        "perform",
        _T("pages", "Perform"),
        _T("pages", "Pose the avatar live, by hand or with a camera."),
        "ui.pages.perform:PerformPage",
    ),
    PageSpec(
        "timeline",
        _T("pages", "Timeline"),
        _T("pages", "Animate with curves and keyframes."),
        "ui.pages.timeline:TimelinePage",
    ),
    PageSpec(
        "export",
        _T("pages", "Export"),
        _T("pages", "Write films and picture sequences."),
        "ui.pages.export:ExportPage",
    ),
    PageSpec(
        "compare",
        _T("pages", "Compare"),
        _T("pages", "Two avatars on frames that neither has seen."),
        "ui.pages.compare:ComparePage",
    ),
    PageSpec(
        "settings",
        _T("pages", "Settings"),
        _T("pages", "Theme, folders, weights, and what works here."),
        "ui.pages.settings:SettingsPage",
        False,
    ),
)
"""Ctrl+1 to Ctrl+8 in this order."""
