"""What edits do, as a sheet of pictures: a row for each edit and pose, a column for each strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipelines.animate_avatar import rest_camera, source_sequence
from pipelines.sheet_file import HEADING, Picture, label, text_line, write_png
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
TURN = 0.8
"""How far the head turns to each side, as a share of what the clip showed…"""
MOST = 25.0
"""…and in degrees at most: farther, warping and not the edit is what one sees."""


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
    left, right = max(TURN * low, -MOST), min(TURN * high, MOST)
    return (
        Pose("as filmed", values),
        Pose(f"turned {left:.0f}", {**values, "yaw": left}),
        Pose(f"turned {right:+.0f}", {**values, "yaw": right}),
    )


def draw_sheet(
    engine: Engine, edits: EditStack, poses: Sequence[Pose], view: View, progress: Progress = silent
) -> Picture:
    """The sheet ``[H, W, 3]``: for each edit, and for all together, a heading and a row for each pose."""
    nothing = {edit.control_name: 0.0 for edit in edits.edits}
    rest = {edit.control_name: edit.control.default for edit in edits.edits}
    strips = [(_heading(edit), _alone(edit, nothing)) for edit in edits.edits]
    if len(edits) > 1:
        shares = np.linspace(0.0, 1.0, COLUMNS)
        together = [{name: float(share * v) for name, v in rest.items()} for share in shares]
        resting = ", ".join(f"{name.removeprefix(PREFIX)} {value:g}" for name, value in rest.items())
        strips.append((f"all of them, from nothing to {resting}", together))
    parts, total, done = [], len(strips) * len(poses) * COLUMNS, 0
    for heading, strengths in strips:
        parts.append(text_line(heading, COLUMNS * view.width))
        for pose in poses:
            row = []
            for values in strengths:
                state = engine.sheet.state({**pose.values, **values})
                row.append(engine.render(RenderRequest(state, view)).image)
                done += 1
                progress(done, total, "Drawing the edits")
            label(row[0], pose.name)
            parts.append(np.concatenate(row, 1))
    return np.concatenate(parts)


def place(strip: int, pose: int, column: int, poses: int, view: View) -> tuple[int, int]:
    """Top and left of a picture on the sheet."""
    return strip * (HEADING + poses * view.height) + HEADING + pose * view.height, column * view.width


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


def _alone(edit: Edit, nothing: Mapping[str, float]) -> list[dict[str, float]]:
    return [{**nothing, edit.control_name: strength} for strength in strengths_shown(edit)]


def _heading(edit: Edit) -> str:
    """OpenCV's letters are ASCII alone: names are, titles may not be."""
    title = edit.title if edit.title.isascii() else edit.name
    shown = "   ".join(f"{strength:.2f}" for strength in strengths_shown(edit))
    resting = f"rests at {edit.strength:g}" if edit.on else "off"
    return f"{title} ({edit.control_name}), {resting}: {shown}"
