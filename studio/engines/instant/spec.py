"""The catalog's entry for the instant engine."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec


def load(avatar: Avatar) -> Engine:
    """Open an instant avatar."""
    from studio.warping.warp_files import load_parts
    from studio.warping.warper import Warper

    return Warper(load_parts(avatar.folder), avatar.edits)


SPEC = EngineSpec(
    id="instant",
    title="Instant",
    summary=(
        "No training: frames of the clip, or the photo itself, warped by the tracked head and blended. Ready "
        "in seconds."
    ),
    loader="studio.engines.instant.spec:load",
    presets=("draft", "standard", "best"),
    missing=lambda home: None,
    from_photo=True,
)
