"""Does an avatar do what it is asked: turn the head and keep the face, move the face and keep the head?

One control, or one direction of the expression, is swept over what the avatar's own clip showed of it (5th
to 95th percentile) while all others stand still at a typical frame of that clip. Every step is drawn as the
stage shows it and read back by the tracker, with the person's own identity and offset.

*Correlation* and *gain* (slope) relate what was asked to what was read. *Leak* is what moved that should have
stood still: the range (5th to 95th percentile over the sweep) of a quantity of the other group, as a share of
the same range over the clip. Groups are the head (yaw, pitch) and the face (jaw, expression directions).

Expression directions are those of :mod:`pipelines.clip_quantities`.

What the measuring itself adds is reported beside it and never taken off. ``still`` is the leak when nothing
at all is asked to move. ``reread`` tells how well the clip's real frames are read back when shown in the
stage. For sweeps of the head, ``clip_leak`` is how much of each quantity goes along with that turn in the
clip (quadratic regression on yaw and pitch over its frames): the tracker's bias and the person's habits,
which only a truth could tell apart. An engine that keeps the true expression reads like the clip, one that
has learnt the tracker's bias as well reads still; ``beyond_clip`` is the leak that neither explains, after
the best share between none and all of what goes along in the clip. It excuses habits too, so it judges
nothing. Only a truth can judge: where one is known (the bundled sample), the true head is turned rigidly and
read by the same tracker. Controls speak the tracker's language, so an avatar that has learnt the tracker's
bias reads still, and one that keeps the true face reads like the true head; both are right. The avatar's own
leak is what is left after the best share between the two.

That rule has a blur of its own, because the tracker's bias depends on the face it looks at. ``other_truths``
tells it: the true head with the somewhat other face of another moment, turned rigidly, is judged as if it
were the avatar. It stands still all the same; what it is judged to leak is the bias of two faces compared.
And a tracker guesses depth, which no picture shows: ``beyond_flat`` is the avatar's own leak read from x and
y alone. Both are told beside the verdict and change nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.aligned_crop import cut_view
from pipelines.clip_quantities import (
    EXPRESSION_COLUMNS,
    HEAD,
    LEAST_SHOWN,
    Quantities,
    quantities_of,
    turn_features,
)
from pipelines.reading_back import landmarks_in, mean_landmarks, opened_tracker, shifted
from studio.domain.camera import Floats, View, project
from studio.domain.controls import HEAD_NAMES, ControlState, track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.engines.engine import Engine
from studio.head import HeadModel, builtin_head, fit_motion
from studio.head.fitting import FitSettings, PersonFitter
from studio.head.model import pose_features
from studio.media import read_selected
from studio.tracking.tracker import Tracker

CORRELATION, LEAK = 0.95, 0.15
"""What an engine is asked for: at least this correlation, and less than this leak."""
_FLAT, _ROUNDS = FitSettings(depth_trust=0.01), 20
"""Fitting to x and y: depth counts next to nothing, and in every round it is the fitted head's own."""
_FEWEST = 30
"""Good frames from which ranges and directions can be learnt."""
_OTHER = tuple(HEAD_NAMES.index(n) for n in ("roll", "jaw_side", "jaw_twist", "eyelid_left", "eyelid_right"))

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SweepSettings:
    """How an avatar is swept."""

    steps: int = 25
    """Steps of each sweep."""
    looks: int = 3
    """Pictures of each step, shifted by parts of a pixel, over which the tracker's landmarks are averaged:
    less of its jitter counts as leak, and nothing that the avatar draws is smoothed over steps."""
    directions: int = 3
    """How many of the strongest expression directions are swept."""
    moments: int = 5
    """Where the truth is known: how many other moments' true faces are turned and judged like the avatar, to
    tell what the judging itself adds. The most typical moments are taken, half a second apart."""


