"""What every avatar's folder says about itself, whatever its engine: ``avatar.json``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.problem import Problem
from studio.project.documents import DocumentKind, read_document, write_document

AVATAR = DocumentKind("avatar")
"""The document ``avatar.json``."""


def save_avatar(folder: Path, avatar: Avatar) -> None:
    """Write the card into an existing folder; ``avatar.folder`` itself is not stored, so that it can move."""
    content = {
        "subject": avatar.subject,
        "engine": avatar.engine,
        "key": avatar.key,
        "stage": {
            "placement": [float(value) for value in avatar.stage.placement.to_array()],
            "width": int(avatar.stage.width),
            "height": int(avatar.stage.height),
        },
        "lineage": avatar.lineage,
    }
    write_document(folder / "avatar.json", AVATAR, content)


def load_avatar(folder: Path) -> Avatar:
    """Read the card. Raises Problem when it is missing, damaged or of a newer version."""
    content = read_document(folder / "avatar.json", AVATAR)
    try:
        stage = content["stage"]
        placement = np.array([float(value) for value in stage["placement"]], np.float32)
        return Avatar(
            subject=str(content["subject"]),
            engine=str(content["engine"]),
            key=str(content["key"]),
            folder=folder,
            stage=View(Similarity.from_array(placement), int(stage["width"]), int(stage["height"])),
            lineage=dict(content.get("lineage", {})),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(
            f"The avatar file {folder / 'avatar.json'} is damaged: remove its folder and build again."
        ) from error
