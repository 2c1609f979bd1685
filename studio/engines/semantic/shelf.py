"""Where the semantic engine's base models stand, and which of them can draw whom. Loads no torch."""

from __future__ import annotations

from studio.domain.problem import Problem
from studio.engines.semantic.settings import SemanticSettings
from studio.one_picture.base_models import Shelf, ShelvedModel

SHELF = Shelf("semantic")


def check(model: ShelvedModel, head_model: str) -> SemanticSettings:
    """A base model's settings. Raises Problem where it cannot draw who was tracked with a head model."""
    settings = model.driven_by(head_model, SemanticSettings)
    if settings.keypoint_source != "head_model":
        raise Problem(
            f"The base model “{model.name}” finds keypoints by itself, an experiment that no controls can "
            "drive: choose another base model."
        )
    return settings