@dataclass(frozen=True)
class Swept:
    """What is swept: an opened avatar, and the clip it learnt from."""

    engine: Engine
    """Draws the frames."""
    engine_id: str
    """Engine id, for the report."""
    rest_camera: npt.NDArray[np.floating]
    """``[3]`` scale, cx, cy that the engine's move and zoom controls are relative to."""
    sequence: TrackedSequence
    """The avatar's tracked clip: the person's shape, and what the clip showed."""
    seen: npt.NDArray[np.integer]
    """``[K]`` frames that the avatar was allowed to learn from; good ones among them count."""
    stage: View
    """What the pictures show."""
    title: str = ""
    """Name of the clip, for tables."""
    video: Path | None = None
    """The clip, to read real frames back; None leaves ``reread`` out."""
    truth: Callable[[int, Floats], npt.NDArray[np.uint8]] | None = None
    """Draws a frame of the clip, its true face unchanged, under other angles ``[3]`` (degrees as tracked).
    None where no truth is known, as of every real person."""


@dataclass(frozen=True)
class Sweep:
    """One sweep. Shares are of the quantity's range over the clip, 0 for perfectly still."""

    name: str
    """What was swept: ``yaw``, ``pitch``, ``jaw_open``, ``expression direction 1``…"""
    group: str
    """``head`` or ``face``."""
    unit: str
    """Unit of what was asked and read: degrees, or millimetres (see the module)."""
    asked: list[float]
    """What was asked, step by step."""
    read: list[float | None]
    """What was read, None where no face was found."""
    correlation: float
    """Pearson correlation of asked and read, -1..1; NaN with fewer than three faces found."""
    gain: float
    """Slope of read over asked; 1 is right. NaN with fewer than three faces found."""
    moved: Mapping[str, float]
    """Every quantity's range over the sweep as a share of its range over the clip."""
    leak: Mapping[str, float]
    """The same for quantities of the other group only: what should have stood still."""
    clip_leak: Mapping[str, float]
    """For head sweeps: what goes along with the same turn in the clip's frames."""
    beyond_clip: Mapping[str, float]
    """For head sweeps: the leak that what goes along in the clip does not explain (see the module)."""
    rigid_leak: Mapping[str, float]
    """For head sweeps with a known truth: what the tracker reads from the true head turned rigidly."""
    beyond_rigid: Mapping[str, float]
    """The avatar's own leak: what no share between none and all of that explains (see the module)."""
    beyond_flat: Mapping[str, float]
    """The same read from x and y alone, without the tracker's depth: what the pictures show of it."""
    other_truths: Mapping[str, list[float]]
    """The same of each other moment's true face, which stands still: the blur of this judgement, as far as an
    avatar's face is as unlike the typical one as theirs are."""
    missed: int
    """Steps in which no face was found."""

    @property
    def mean_leak(self) -> float:
        """Mean over the other group's quantities."""
        return float(np.mean([*self.leak.values()])) if self.leak else float("nan")

    @property
    def worst_leak(self) -> tuple[str, float]:
        """Which quantity leaks most, and how much."""
        if not self.leak:
            return "", float("nan")
        # A quantity that could not be read counts as the worst there is.
        return max(self.leak.items(), key=lambda item: np.inf if np.isnan(item[1]) else item[1])

    @property
    def judged_leak(self) -> float:
        """The worst leak that is the avatar's own where the truth is known, else the worst leak."""
        return max(self.beyond_rigid.values()) if self.beyond_rigid else self.worst_leak[1]

    @property
    def reached(self) -> bool:
        """Whether correlation and the judged leak are as asked for, with a face in every step."""
        return self.missed == 0 and self.correlation >= CORRELATION and self.judged_leak < LEAK


