"""Where NOFA's base models stand, and which of them can draw whom. Loads no torch."""

from __future__ import annotations

from studio.engines.nofa.settings import NofaSettings
from studio.one_picture.base_models import Shelf, ShelvedModel

SHELF = Shelf("nofa")


def check(model: ShelvedModel, head_model: str) -> NofaSettings:
    """A base model's settings. Raises Problem where it cannot draw who was tracked with a head model."""
    return model.driven_by(head_model, NofaSettings)
