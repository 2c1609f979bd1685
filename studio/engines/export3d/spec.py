"""The catalog's entry for Export3D."""

from __future__ import annotations

from studio.domain.avatar import Avatar
from studio.engines.engine import Engine, EngineSpec
from studio.engines.export3d.shelf import SHELF


def load(avatar: Avatar) -> Engine:
    """Open an Export3D avatar."""
    import torch

    from studio.devices import choose_device
    from studio.engines.export3d.base_model import load_export3d
    from studio.engines.export3d.live_picture import LiveVolume
    from studio.one_picture.engine import OnePictureEngine

    parts = load_export3d(avatar.folder)
    live = LiveVolume(parts, torch.device(choose_device().kind))
    return OnePictureEngine(parts.person, live, avatar.edits)


SPEC = EngineSpec(
    id="export3d",
    title="One picture in 3D (Export3D)",
    summary=(
        "One picture becomes a volume that takes on expressions and can be looked at from around it, by a "
        "network that has learnt from many people. Ready in seconds."
    ),
    loader="studio.engines.export3d.spec:load",
    presets=("draft", "standard", "best"),
    missing=SHELF.missing,
    from_photo=True,
)
