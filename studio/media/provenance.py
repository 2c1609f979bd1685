"""What every exported file says about itself, and how it is read back."""

from __future__ import annotations

from pathlib import Path

PROVENANCE = "Synthetic pictures: made with an avatar in Avatar Studio."
"""Stands in the metadata of everything that is exported, whatever the settings."""


def provenance(mark: str = "") -> str:
    """The comment for a file; ``mark`` tells one export from another."""
    return f"{PROVENANCE} Export {mark}." if mark else PROVENANCE


def read_comment(path: Path) -> str:
    """The comment of a video file or of a folder of PNG pictures; empty where there is none or nothing can
    be read."""
    try:
        return _of_pictures(path) if path.is_dir() else _of_video(path)
    except Exception:  # whatever is wrong with a file, it does not say that we made it
        return ""


def _of_pictures(folder: Path) -> str:
    from PIL import Image

    first = min(folder.glob("*.png"))
    with Image.open(first) as picture:
        return str(picture.info.get("Comment", ""))


def _of_video(path: Path) -> str:
    from studio.media.container import open_video

    container, _ = open_video(path)
    with container:
        found = {name.lower(): value for name, value in container.metadata.items()}
        return str(found.get("comment", ""))
