"""The catalog's entry for the semantic prior."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec
from studio.engines.semantic.shelf import SHELF


def load(avatar: Avatar) -> Engine:
    """Open a semantic avatar."""
    import torch

    from studio.devices import choose_device
    from studio.engines.semantic.base_model import load_semantic
    from studio.engines.semantic.live_picture import LivePicture
    from studio.one_picture.engine import OnePictureEngine

    parts = load_semantic(avatar.folder)
    live = LivePicture(parts, torch.device(choose_device().kind))
    return OnePictureEngine(parts.person, live, avatar.edits)


SPEC = EngineSpec(
    id="semantic",
    title="One picture (semantic)",
    summary=(
        "One picture, animated by a network that has learnt from many people how faces move and what a "
        "picture does not show. Ready in seconds."
    ),
    loader="studio.engines.semantic.spec:load",
    presets=("draft", "standard", "best"),
    missing=SHELF.missing,
    from_photo=True,
)
