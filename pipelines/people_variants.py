"""What is taken out of a one-picture system to see what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pipelines.ablations import with_changes

_SPARSE = {"network.face_flow": False}
"""Keypoints alone: what the variants about keypoints are compared with."""
SEMANTIC_VARIANTS: dict[str, dict[str, Any]] = {
    "keypoints alone": _SPARSE,
    "unsupervised keypoints": {**_SPARSE, "network.keypoint_source": "unsupervised"},
    "no expression code": {"network.expression_code": False, "network.keypoint_code": False},
    "no outline": {"network.person_mask": False},
    "no painting over": {"network.paint_over": False},
}
"""Variant to ``field.field`` of the training's settings and its value. The face's flow needs the head
model, so head model keypoints without it are the fair rival of unsupervised ones."""


EXPORT3D_VARIANTS: dict[str, dict[str, Any]] = {
    "direct 3DMM": {"network.encoding": "direct"},
    "LeBS, n = 25": {"network.encoding": "lebs", "network.directions": 25},
    "LeBS, n = 10": {"network.encoding": "lebs"},
    "LeBS, n = 5": {"network.encoding": "lebs", "network.directions": 5},
    "cross attention": {"network.conditioning": "cross_attention"},
    "no face plane": {"network.face_plane": 0},
    "planes alone": {"network.lifted": False, "network.background": False, "network.face_plane": 0},
}
"""Tables 3 and 4 of the Export3D paper, and what the project adds."""

NOFA_VARIANTS: dict[str, dict[str, Any]] = {
    "no W-Net": {"network.weighting": False},
    "no identity": {"network.identity_condition": False},
    "no motion prior": {"network.motion_prior": False},
    "planes alone": {"network.seen_source": False},
}
"""Table 5 of the NOFA paper, and what the project adds. Table 3, compensation and how it is optimised, needs
no other training: see :mod:`pipelines.nofa_forms`."""

S = TypeVar("S")


def varied(settings: S, changes: Mapping[str, Any]) -> S:
    """A training's settings with some fields changed. Raises KeyError where there is no such field."""
    changed = with_changes({"": settings}, {f".{name}": value for name, value in changes.items()})
    result: S = changed[""]
    return result
