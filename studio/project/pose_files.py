"""A subject's named poses on disk: ``poses.json`` in their folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from studio.domain.problem import Problem
from studio.project.documents import DocumentKind, read_document, write_document

POSES = DocumentKind("poses")
"""The document ``poses.json``."""
Poses = dict[str, dict[str, float]]
"""Name of a pose to the controls and handles that it sets, in the order in which they were saved."""


def load_poses(subject: Path) -> Poses:
    """Named poses of a subject's folder; none where there is no file. Raises Problem when it is damaged."""
    file = subject / "poses.json"
    if not file.exists():
        return {}
    content = read_document(file, POSES)
    try:
        poses = {
            str(name): {str(control): float(value) for control, value in pose.items()}
            for name, pose in content["poses"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Problem(f"The poses in {file} are damaged: restore the file, or remove it.") from error
    if not all(math.isfinite(value) for pose in poses.values() for value in pose.values()):
        raise Problem(f"The poses in {file} are damaged: restore the file, or remove it.")
    return poses


def save_poses(subject: Path, poses: Mapping[str, Mapping[str, float]]) -> None:
    """Write them all. Raises Problem when the disk says no; the old ones stay."""
    plain = {name: dict(pose) for name, pose in poses.items()}
    write_document(subject / "poses.json", POSES, {"poses": plain})
