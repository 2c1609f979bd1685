"""The catalog's entry for the semantic prior."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec
from studio.engines.semantic.model_shelf import missing_base_model


def load(avatar: Avatar) -> Engine:
    """Open a semantic avatar."""
    from studio.engines.semantic.artefact import load_semantic
    from studio.engines.semantic.engine import SemanticEngine

    return SemanticEngine(load_semantic(avatar.folder), edits=avatar.edits)


SPEC = EngineSpec(
    id="semantic",
    title="One picture (semantic)",
    summary=(
        "One picture, animated by a network that has learnt from many people how faces move and what a "
        "picture does not show. Ready in seconds."
    ),
    loader="studio.engines.semantic.spec:load",
    presets=("draft", "standard", "best"),
    missing=missing_base_model,
    from_photo=True,
)
