"""The head model that comes with the studio: MediaPipe's 478 points, learned from many people's clips."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from studio.domain.problem import Problem
from studio.head.handles import Handle
from studio.head.model import Eyelids, HeadModel
from studio.head.topology import asset_folder, topology

LID_FIELDS = ("vertex", "upper", "lower", "share", "eye")


@cache
def builtin_head() -> HeadModel:
    """The bundled model, read once."""
    return load_builtin(asset_folder() / "builtin.npz")


def load_builtin(path: Path) -> HeadModel:
    """A model written by :func:`save_builtin`.

    Raises:
        Problem: when the file is missing or damaged.
    """
    try:
        with np.load(path) as stored:
            values = {name: stored[name] for name in stored.files}
        card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise Problem(
            f"The head model {path.name} cannot be read ({error}); install the studio again."
        ) from error
    numbers = {name: _wide(value) for name, value in values.items()}
    count = len(numbers["template"])
    handles = {
        entry["name"]: Handle(
            entry["name"],
            entry["label"],
            entry["group"],
            numbers["handles"][row, :50],
            numbers["handles"][row, 50:53],
            numbers["handles"][row, 53:55],
            float(entry["low"]),
            float(entry["high"]),
        )
        for row, entry in enumerate(card["handles"])
    }
    ids = np.arange(count, dtype=np.int32)
    weights = np.zeros((count, 3), np.float32)
    weights[:, 0] = 1.0
    return HeadModel(
        id=card["id"],
        template=numbers["template"],
        triangles=topology().triangles,
        identity_basis=numbers["identity_basis"],
        expression_basis=numbers["expression_basis"],
        expression_deviation=np.ones(len(numbers["expression_basis"]), np.float32),
        joint_regressor=numbers["joint_regressor"],
        joint_shift=numbers["joint_shift"],
        skin=numbers["skin"],
        pose_basis=np.zeros((0, count, 3), np.float32),
        eyelids=Eyelids(**{name: numbers[f"lid_{name}"] for name in LID_FIELDS}),
        landmark_ids=ids,
        landmark_vertices=np.repeat(ids[:, None], 3, 1),
        landmark_weights=weights,
        landmark_noise=numbers["landmark_noise"],
        tracker_warp=numbers["tracker_warp"],
        rigid=numbers["rigid"],
        motion_deviation=numbers["motion_deviation"],
        tracker_depth=float(numbers["tracker_depth"]),
        handles=handles,
    )


def save_builtin(path: Path, model: HeadModel, card: dict[str, object]) -> None:
    """Write a model and its card (learned from how much, with which settings) beside it."""
    handles = list(model.handles.values())
    rows = np.stack([h.direction for h in handles]) if handles else np.zeros((0, 55), np.float32)
    lids = {f"lid_{name}": getattr(model.eyelids, name) for name in LID_FIELDS}
    path.parent.mkdir(parents=True, exist_ok=True)
    # Half precision of a basis is a few micrometres: far below what a tracker sees.
    np.savez_compressed(
        path,
        template=model.template,
        identity_basis=model.identity_basis.astype(np.float16),
        expression_basis=model.expression_basis.astype(np.float16),
        tracker_warp=model.tracker_warp.astype(np.float16),
        joint_regressor=model.joint_regressor,
        joint_shift=model.joint_shift,
        skin=model.skin,
        landmark_noise=model.landmark_noise,
        rigid=model.rigid,
        motion_deviation=model.motion_deviation,
        tracker_depth=np.float32(model.tracker_depth),
        handles=rows.astype(np.float32),
        **lids,
    )
    listed = [
        {"name": h.name, "label": h.label, "group": h.group, "low": h.low, "high": h.high} for h in handles
    ]
    text = json.dumps({"id": model.id, **card, "handles": listed}, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", "utf-8")


def _wide(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float32) if value.dtype.kind == "f" else value
