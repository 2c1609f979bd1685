"""The catalog's entry for Tri²-plane."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec


def load(avatar: Avatar) -> Engine:
    """Open a Tri²-plane avatar."""
    from studio.engines.tri2plane.artefact import load_tri2plane
    from studio.engines.tri2plane.engine import Tri2PlaneEngine

    return Tri2PlaneEngine(load_tri2plane(avatar.folder), edits=avatar.edits)


SPEC = EngineSpec(
    id="tri2plane",
    title="Three-scale volume (Tri²-plane)",
    summary=(
        "A volume of this one head at three scales, which a camera can go around. Takes ten minutes or more, "
        "and is softer than the others on a processor."
    ),
    loader="studio.engines.tri2plane.spec:load",
    presets=("draft", "standard", "full"),
    missing=lambda home: None,
    layers=("picture", "depth", "normals"),
)
