"""Asking for videos and photos: one dialog, one list of endings, one remembered folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from ui.preferences import Preferences

ENDINGS = "*.mp4 *.mov *.m4v *.mkv *.webm *.avi *.3gp *.mts *.m2ts *.mpg *.mpeg *.wmv *.hevc *.gif"
PHOTO_ENDINGS = "*.jpg *.jpeg *.png *.heic *.heif *.webp *.avif"


def ask_for_videos(
    parent: QWidget,
    preferences: Preferences,
    chosen: Callable[[list[Path]], object],
    title: str,
    several: bool = False,
    photos: bool = False,
) -> QFileDialog:
    """Open a dialog without holding up the window; what is chosen is handed on, and its folder remembered.

    Args:
        parent: over what it opens.
        preferences: where the folder is remembered.
        chosen: given the files.
        title: of the dialog.
        several: whether more than one may be chosen.
        photos: whether a photo will do as well.
    """
    kept = preferences.text("clip folder")
    folder = kept if kept and Path(kept).is_dir() else str(Path.home())
    dialog = QFileDialog(parent, title, folder)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    mode = QFileDialog.FileMode.ExistingFiles if several else QFileDialog.FileMode.ExistingFile
    dialog.setFileMode(mode)
    videos = QCoreApplication.translate("videos", "Videos ({endings})").format(endings=ENDINGS)
    filters = [videos, QCoreApplication.translate("videos", "All files (*)")]
    if photos:
        either = QCoreApplication.translate("videos", "Videos and photos ({endings})")
        pictures = QCoreApplication.translate("videos", "Photos ({endings})")
        filters = [
            either.format(endings=f"{ENDINGS} {PHOTO_ENDINGS}"),
            videos,
            pictures.format(endings=PHOTO_ENDINGS),
            filters[-1],
        ]
    dialog.setNameFilters(filters)

    def take(names: list[str]) -> None:
        files = [Path(name) for name in names]
        if files:
            preferences.keep("clip folder", str(files[0].parent))
            chosen(files)

    dialog.filesSelected.connect(take)
    dialog.open()
    return dialog
