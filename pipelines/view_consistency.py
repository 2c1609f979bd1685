"""Is it one head? An avatar seen from many sides at a fixed expression, each picture tracked by itself.

A head that stands still in itself has one shape from every side, and stays the same person. The avatar is
drawn at each yaw, by its own head control and, where it has one, by a camera that goes around; with a neutral
face and with a strong one of its clip. In every picture the tracker's landmarks are fitted anew with nothing
known of the person: identity and offset are free, so what one view says does not lean on another.

* *Shape*: root mean square distance over landmarks from the mean over the views, size and pose apart, in
  millimetres and as a share of the distance between the eyes. *As seen* is the same in the picture alone,
  from the mean shape turned rigidly: trackers guess depth, which no picture shows.
* *Identity*: one minus the cosine of an identity network's embedding against the view nearest to the front.
* *Neighbours*: each view's face, carried over to the next by the tracked mesh, against what was drawn there.

None of these is zero for a real head, because trackers and identity networks are not blind to how a head is
turned. So the clip's own frames stand beside the avatar: for each yaw the good frame there in which the face
is most like the clip's usual one. They move a little besides, so a floor lies below them. Where the truth is
known (the bundled sample), the true head turned rigidly is that floor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.reading_back import landmarks_in, mean_landmarks, opened_tracker, shifted
from pipelines.turned_views import (
    Draw,
    Filmed,
    Series,
    Shown,
    engine_series,
    face_of,
    picked_frames,
    real_series,
)
from pipelines.view_shapes import ViewShape, carried_error, free_shape, seen_spread, spread
from studio.domain.camera import Floats, View
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.head import HeadModel, builtin_head
from studio.head.fitting import PersonFitter
from studio.metrics.identity import IdentityNetwork
from studio.tracking.tracker import Tracker

NEAR, FAR = 20.0, 40.0
"""Degrees of yaw up to which means are told."""
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ConsistencySettings:
    """From where an avatar is seen."""

    least: float = -40.0
    """Yaw of the first view, degrees."""
    most: float = 40.0
    """Yaw of the last."""
    step: float = 5.0
    """Degrees between views."""
    looks: int = 3
    """Pictures of each view, shifted by parts of a pixel, over which the tracker's landmarks are averaged."""

    @property
    def yaws(self) -> list[float]:
        """All of them, in order."""
        count = int(np.floor((self.most - self.least) / self.step + 1e-6)) + 1
        return [self.least + k * self.step for k in range(count)]


@dataclass(frozen=True)
class Turn:
    """One face turned in one way. Lists run over the yaws; None where there is no figure."""

    name: str
    """Whose pictures: an engine's name, or ``clip`` or ``true head``."""
    turned: str
    """``head`` or ``camera``; for pictures of no engine the same as the name."""
    face: str
    """``neutral``, ``strong`` or ``usual``."""
    drawn: list[bool]
    """Whether there was a picture: a clip does not show every yaw."""
    found: list[bool]
    """Whether a face was found in it."""
    read: list[float | None]
    """Yaw as read, degrees."""
    shape: list[float | None]
    """RMS distance from the mean shape, mm."""
    seen: list[float | None]
    """The same in the picture alone, mm."""
    identity: list[float | None]
    """One minus cosine against the view nearest to the front; None there and without a network."""
    neighbours: list[float | None]
    """PSNR, dB, of the view before carried over to this one; None for the first."""

    @property
    def missed(self) -> int:
        """Pictures in which no face was found."""
        return sum(d and not f for d, f in zip(self.drawn, self.found))

    def mean(self, values: Sequence[float | None], yaws: Sequence[float], within: float) -> float:
        """Mean of one of the lists over views within so many degrees; NaN where there is none."""
        inside = [v for v, yaw in zip(values, yaws) if v is not None and abs(yaw) <= within + 1e-6]
        return float(np.mean(inside)) if inside else float("nan")