@dataclass(frozen=True)
class SweepReport:
    """All sweeps of one avatar."""

    title: str
    """Name of the clip."""
    engine: str
    """Engine id."""
    sweeps: Sequence[Sweep]
    """One for each thing swept."""
    still: Mapping[str, float]
    """Range of each quantity, as a share of the clip's, when the same state is drawn again and again at other
    parts of a pixel: what the measuring itself moves."""
    reread: Mapping[str, tuple[float, float]]
    """Correlation and gain of each quantity, read from the clip's real frames in the stage against the
    sequence: what the measuring allows. Empty without the clip."""
    left_out: Mapping[str, str]
    """What was not swept, and why."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the figures depend on."""

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values; what is not a number becomes None."""
        plain = asdict(self)
        for sweep, entry in zip(self.sweeps, plain["sweeps"]):
            name, worst = sweep.worst_leak
            entry.update(mean_leak=sweep.mean_leak, worst_leak=worst, leaks_most=name, reached=sweep.reached)
        return dict(_finite(plain))


def sweep_avatar(
    swept: Swept,
    settings: SweepSettings | None = None,
    *,
    new_tracker: Callable[[], Tracker] | None = None,
    head: HeadModel | None = None,
    keep: Callable[[str, int, npt.NDArray[np.uint8]], object] | None = None,
    progress: Progress = silent,
) -> SweepReport:
    """Sweep yaw, pitch, jaw and the strongest expression directions one by one, and read them back.

    Args:
        swept: the avatar and its clip.
        settings: see :class:`SweepSettings`.
        new_tracker: makes the tracker that looks at the pictures; MediaPipe when None.
        head: the head model of the sequence; the built-in one when None.
        keep: told of each sweep's name, step and unshifted picture ``[H, W, 3]`` as it passes by.
        progress: told after every step.

    Returns:
        The figures; directions are named by their strength in the clip, 1 being the strongest.

    Raises:
        Problem: the clip has too few good frames or belongs to another head model, or the engine has none of
            the controls.
    """
    chosen = settings or SweepSettings()
    _check(chosen)
    model = head or builtin_head()
    sequence = swept.sequence
    if model.id != sequence.head_model:
        raise Problem(
            f"The clip was tracked with the head model {sequence.head_model}, not {model.id}: "
            "import it again."
        )
    if sequence.still:
        raise Problem(
            "A photo shows one moment, and a sweep goes over what a clip shows: sweep the avatar of a clip."
        )
    seen = np.asarray(swept.seen)[sequence.good[swept.seen]]
    if len(seen) < _FEWEST:
        raise Problem(
            f"The avatar's clip has {len(seen)} good frames, and {_FEWEST} are needed to know what it "
            "showed: record a longer one."
        )
    clip = track_from_motion(sequence.motion.take(seen), swept.rest_camera, sequence.rate).values
    quantities = quantities_of(clip, model, chosen.directions)
    shown = quantities.of(clip)
    low, high = np.percentile(shown, [5, 95], axis=0)
    ranges = high - low
    scale = np.maximum(ranges, 1e-9)
    typical, *others = _typical(shown, clip, seen, chosen.moments, float(sequence.rate) / 2)
    base = np.asarray(clip[typical], np.float64)
    able, left_out = _able(swept, quantities, ranges)
    jobs = [(q, quantities.swept(base, q, a)) for q, a in _asked(swept, quantities, able, low, high, chosen)]
    visible = [q for q, name in enumerate(quantities.names) if ranges[q] >= LEAST_SHOWN[quantities.units[q]]]

    with ExitStack() as stack:
        reader = _Reader(swept, model, quantities, chosen.looks, opened_tracker(new_tracker, stack))
        total, done, sweeps = chosen.steps * (len(jobs) + 1), 0, []
        for q, states in jobs:
            name = quantities.names[q]
            marks = []
            for step, state in enumerate(states):
                seen_marks, picture = reader.look(state)
                marks.append(seen_marks)
                if keep is not None:
                    keep(name, step, picture)
                done += 1
                progress(done, total, "asking and reading back")
            read = reader.read(np.stack(marks))
            other = [v for v in visible if quantities.groups[v] != quantities.groups[q]]
            moved = _range(read) / scale
            correlation, gain = _related(quantities.of(states)[:, q], read[:, q])
            habit = _habit(clip, shown, states)
            turning = quantities.groups[q] == HEAD
            rigid, flat, judged = None, None, []
            if turning and swept.truth is not None:
                true, *rest = (reader.turned(swept.truth, int(seen[k]), states) for k in (typical, *others))
                rigid = reader.read(true)
                judged = [_beyond(reader.read(one), rigid) / scale for one in rest]
                flat = [reader.read(m, flat=True) for m in (np.stack(marks), true)]
            sweeps.append(
                Sweep(
                    name=name,
                    group=quantities.groups[q],
                    unit=quantities.units[q],
                    asked=quantities.of(states)[:, q].tolist(),
                    read=[float(v) if np.isfinite(v) else None for v in read[:, q]],
                    correlation=correlation,
                    gain=gain,
                    moved=_named(quantities, moved, visible),
                    leak=_named(quantities, moved, other),
                    clip_leak=_named(quantities, _range(habit) / scale, other) if turning else {},
                    beyond_clip=_named(quantities, _beyond(read, habit) / scale, other) if turning else {},
                    rigid_leak={} if rigid is None else _named(quantities, _range(rigid) / scale, other),
                    beyond_rigid={}
                    if rigid is None
                    else _named(quantities, _beyond(read, rigid) / scale, other),
                    beyond_flat={} if flat is None else _named(quantities, _beyond(*flat) / scale, other),
                    other_truths={quantities.names[v]: [float(j[v]) for j in judged] for v in other}
                    if judged
                    else {},
                    missed=int((~np.isfinite(read[:, q])).sum()),
                )
            )
        marks = []
        for step in range(chosen.steps):
            marks.append(reader.look(base.astype(np.float32), first=step * chosen.looks)[0])
            progress(done + step + 1, total, "asking and reading back")
        still = _range(reader.read(np.stack(marks))) / scale
        reread = _reread(swept, reader, seen, shown, visible, chosen.steps, progress)
    return SweepReport(
        title=swept.title,
        engine=swept.engine_id,
        sweeps=sweeps,
        still=_named(quantities, still, visible),
        reread=reread,
        left_out=left_out,
        settings={
            **asdict(chosen),
            "tracker": reader.tracker.name,
            "head_model": sequence.head_model,
            "stage": [swept.stage.width, swept.stage.height],
            "clip_range": {n: [float(a), float(b)] for n, a, b in zip(quantities.names, low, high)},
        },
    )


class _Reader:
    """Draws a state and reads it back."""

    def __init__(
        self, swept: Swept, model: HeadModel, quantities: Quantities, looks: int, tracker: Tracker
    ) -> None:
        self.tracker = tracker
        self._swept, self._model, self._quantities, self._looks = swept, model, quantities, looks
        sheet = swept.engine.sheet
        place = {name: column for column, name in enumerate(sheet.names)}
        self._wanted = [(place[name], column) for column, name in enumerate(HEAD_NAMES) if name in place]

    def look(self, values: Floats, first: int = 0) -> tuple[Floats, npt.NDArray[np.uint8]]:
        """Mean landmarks ``[478, 3]`` in source pixels (NaN without a face), and the first picture.

        ``first`` is the number of the first of the shifts; number 0 is no shift.
        """
        sheet = self._swept.engine.sheet
        filled = sheet.neutral().values.copy()
        for to, column in self._wanted:
            filled[to] = values[column]
        state = ControlState(sheet.names, filled)
        marks, shown = [], None
        for shift in range(first, first + self._looks):
            view = shifted(self._swept.stage, shift)
            picture = self._swept.engine.render(RenderRequest(state, view)).image
            shown = picture if shown is None else shown
            marks.append(landmarks_in(picture, view, self.tracker))
        assert shown is not None
        return mean_landmarks(marks), shown

    def look_at(self, source: npt.NDArray[np.uint8]) -> Floats:
        """The same of a real frame, shown as the stage shows it."""
        views = [shifted(self._swept.stage, shift) for shift in range(self._looks)]
        return mean_landmarks([landmarks_in(cut_view(source, v), v, self.tracker) for v in views])

    def turned(
        self, truth: Callable[[int, Floats], npt.NDArray[np.uint8]], frame: int, states: Floats
    ) -> Floats:
        """Landmarks ``[N, 478, 3]`` of a frame's true face under the head angles of N states."""
        return np.stack([self.look_at(truth(frame, state[:3])) for state in states])

    def read(self, marks: Floats, flat: bool = False) -> Doubles:
        """Landmarks ``[T, 478, 3]`` to quantities ``[T, Q]``, NaN where there is no face; from x and y alone
        if ``flat``."""
        swept = self._swept
        found = np.isfinite(marks).all((1, 2))
        out = np.full((len(marks), len(self._quantities.names)), np.nan)
        if found.any():
            motion = self._flat_motion(marks[found]) if flat else self._motion(marks[found])
            track = track_from_motion(motion, swept.rest_camera, swept.sequence.rate)
            out[found] = self._quantities.of(track.values)
        return out

    def _motion(self, marks: Floats) -> HeadMotion:
        person = self._swept.sequence
        return fit_motion(self._model, person.identity, person.offset, marks)

    def _flat_motion(self, marks: Floats) -> HeadMotion:
        model, person = self._model, self._swept.sequence
        fitter, points = PersonFitter(model, person.identity, person.offset, _FLAT), marks.copy()
        for _ in range(_ROUNDS):
            motion = fitter.fit(points)
            own = fitter.deformed(motion) + np.tensordot(pose_features(motion.angles), model.tracker_warp, 1)
            depth = project(own, motion.angles, motion.camera)[..., 2]
            points[:, model.landmark_ids, 2] = depth / model.tracker_depth
        return fitter.fit(points)


