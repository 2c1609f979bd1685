"""Avatar: what an engine built for a subject."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.domain.camera import View
from studio.domain.edits import EditStack


@dataclass(frozen=True)
class Avatar:
    """A trained (or instant) artefact on disk."""

    subject: str
    """Subject it shows."""
    engine: str
    """Engine id that made it and renders it."""
    key: str
    """Lineage key: hash of inputs, settings that matter and stage version."""
    folder: Path
    """Where its files are."""
    stage: View
    """The fixed window of the source clip that exports show, at the avatar's own resolution."""
    lineage: dict[str, Any] = field(default_factory=dict)
    """Keys of the sequence and pivots it came from, the settings, the frames it was allowed to see."""
    edits: EditStack = field(default_factory=EditStack)
    """What is changed about the person when it is shown. Stored beside the artefact and no part of its key;
    measuring leaves it out."""