@dataclass(frozen=True)
class ConsistencyReport:
    """All that was looked at."""

    title: str
    """Name of the clip."""
    yaws: list[float]
    """Asked for, degrees."""
    turns: Sequence[Turn]
    """Engines in the order given, then what stands beside them."""
    eye_distance: float
    """Between the person's eyes, mm."""
    covered: tuple[float, float]
    """Yaw that the clip's good frames show, 1st to 99th percentile: beyond it engines extrapolate."""
    off: str = ""
    """Why identity was not measured; empty when it was."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the figures depend on."""

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        plain = asdict(self)
        for turn, entry in zip(self.turns, plain["turns"]):
            entry["missed"] = turn.missed
            for name in ("shape", "seen", "identity", "neighbours"):
                for within in (NEAR, FAR):
                    value = turn.mean(getattr(turn, name), self.yaws, within)
                    entry[f"mean_{name}_{within:.0f}"] = value if np.isfinite(value) else None
        return plain


def view_consistency(
    shown: Sequence[Shown],
    filmed: Filmed,
    settings: ConsistencySettings | None = None,
    *,
    new_tracker: Callable[[], Tracker] | None = None,
    head: HeadModel | None = None,
    identity: IdentityNetwork | None = None,
    off: str = "",
    keep: Callable[[Turn, list[Picture | None]], object] | None = None,
    progress: Progress = silent,
) -> ConsistencyReport:
    """Turn every avatar, and beside them what is known of the real head, and read every picture back.

    Args:
        shown: avatars of one person.
        filmed: their clip.
        settings: see :class:`ConsistencySettings`.
        new_tracker: makes the tracker that looks at the pictures; MediaPipe when None.
        head: the head model of the sequence; the built-in one when None.
        identity: embeds faces; None leaves identity out.
        off: why there is no such network, for the report.
        keep: told of each turn and its pictures ``[H, W, 3]``, one a yaw, None where there is none.
        progress: told after every view.

    Raises:
        Problem: the settings make no sense, or the clip has no good frame or another head model.
    """
    chosen, model = settings or ConsistencySettings(), head or builtin_head()
    check(chosen)
    sequence = filmed.sequence
    if model.id != sequence.head_model:
        raise Problem(
            f"The clip was tracked with the head model {sequence.head_model}, not {model.id}: "
            "import it again."
        )
    good = np.asarray(filmed.seen)[sequence.good[filmed.seen]]
    if not len(good):
        raise Problem("The avatar's clip has no good frame left: record another one.")
    yaws = chosen.yaws
    person = PersonFitter(model, sequence.identity, sequence.offset)
    strong, usual = picked_frames(model, sequence, good, yaws, chosen.step)
    strongly = face_of(sequence, filmed.rest_camera, strong)
    series = [*engine_series(shown, yaws, strongly), *real_series(filmed, usual, strong, yaws)]
    with ExitStack() as stack:
        tracker = opened_tracker(new_tracker, stack)
        reading = _Reading(model, person.eye_distance, tracker, chosen, identity)
        turns = []
        for k, one in enumerate(series):

            def told(done: int, total: int | None, what: str, before: int = k) -> None:
                progress(before * len(yaws) + done, len(series) * len(yaws), what)

            turn, pictures = reading.turn(one, told)
            turns.append(turn)
            if keep is not None:
                keep(turn, pictures)
    low, high = np.percentile(sequence.motion.angles[good, 0], [1, 99])
    return ConsistencyReport(
        title=filmed.title,
        yaws=yaws,
        turns=turns,
        eye_distance=1000.0 * person.eye_distance,
        covered=(float(low), float(high)),
        off=off if identity is None else "",
        settings={
            **asdict(chosen),
            "tracker": tracker.name,
            "head_model": model.id,
            "identity_network": identity.name if identity else None,
            "strong_frame": strong,
            "usual_frames": usual,
            "stage": [filmed.stage.width, filmed.stage.height],
        },
    )