def _habit(clip: Floats, shown: Doubles, states: Floats) -> Doubles:
    """``[N, Q]`` what goes along with the sweep's head angles, as regressed over the clip."""
    slope = np.linalg.lstsq(turn_features(clip, clip), shown, rcond=None)[0]
    return np.asarray(turn_features(states, clip) @ slope, np.float64)


def _beyond(read: Doubles, habit: Doubles) -> Doubles:
    """``[Q]`` range of what was read less the share, 0 to 1, of a habit (or bias) that fits it best."""
    found = np.isfinite(read).all(1)
    if found.sum() < 3:
        return np.full(read.shape[1], np.nan)
    y, x = read[found] - read[found].mean(0), habit[found] - habit[found].mean(0)
    share = np.clip((x * y).sum(0) / np.maximum((x * x).sum(0), 1e-12), 0.0, 1.0)
    return _range(y - share * x)


def _typical(
    shown: Doubles, clip: Floats, frames: npt.NDArray[np.integer], others: int, apart: float
) -> list[int]:
    """Row of the frame nearest to the median of everything that counts, each by its deviation, then of the
    nearest ``others`` that lie at least ``apart`` frames from those before them (fewer if there are none)."""
    counted = np.concatenate([shown, clip[:, list(_OTHER)].astype(np.float64)], 1)
    deviation = counted.std(0)
    scaled = (counted - np.median(counted, 0)) / np.where(deviation > 1e-6, deviation, 1.0)
    found: list[int] = []
    for row in (scaled**2).sum(1).argsort(kind="stable").tolist():
        if len(found) > others:
            break
        if all(abs(int(frames[row]) - int(frames[k])) >= apart for k in found):
            found.append(row)
    return found


