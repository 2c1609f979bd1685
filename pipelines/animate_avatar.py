"""An avatar of a subject and something that drives it, to a ControlTrack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.control_file import read_control_file
from pipelines.expression_spaces import carrier
from pipelines.retarget_motion import RetargetSettings, retarget_motion
from studio.domain.avatar import Avatar
from studio.domain.camera import Floats
from studio.domain.controls import ControlTrack
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence
from studio.engines.engine import Engine
from studio.head import builtin_head
from studio.project.sequence_files import load_sequence
from studio.project.store import SubjectFolder


def track_from_clip(
    subject: SubjectFolder, avatar: Avatar, drive: Path, settings: RetargetSettings
) -> ControlTrack:
    """A tracked driving clip as motion of the avatar.

    Args:
        subject: whose avatar it is.
        avatar: the avatar.
        drive: folder of the driver's tracked sequence.
        settings: see :class:`RetargetSettings`.

    Raises:
        Problem: the driver belongs to another head model, no base model has the expression space that
            settings ask for, or a file is damaged.
    """
    driver = load_sequence(drive)
    source = load_sequence(source_sequence(subject, avatar))
    if driver.head_model != source.head_model:
        raise Problem(
            f"The driving clip was tracked with the head model {driver.head_model!r} and the avatar with "
            f"{source.head_model!r}: import one of them again with the other's head model."
        )
    learnt = np.arange(*avatar.lineage["learnt_from"])
    seen = learnt[source.good[learnt]]
    motion: HeadMotion = source.motion.take(seen if len(seen) else learnt)
    # Frames without a face hold interpolated values, which would make the driver look calmer than they are.
    good = np.flatnonzero(driver.good)
    manner = driver.motion.take(good) if len(good) > 1 else None
    carry = carrier(subject.home, driver.head_model, settings)
    return retarget_motion(driver.motion, driver.rate, motion, rest_camera(avatar), settings, manner, carry)


def track_from_file(
    engine: Engine, controls: Path, tell: Callable[[str], object] = lambda _: None
) -> ControlTrack:
    """A control file as motion of the avatar; ``tell`` hears a sentence about what cannot be followed.

    Raises:
        Problem: it makes no sense.
    """
    return read_control_file(controls, engine.sheet, builtin_head().handles, tell)


def shown_frames(avatar: Avatar, sequence: TrackedSequence) -> npt.NDArray[np.intp]:
    """Numbers of the frames that say what the person's clip shows: those that the avatar learnt from. An
    avatar of one picture of a clip learns from that alone, and what it is measured by is all that it was
    allowed to see."""
    first, past = avatar.lineage["learnt_from"]
    if past - first == 1 and not sequence.still:
        share = float(avatar.lineage.get("held_out", 0.0))
        allowed = sequence.split(share)[0] if share else sequence.used
        first, past = allowed.start, allowed.stop
    return np.arange(first, past)


def source_sequence(subject: SubjectFolder, avatar: Avatar) -> Path:
    """Folder of the tracked sequence that the avatar was built from."""
    inputs = avatar.lineage["inputs"]
    return subject.path / "clips" / inputs["clip"] / "track" / inputs["track"]


def rest_camera(avatar: Avatar) -> Floats:
    """``[3]`` scale, cx, cy that the avatar's move and zoom controls are relative to."""
    return np.array(avatar.lineage["rest_camera"], np.float32)
