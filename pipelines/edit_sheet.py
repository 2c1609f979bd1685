"""What edits do, as a sheet of pictures: a row for each edit and pose, a column for each strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipelines.animate_avatar import rest_camera, source_sequence
from pipelines.sheet_file import Picture, columns_line, label, readable, text_line, write_png
from pipelines.thumbnail import best_frame
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlSheet, track_from_motion
from studio.domain.edits import PREFIX, Edit, EditStack
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.engines.catalog import engine_spec
from studio.engines.engine import Engine
from studio.project.sequence_files import load_sequence
from studio.project.store import SubjectFolder

CELL = 256
"""Side of a picture in pixels."""
COLUMNS = 5
"""Strengths of each edit."""
TITLE, STRENGTHS = 34, 26
"""Heights of the line that names an edit, and of the one with strengths above the columns."""
TURN = 0.8
"""How far the head turns to each side, as a share of what the clip showed…"""
LEAST, MOST = 15.0, 25.0
"""…and in degrees: less is hardly seen to be turned, farther, warping and not the edit is what one sees."""


@dataclass(frozen=True)
class Pose:
    """Something an avatar does while its edits are looked at."""

    name: str
    """What a person reads."""
    values: Mapping[str, float]
    """Control to value; the others are neutral."""


def edit_sheet(
    subject: SubjectFolder, avatar: Avatar, out: Path, size: int = CELL, progress: Progress = silent
) -> None:
    """Write a PNG of an avatar's edits: each by itself over what is suggested and what it rests at, then all
    together from nothing to what they rest at; the face in the clip's best frame, and turned to both sides.

    Args:
        subject: whose avatar it is.
        avatar: with the edits that are looked at.
        out: the file.
        size: side of each picture, pixels.
        progress: told after every picture.

    Raises:
        Problem: there are no edits, or the disk said no.
    """
    if not len(avatar.edits):
        raise Problem(f"This {avatar.engine} avatar of {avatar.subject} has no edits to show yet.")
    engine = engine_spec(avatar.engine).load(avatar)
    try:
        sequence = load_sequence(source_sequence(subject, avatar))
        frame = best_frame(sequence)
        poses = typical_poses(sequence, frame, avatar, engine.sheet)
        face = View(Similarity.from_array(sequence.crops[frame]).scaled(size), size, size)
        write_png(out, draw_sheet(engine, avatar.edits, poses, face, progress))
    finally:
        engine.close()


def typical_poses(
    sequence: TrackedSequence, frame: int, avatar: Avatar, sheet: ControlSheet
) -> tuple[Pose, ...]:
    """A frame of the avatar's clip as it was, and with its head turned to either side."""
    track = track_from_motion(sequence.motion.take(slice(frame, frame + 1)), rest_camera(avatar), Fraction(1))
    values = dict(zip(track.names, track.values[0].tolist(), strict=True))
    yaw = next(control for control in sheet.controls if control.name == "yaw")
    low, high = yaw.reliable or (yaw.low, yaw.high)
    left, right = (float(np.clip(TURN * far, LEAST, MOST)) for far in (-low, high))
    return (
        Pose("as filmed", values),
        Pose(f"turned {left:.0f}° to the left", {**values, "yaw": -left}),
        Pose(f"turned {right:.0f}° to the right", {**values, "yaw": right}),
    )


def draw_sheet(
    engine: Engine, edits: EditStack, poses: Sequence[Pose], view: View, progress: Progress = silent
) -> Picture:
    """The sheet ``[H, W, 3]``: for each edit, and for all together, its name, the strength of each column,
    and a row for each pose."""
    nothing = {edit.control_name: 0.0 for edit in edits.edits}
    strips = [_alone(edit, nothing) for edit in edits.edits]
    if len(edits) > 1:
        strips.append(_together(edits))
    parts, total, done = [], len(strips) * len(poses) * COLUMNS, 0
    for strip in strips:
        parts.append(text_line(strip.title, COLUMNS * view.width, TITLE))
        parts.append(columns_line(strip.columns, view.width, STRENGTHS))
        for pose in poses:
            row = []
            for values in strip.strengths:
                state = engine.sheet.state({**pose.values, **values})
                row.append(engine.render(RenderRequest(state, view)).image)
                done += 1
                progress(done, total, "Drawing the edits")
            row[0] = row[0].copy()
            label(row[0], pose.name)
            parts.append(np.concatenate(row, 1))
    return np.concatenate(parts)


def place(strip: int, pose: int, column: int, poses: int, view: View) -> tuple[int, int]:
    """Top and left of a picture on the sheet."""
    words = TITLE + STRENGTHS
    return strip * (words + poses * view.height) + words + pose * view.height, column * view.width


def strengths_shown(edit: Edit) -> list[float]:
    """From the weakest suggested strength to the strongest, farther where the edit rests beyond; 0 is among
    them."""
    low, high = edit.suggested
    if low == high:
        low, high = edit.limits
    farther = max(1.0, edit.strength / high if high > 0 else 1.0, edit.strength / low if low < 0 else 1.0)
    low, high = low * farther, high * farther
    found = np.linspace(low, high, COLUMNS)
    if low < 0.0 < high:
        found[np.abs(found).argmin()] = 0.0
    return [float(value) for value in found]


@dataclass(frozen=True)
class _Strip:
    """Rows of the same edits."""

    title: str
    columns: tuple[str, ...]
    strengths: tuple[Mapping[str, float], ...]


def _alone(edit: Edit, nothing: Mapping[str, float]) -> _Strip:
    shown = strengths_shown(edit)
    title = edit.title if readable(edit.title) else edit.name
    low, high = edit.suggested
    resting = f"rests at {_number(edit.strength)}" if edit.on else "off"
    return _Strip(
        f"{title}   ({edit.control_name}, {resting}, suggested {_number(low)} to {_number(high)})",
        tuple(_number(strength) for strength in shown),
        tuple({**nothing, edit.control_name: strength} for strength in shown),
    )


def _together(edits: EditStack) -> _Strip:
    rest = {edit.control_name: edit.control.default for edit in edits.edits}
    shares = np.linspace(0.0, 1.0, COLUMNS)
    resting = ", ".join(f"{name.removeprefix(PREFIX)} {_number(value)}" for name, value in rest.items())
    return _Strip(
        f"All together   ({resting})",
        ("nothing", *(f"{100 * share:.0f} % of each" for share in shares[1:-1]), "all as they rest"),
        tuple({name: float(share * value) for name, value in rest.items()} for share in shares),
    )


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
