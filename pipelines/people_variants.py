"""What is taken out of a one-picture system to see what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.ablations import with_changes
from pipelines.semantic_training_settings import SemanticTrainingSettings

_SPARSE = {"network.face_flow": False}
"""Keypoints alone: what the variants about keypoints are compared with."""
PEOPLE_ABLATIONS: dict[str, dict[str, Any]] = {
    "keypoints alone": _SPARSE,
    "unsupervised keypoints": {**_SPARSE, "network.keypoint_source": "unsupervised"},
    "no expression code": {"network.expression_code": False, "network.keypoint_code": False},
    "no outline": {"network.person_mask": False},
    "no painting over": {"network.paint_over": False},
}
"""Variant to ``field.field`` of the training's settings and its value. The face's flow needs the head
model, so head model keypoints without it are the fair rival of unsupervised ones."""


def varied(settings: SemanticTrainingSettings, changes: Mapping[str, Any]) -> SemanticTrainingSettings:
    """A training's settings with some fields changed. Raises KeyError where there is no such field."""
    changed = with_changes({"": settings}, {f".{name}": value for name, value in changes.items()})
    result: SemanticTrainingSettings = changed[""]
    return result