def _able(swept: Swept, quantities: Quantities, ranges: Doubles) -> tuple[list[int], dict[str, str]]:
    """What can be swept, and why the rest cannot."""
    controls = set(swept.engine.sheet.names)
    able, left_out = [], {}
    for q, name in enumerate(quantities.names):
        needed = {name} if q < len(quantities.columns) else set(HEAD_NAMES[EXPRESSION_COLUMNS])
        least, unit = LEAST_SHOWN[quantities.units[q]], quantities.units[q]
        if not needed <= controls:
            left_out[name] = "the engine has no such control"
        elif ranges[q] < least:
            left_out[name] = f"the clip shows {ranges[q]:.2g} {unit} of it, less than {least:g} {unit}"
        else:
            able.append(q)
    if not able:
        raise Problem(
            f"Nothing of this {swept.engine_id} avatar can be swept: "
            + "; ".join(f"{name}: {why}" for name, why in left_out.items())
            + ". Record a clip that turns and speaks, or choose another engine."
        )
    return able, left_out


def _asked(
    swept: Swept,
    quantities: Quantities,
    able: list[int],
    low: Doubles,
    high: Doubles,
    settings: SweepSettings,
) -> Iterator[tuple[int, Doubles]]:
    """What is asked for in each sweep: the clip's range, within what the control accepts."""
    controls = {control.name: control for control in swept.engine.sheet.controls}
    for q in able:
        bottom, top = low[q], high[q]
        if q < len(quantities.columns):
            control = controls[quantities.names[q]]
            bottom, top = np.clip([bottom, top], control.low, control.high)
        yield q, np.linspace(bottom, top, settings.steps)


