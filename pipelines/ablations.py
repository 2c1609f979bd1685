"""What each part of an engine is worth: its recipe with one part taken out, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "instant": {
        "random pivots": {"pivots.choice": "random"},
    },
    "pvp": {
        "no locality": {"pvp.tune.locality": False},
        "random pivots": {"pivots.choice": "random"},
        "no expression matching": {"pvp.mapper.losses.expression": 0.0},
    },
    "nofa": {
        "no fine-tuning": {"nofa.fine_tune": False},
        "generator fine-tuned": {"nofa.tune.optimise": "generator"},
    },
    "tri2plane": {
        # Fewer rays bring back what the picture is made of, and the upsampler has to make the rest of it.
        "one tri-plane": {"tri2plane.shape.levels": 1, "tri2plane.shape.upscale": 4},
        "two tri-planes": {"tri2plane.shape.levels": 2, "tri2plane.shape.upscale": 2},
        "no sliding window": {"tri2plane.window_share": 0.0},
    },
}
"""Engine id to variant to ``stage.field`` (fields of fields with more dots) and its value. Tracking is no
part of a variant: all are judged by the same tracked frames."""


def with_changes(stages: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of stages with some fields changed.

    Args:
        stages: stage id to settings.
        changes: as in :data:`ABLATIONS`.

    Raises:
        KeyError: there is no such stage or field.
    """
    changed = dict(stages)
    for place, value in changes.items():
        stage, *path = place.split(".")
        if stage not in changed or not path:
            raise KeyError(place)
        changed[stage] = _with(changed[stage], path, value, place)
    return changed


def _with(settings: Any, path: list[str], value: Any, place: str) -> Any:
    name, *rest = path
    if not is_dataclass(settings) or name not in {field.name for field in fields(settings)}:
        raise KeyError(place)
    inner = _with(getattr(settings, name), rest, value, place) if rest else value
    return replace(settings, **{name: inner})  # type: ignore[type-var]
