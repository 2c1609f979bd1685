"""The catalog's entry for NOFA."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec
from studio.engines.nofa.shelf import SHELF


def load(avatar: Avatar) -> Engine:
    """Open a NOFA avatar."""
    import torch

    from studio.devices import choose_device
    from studio.engines.nofa.base_model import load_nofa
    from studio.engines.nofa.live_picture import LiveNofa
    from studio.one_picture.engine import OnePictureEngine

    parts = load_nofa(avatar.folder)
    live = LiveNofa(parts, torch.device(choose_device().kind))
    return OnePictureEngine(parts.person, live, avatar.edits)


SPEC = EngineSpec(
    id="nofa",
    title="One picture in 3D, fitted to you (NOFA)",
    summary=(
        "One picture becomes a head in 3D that a network has learnt from many people, fitted to the picture "
        "in a minute or a few; expressions move it, and it can be looked at from around it."
    ),
    loader="studio.engines.nofa.spec:load",
    presets=("draft", "standard", "best"),
    missing=SHELF.missing,
    layers=("picture", "depth", "canonical"),
    from_photo=True,
    at_import="draft",
)
