"""Motion of a clip into a timeline: as curves of few keyframes, or kept frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from pipelines.retarget_motion import RetargetSettings
from pipelines.timeline_curves import ROUGHEST, fewest_keyframes
from pipelines.timeline_edits import replace_stretch
from pipelines.timeline_rate import resampled
from studio.domain.avatar import Avatar
from studio.domain.camera import Floats
from studio.domain.controls import Control, ControlSheet, ControlTrack
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.timeline import BaseMotion, Timeline
from studio.project.store import SubjectFolder


@dataclass(frozen=True)
class ImportSettings:
    """How a clip's motion comes into a timeline."""

    keep: Literal["keyframes", "frames"] = "keyframes"
    """keyframes: curves of few keyframes, easy to edit; frames: every frame as it is, below your curves."""
    detail: float = 1.0
    """How closely keyframes follow: at 1 no frame is off by more than three quarters of a degree, 0.3
    deviations of expression, 3 % of an eyelid; 2 is twice as close."""
    head: bool = True
    """Turning, tilting and moving."""
    eyes: bool = True
    """Blinks and gaze."""
    mouth: bool = True
    """The jaw."""
    expression: bool = True
    """Everything else in the face."""
    begin: float = 0.0
    """Second of the clip at which to begin."""
    seconds: float | None = None
    """How much of the clip; up to its end if left out."""

    def wants(self, control: Control) -> bool:
        """Whether a control's motion is brought along."""
        group = control.group.lower()
        return bool(getattr(self, group)) if group in ("head", "eyes", "mouth") else self.expression


def import_clip(
    timeline: Timeline,
    subject: SubjectFolder,
    avatar: Avatar,
    drive: Path,
    sheet: ControlSheet,
    title: str,
    at: int = 0,
    settings: ImportSettings = ImportSettings(),
    retarget: RetargetSettings | None = None,
    progress: Progress = silent,
) -> Timeline:
    """A tracked clip's motion, retargeted to an avatar, put into a timeline.

    Args:
        timeline: what is there. An empty one takes the clip's rate and length.
        subject: whose avatar it is.
        avatar: the avatar.
        drive: folder of the driver's tracked sequence.
        sheet: the avatar's controls.
        title: the clip's name, for people.
        at: frame at which it begins.
        settings: what to bring, and how.
        retarget: how the driver's manner becomes the avatar's; as usual when None.
        progress: counts controls.

    Raises:
        Problem: the driver belongs to another head model, a file is damaged, or nothing is left to bring.
    """
    from pipelines.animate_avatar import track_from_clip

    progress(0, None, "Reading the motion")
    track = track_from_clip(subject, avatar, drive, retarget or RetargetSettings())
    return import_track(timeline, track, sheet, title, at, settings, progress)


def import_track(
    timeline: Timeline,
    track: ControlTrack,
    sheet: ControlSheet,
    title: str,
    at: int = 0,
    settings: ImportSettings = ImportSettings(),
    progress: Progress = silent,
) -> Timeline:
    """Recorded states put into a timeline; see :func:`import_clip`.

    ``keep="keyframes"`` replaces keyframes of the same controls where the motion lies; a control that stays
    within tolerance of neutral gets no curve. On controls that had no curve no frame is off by more than the
    tolerance; at the seams with keyframes that were there, smooth curves run through both.

    ``keep="frames"`` replaces earlier motion kept like that, and takes these controls' keyframes away there:
    what is seen is what was recorded.
    """
    track = _cut(track, settings)
    wanted = [c for c in sheet.controls if c.name in track.names and settings.wants(c)]
    if not wanted:
        raise Problem(
            "Nothing is chosen to be imported: choose the head, the eyes, the mouth or the expression."
        )
    if timeline.empty:
        timeline = replace(
            timeline, rate=track.rate, length=max(timeline.length if at else 1, at + len(track))
        )
    values = resampled(track.values, track.rate, timeline.rate)[
        :, [track.names.index(c.name) for c in wanted]
    ]
    last = at + len(values) - 1
    timeline = replace(timeline, length=max(timeline.length, last + 1))
    if settings.keep == "frames":
        for control in wanted:
            timeline = replace_stretch(timeline, control.name, (), at, last)
        base = BaseMotion(title, at, tuple(c.name for c in wanted), values)
        return replace(timeline, base=base)
    for done, (control, motion) in enumerate(_columns(wanted, values)):
        progress(done, len(wanted), "Finding keyframes")
        tolerance = ROUGHEST[control.kind] / settings.detail
        still = np.abs(motion - control.default).max() <= tolerance
        if still and control.name not in timeline.curves:
            continue
        curve = fewest_keyframes(motion, tolerance, at)
        timeline = replace_stretch(timeline, control.name, curve.keyframes, at, last)
    progress(len(wanted), len(wanted), "Finding keyframes")
    return timeline


def base_to_keyframes(timeline: Timeline, sheet: ControlSheet, detail: float = 1.0) -> Timeline:
    """Turn motion that was kept frame by frame into curves; a control that has a curve over it keeps that one
    if it replaces the motion, and gets the sum if it adds to it."""
    if timeline.base is None:
        return timeline
    from pipelines.timeline_evaluation import evaluate_timeline

    adding = {n: c for n, c in timeline.curves.items() if c.mode == "add"}
    track = evaluate_timeline(replace(timeline, curves=adding), sheet, ())
    result = replace(timeline, base=None)
    for control in sheet.controls:
        name = control.name
        if name not in timeline.base.names or (name in timeline.curves and name not in adding):
            continue
        motion = track.values[:, sheet.names.index(name)]
        result = result.with_curve(name, fewest_keyframes(motion, ROUGHEST[control.kind] / detail))
    return result


def _cut(track: ControlTrack, settings: ImportSettings) -> ControlTrack:
    if settings.detail <= 0:
        raise Problem(f"A detail of {settings.detail:g} makes no sense: choose a number above 0.")
    first = round(settings.begin * track.rate)
    end = len(track) if settings.seconds is None else first + round(settings.seconds * track.rate)
    values = track.values[max(first, 0) : end]
    if settings.begin < 0 or not len(values):
        length = float(len(track) / track.rate)
        raise Problem(f"Nothing of the clip lies there: it lasts {length:.3g} seconds.")
    return replace(track, values=values)


def _columns(controls: list[Control], values: Floats) -> Iterator[tuple[Control, Floats]]:
    yield from zip(controls, values.T)