class _Reading:
    """Looks at pictures."""

    def __init__(
        self,
        model: HeadModel,
        eye_distance: float,
        tracker: Tracker,
        settings: ConsistencySettings,
        identity: IdentityNetwork | None,
    ) -> None:
        self._model, self._eyes, self._tracker = model, eye_distance, tracker
        self._looks, self._yaws, self._identity = settings.looks, settings.yaws, identity

    def turn(self, series: Series, progress: Progress) -> tuple[Turn, list[Picture | None]]:
        """Every picture of a series, read."""
        what = f"looking at {series.name}"
        pictures: list[Picture | None] = []
        marks: list[Floats | None] = []
        for k, draw in enumerate(series.pictures()):
            picture, seen = (None, None) if draw is None else self._look(draw, series.stage)
            pictures.append(picture)
            marks.append(seen)
            progress(k + 1, len(self._yaws), what)
        count = len(self._yaws)
        found = [k for k in range(count) if marks[k] is not None]
        views = {k: free_shape(self._model, _there(marks[k])) for k in found}
        shape, seen_mm = self._shapes(found, views, marks)
        stage = series.stage.placement
        placed = {k: stage.apply(_there(marks[k])) for k in found}
        neighbours: list[float | None] = [None] * count
        for k in found:
            before, here = pictures[k - 1] if k else None, pictures[k]
            if k - 1 in placed and before is not None and here is not None:
                neighbours[k] = _number(carried_error(before, placed[k - 1], here, placed[k]))
        return Turn(
            name=series.name,
            turned=series.turned,
            face=series.face,
            drawn=[picture is not None for picture in pictures],
            found=[k in views for k in range(count)],
            read=[float(views[k].angles[0]) if k in views else None for k in range(count)],
            shape=shape,
            seen=seen_mm,
            identity=self._drift(pictures, placed),
            neighbours=neighbours,
        ), pictures

    def _look(self, draw: Draw, stage: View) -> tuple[Picture, Floats | None]:
        """The unshifted picture, and mean landmarks ``[478, 3]`` in source pixels."""
        views = [shifted(stage, number) for number in range(self._looks)]
        pictures = [draw(view) for view in views]
        marks = mean_landmarks([landmarks_in(p, v, self._tracker) for p, v in zip(pictures, views)])
        return pictures[0], marks if np.isfinite(marks).all() else None

    def _shapes(
        self, found: list[int], views: Mapping[int, ViewShape], marks: list[Floats | None]
    ) -> tuple[list[float | None], list[float | None]]:
        shape: list[float | None] = [None] * len(marks)
        seen: list[float | None] = [None] * len(marks)
        if len(found) > 1:
            stacked = np.stack([views[k].shape for k in found])
            away, mean = spread(stacked, self._eyes, self._model)
            for k, value in zip(found, away):
                shape[k] = float(value)
                seen[k] = seen_spread(_there(marks[k]), views[k].angles, mean, self._model)
        return shape, seen

    def _drift(self, pictures: list[Picture | None], placed: Mapping[int, Floats]) -> list[float | None]:
        drift: list[float | None] = [None] * len(pictures)
        if self._identity is None or not placed:
            return drift
        values = {}
        for k, marks in placed.items():
            picture = pictures[k]
            assert picture is not None
            values[k] = self._identity.embed(picture[None], marks[None])[0]
        front = min(placed, key=lambda k: abs(self._yaws[k]))
        for k, value in values.items():
            if k != front:
                drift[k] = _number(1.0 - float(value @ values[front]))
        return drift


def check(settings: ConsistencySettings) -> None:
    """Raises Problem for settings that make no sense."""
    if settings.step <= 0 or not -75 <= settings.least < settings.most <= 75 or settings.looks < 1:
        raise Problem(
            "A head is looked at from a smaller to a larger yaw between -75° and 75°, in steps of more than "
            "0°, at least once each."
        )
    if len(settings.yaws) < 3:
        raise Problem("At least 3 views are needed to say how much they differ: choose smaller steps.")


def _there(marks: Floats | None) -> Floats:
    assert marks is not None
    return marks


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
