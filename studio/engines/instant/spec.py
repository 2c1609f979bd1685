"""The catalog's entry for the instant engine."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec


def load(avatar: Avatar) -> Engine:
    """Open an instant avatar."""
    from studio.warping.warp_files import load_parts
    from studio.warping.warper import Warper

    return Warper(load_parts(avatar.folder))


SPEC = EngineSpec(
    id="instant",
    title="Instant",
    summary="No training: the clip's own frames, warped by the tracked head and blended. Ready in seconds.",
    settings="studio.warping.settings:WarpSettings",
    loader="studio.engines.instant.spec:load",
    presets={
        "draft": {"texture_size": 384, "face_blend": 2, "outer_blend": 2, "mouth_blend": 2, "eyes_blend": 2},
        "standard": {},
        "best": {"texture_size": 1024},
    },
    missing=lambda: None,
)