def _reread(
    swept: Swept,
    reader: _Reader,
    seen: npt.NDArray[np.integer],
    shown: Doubles,
    visible: list[int],
    count: int,
    progress: Progress,
) -> dict[str, tuple[float, float]]:
    """Correlation and gain of each quantity over real frames, spread evenly over the clip."""
    if swept.video is None:
        return {}
    rows = np.unique(np.linspace(0, len(seen) - 1, max(count, 3)).round().astype(int))
    marks = []
    for k, (_, source) in enumerate(read_selected(swept.video, seen[rows].tolist())):
        marks.append(reader.look_at(source))
        progress(k + 1, len(rows), "reading real frames back")
    read = reader.read(np.stack(marks))
    names = reader._quantities.names
    return {names[q]: _related(shown[rows, q], read[:, q]) for q in visible}


def _related(asked: Doubles, read: Doubles) -> tuple[float, float]:
    """Pearson correlation and slope over the steps that were read."""
    found = np.isfinite(read)
    if found.sum() < 3:
        return float("nan"), float("nan")
    x, y = asked[found] - asked[found].mean(), read[found] - read[found].mean()
    both = float(np.sqrt((x @ x) * (y @ y)))
    # What does not move at all follows nothing.
    return (float(x @ y) / both if both > 1e-12 else 0.0), float(x @ y / max(x @ x, 1e-12))


def _range(values: Doubles) -> Doubles:
    """``[Q]`` 5th to 95th percentile over the rows that were read; NaN where fewer than three were."""
    found = np.isfinite(values).all(1)
    if found.sum() < 3:
        return np.full(values.shape[1], np.nan)
    low, high = np.percentile(values[found], [5, 95], axis=0)
    return np.asarray(high - low, np.float64)


def _named(quantities: Quantities, values: Doubles, which: Sequence[int]) -> dict[str, float]:
    return {quantities.names[q]: float(values[q]) for q in which}


def _check(settings: SweepSettings) -> None:
    if settings.steps < 5 or settings.looks < 1 or not 1 <= settings.directions <= 10:
        raise Problem("A sweep needs at least 5 steps and 1 look, and 1 to 10 expression directions.")
    if settings.moments < 0:
        raise Problem("A sweep cannot turn fewer than 0 other moments' faces: choose 0 or more.")


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
