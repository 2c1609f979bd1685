"""The catalog's entry for PVP."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec


def load(avatar: Avatar) -> Engine:
    """Open a PVP avatar."""
    from studio.engines.pvp.artefact import load_pvp
    from studio.engines.pvp.engine import PvpEngine

    return PvpEngine(load_pvp(avatar.folder), edits=avatar.edits)


SPEC = EngineSpec(
    id="pvp",
    title="Personal prior (PVP)",
    summary=(
        "A generator of this one face, moved by pivots and by mappers of pose and expression. Takes minutes."
    ),
    loader="studio.engines.pvp.spec:load",
    presets=("draft", "standard", "full"),
    missing=lambda home: None,
)
