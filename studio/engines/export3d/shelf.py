"""Where Export3D's base models stand, and which of them can draw whom. Loads no torch."""

from __future__ import annotations

from studio.engines.export3d.settings import Export3DSettings
from studio.one_picture.base_models import Shelf, ShelvedModel

SHELF = Shelf("export3d")


def check(model: ShelvedModel, head_model: str) -> Export3DSettings:
    """A base model's settings. Raises Problem where it cannot draw who was tracked with a head model."""
    return model.driven_by(head_model, Export3DSettings)
