"""Does an edit do what it says, and nothing else? Measured on an avatar's own pictures.

Every edit is drawn alone, from its weakest suggested strength to its strongest, in moments of the clip that
differ in pose and expression, and what is drawn is looked at again:

* *attributes* (:mod:`studio.editing.attributes`): what an edit is about should move one way, the more the
  stronger it is;
* *drift*: 1 − cosine of an identity network's embeddings with those of the unedited picture of the same
  moment;
* *leak*: how far head angles, jaw and expression, as the tracker reads them, move from where they are without
  the edit, as a share of what the clip shows of each (5th to 95th percentile). Shapes are read with the shape
  that they ask for: a wider face is not a smile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.clip_quantities import LEAST_SHOWN, Quantities, quantities_of
from pipelines.judge_settings import JudgeSettings
from pipelines.reading_back import landmarks_in, mean_landmarks, opened_tracker, shifted
from studio.domain.camera import Floats, Similarity, View
from studio.domain.controls import HEAD_NAMES, ControlState, track_from_motion
from studio.domain.edits import Edit, EditStack, ExpressionShift, ShapeShift
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.editing.attributes import ATTRIBUTES, POSE, measure
from studio.editing.face_geometry import upright_faces
from studio.editing.identity_drift import BOUND, IdentityMeter, mean_drift
from studio.editing.method import FaceReader
from studio.editing.shape_measures import MEASURES, measured
from studio.engines.engine import Engine
from studio.head import HeadModel, builtin_head, fit_motion
from studio.tracking.tracker import Tracker

LEAK = 0.10
"""Less than this share of the clip's range may anything move that an edit is not about."""
LOOKED_AT = tuple(name for name in ATTRIBUTES if name not in POSE)
"""Attributes that are told of every edit; pose is read by the tracker."""
FEWEST = 30
"""Good frames from which a clip's ranges can be told."""
_SIDE = 256
"""Side of the aligned crops that attributes and identity are measured in."""


@dataclass(frozen=True)
class Judged:
    """What is judged: an opened avatar with its edits, and the clip it learnt from."""

    engine: Engine
    """Draws the frames; its sheet has the edits."""
    edits: EditStack
    """They."""
    sequence: TrackedSequence
    """The avatar's tracked clip."""
    rest_camera: npt.NDArray[np.floating]
    """``[3]`` that the engine's move and zoom controls are relative to."""
    seen: npt.NDArray[np.integer]
    """Frames that the avatar was allowed to learn from."""
    stage: View
    """What the pictures are tracked in."""


@dataclass(frozen=True)
class EditFigures:
    """What was measured of one edit; S strengths, ascending."""

    name: str
    """Its name."""
    title: str
    """What a person reads."""
    method: str
    """What found it."""
    strengths: list[float]
    """S strengths."""
    attributes: Mapping[str, list[float]]
    """Attribute to its S means over the moments, in its own unit; for edits of shape also every measure of
    :mod:`studio.editing.shape_measures`, as growth in percent. NaN where it could not be told."""
    spread: Mapping[str, float]
    """Attribute to its deviation over the unedited moments: what this person does by themselves."""
    about: str
    """Attribute that the edit is about: what it was found by, the measure that a shape changes most, else
    what moves most beside its spread."""
    monotone: bool
    """Whether that attribute goes one way over all strengths."""
    drift: list[float | None]
    """Mean drift at each strength; None without an identity network, or where faces were not found."""
    leak: Mapping[str, list[float]]
    """Quantity to its mean change at each strength, as a share of its range in the clip."""
    no_face: int
    """Pictures in which no face was found."""

    @property
    def worst_leak(self) -> tuple[str, float]:
        """What moved most, and how far; nothing measured counts as the worst there is."""
        if not self.leak:
            return "", float("inf")
        worst = {name: float(np.max(shares)) for name, shares in self.leak.items()}
        return max(worst.items(), key=lambda item: np.inf if np.isnan(item[1]) else item[1])

    @property
    def most_drift(self) -> float | None:
        """The largest drift, None where none is known."""
        known = [value for value in self.drift if value is not None]
        return max(known) if known else None

    @property
    def holds(self) -> tuple[float, float]:
        """The strengths around 0 between which neither drift nor leak goes beyond its bound; between two that
        were measured, both are taken as straight."""
        cost = [self._cost(k) for k in range(len(self.strengths))]
        rest = self.strengths.index(0.0)
        return (
            _within(self.strengths[rest::-1], cost[rest::-1]),
            _within(self.strengths[rest:], cost[rest:]),
        )

    def _cost(self, k: int) -> float:
        """What a strength costs: 1 where a bound is just kept."""
        drift = self.drift[k]
        shares = [shares[k] / LEAK for shares in self.leak.values()]
        return float(np.max([0.0 if drift is None else drift / BOUND, *shares]))

    @property
    def reached(self) -> bool:
        """Whether it moves what it is about one way, keeps the person, and leaves pose and expression."""
        drift = self.most_drift
        return self.monotone and (drift is None or drift <= BOUND) and self.worst_leak[1] < LEAK


def judge_edits(
    judged: Judged,
    settings: JudgeSettings | None = None,
    *,
    faces: FaceReader,
    meter: IdentityMeter | None = None,
    tracker: Tracker | None = None,
    head: HeadModel | None = None,
    progress: Progress = silent,
) -> list[EditFigures]:
    """Measure every edit of an avatar, one at a time.

    Args:
        judged: what to measure.
        settings: see :class:`JudgeSettings`.
        faces: finds faces in aligned crops, for attributes.
        meter: the identity network; None leaves drift out.
        tracker: looks at the stage; MediaPipe's mesh when None.
        head: the head model of the sequence; the built-in one when None.
        progress: counts pictures.

    Raises:
        Problem: there are no edits, or the clip has too few good frames.
    """
    chosen, model = settings or JudgeSettings(), head or builtin_head()
    if not len(judged.edits):
        raise Problem("This avatar has no edits to measure yet: find one first.")
    measurable = [edit for edit in judged.edits.edits if not isinstance(edit.effect, ExpressionShift)]
    if not measurable:
        raise Problem(
            "Edits are measured by what of pose and expression they leave alone, and emotions are there to "
            "change it: there is nothing to measure."
        )
    if judged.sequence.still:
        raise Problem(
            "A photo shows one moment, and edits are measured over what a clip shows: judge them with the "
            "avatar of a clip."
        )
    seen = np.asarray(judged.seen)[judged.sequence.good[judged.seen]]
    if len(seen) < FEWEST:
        raise Problem(
            f"The avatar's clip has {len(seen)} good frames, and 30 are needed to know what it showed."
        )
    motion = judged.sequence.motion.take(seen)
    clip = track_from_motion(motion, judged.rest_camera, judged.sequence.rate).values
    quantities = quantities_of(clip, model, chosen.directions)
    low, high = np.percentile(quantities.of(clip), [5, 95], axis=0)
    moments = spread_moments(motion, chosen.moments)
    bench = _Bench(judged, quantities, high - low, motion, clip, seen, moments, model, faces, meter, chosen)
    figures: list[EditFigures] = []
    with ExitStack() as stack:
        eyes = tracker or opened_tracker(None, stack)
        plain = bench.look(None, 0.0, eyes)
        total = len(measurable) * chosen.steps
        for edit in measurable:
            rows = []
            for strength in strengths_of(edit, chosen.steps):
                rows.append((strength, plain if strength == 0.0 else bench.look(edit, strength, eyes)))
                progress(len(figures) * chosen.steps + len(rows), total, "Measuring the edits")
            figures.append(bench.figures(edit, plain, rows))
    return figures


def spread_moments(motion: HeadMotion, count: int) -> npt.NDArray[np.intp]:
    """Places ``[<= count]`` in T frames, evenly spread over what the clip shows of yaw."""
    order = np.argsort(motion.angles[:, 0], kind="stable")
    shares = (np.arange(count) + 0.5) / count
    return np.unique(order[(shares * len(order)).astype(int)])


def strengths_of(edit: Edit, steps: int) -> list[float]:
    """Strengths over what is suggested for an edit, ascending, 0 among them."""
    low, high = edit.suggested
    found = np.linspace(min(low, 0.0), max(high, 0.0), max(steps, 2))
    found[np.abs(found).argmin()] = 0.0
    return [float(value) for value in found]


@dataclass(frozen=True, eq=False)
class _Look:
    """What was found in M pictures of one strength."""

    attributes: Floats
    quantities: npt.NDArray[np.float64]
    measures: npt.NDArray[np.float64]
    embeddings: torch.Tensor | None
    missed: int


class _Bench:
    """Draws the moments with an edit, and looks at them."""

    def __init__(
        self,
        judged: Judged,
        quantities: Quantities,
        ranges: npt.NDArray[np.float64],
        motion: HeadMotion,
        clip: Floats,
        frames: npt.NDArray[np.integer],
        moments: npt.NDArray[np.intp],
        model: HeadModel,
        faces: FaceReader,
        meter: IdentityMeter | None,
        settings: JudgeSettings,
    ) -> None:
        self._judged, self._quantities, self._ranges = judged, quantities, ranges
        self._moments, self._model, self._settings = moments, model, settings
        self._faces, self._meter = faces, meter
        self._values = clip[moments]
        crops = judged.sequence.crops[frames[moments]]
        self._crops = [View(Similarity.from_array(crop).scaled(_SIDE), _SIDE, _SIDE) for crop in crops]

    def look(self, edit: Edit | None, strength: float, tracker: Tracker) -> _Look:
        judged, engine = self._judged, self._judged.engine
        asked = {one.control_name: 0.0 for one in judged.edits.edits}
        if edit is not None:
            asked[edit.control_name] = strength
        pictures, marks = [], []
        for values, crop in zip(self._values, self._crops, strict=True):
            state = _state(engine, values, asked)
            pictures.append(engine.render(RenderRequest(state, crop)).image)
            views = [shifted(judged.stage, k) for k in range(self._settings.looks)]
            seen = [landmarks_in(engine.render(RenderRequest(state, v)).image, v, tracker) for v in views]
            marks.append(mean_landmarks(seen))
        batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        found = np.stack(marks)
        return _Look(
            measure(batch, LOOKED_AT, self._faces),
            self._read(found, edit, strength),
            _measures(found),
            None if self._meter is None else self._meter.embed(batch),
            int((~np.isfinite(found).all((1, 2))).sum()),
        )

    def _read(self, marks: Floats, edit: Edit | None, strength: float) -> npt.NDArray[np.float64]:
        """``[M, Q]`` quantities that the tracker reads, NaN without a face."""
        person, identity = self._judged.sequence, self._judged.sequence.identity
        if edit is not None and isinstance(edit.effect, ShapeShift):
            # The person is asked to have another shape, so that is the one to read with.
            identity = np.zeros(max(len(identity), len(edit.effect.identity)), np.float32)
            identity[: len(person.identity)] = person.identity
            identity[: len(edit.effect.identity)] += strength * edit.effect.identity
        there = np.isfinite(marks).all((1, 2))
        out = np.full((len(marks), len(self._quantities.names)), np.nan)
        if there.any():
            motion = fit_motion(self._model, identity, person.offset, marks[there])
            track = track_from_motion(motion, self._judged.rest_camera, person.rate)
            out[there] = self._quantities.of(track.values)
        return out

    def figures(self, edit: Edit, plain: _Look, rows: Sequence[tuple[float, _Look]]) -> EditFigures:
        means = np.stack([_mean(look.attributes) for _, look in rows])
        away = plain.attributes - _mean(plain.attributes)
        spread = np.nan_to_num(np.sqrt(_mean(away * away)))
        leak = {}
        for q, name in enumerate(self._quantities.names):
            if self._ranges[q] >= LEAST_SHOWN[self._quantities.units[q]]:
                moved = [np.abs(_mean((look.quantities - plain.quantities)[:, [q]]))[0] for _, look in rows]
                leak[name] = [float(share / self._ranges[q]) for share in moved]
        attributes = {name: means[:, k].tolist() for k, name in enumerate(LOOKED_AT)}
        about = _about(edit, means, spread)
        if isinstance(edit.effect, ShapeShift):
            grown = np.stack([_mean(look.measures - plain.measures) for _, look in rows])
            attributes |= {name: grown[:, k].tolist() for k, name in enumerate(MEASURES)}
            percent = edit.found.get("percent", {})
            about = max(percent, key=lambda name: abs(percent[name]), default=about)
        column = np.array(attributes[about])
        steps = np.diff(column)
        return EditFigures(
            name=edit.name,
            title=edit.title,
            method=edit.method,
            strengths=[strength for strength, _ in rows],
            attributes=attributes,
            spread={name: float(spread[k]) for k, name in enumerate(LOOKED_AT)},
            about=about,
            monotone=bool(np.isfinite(column).all() and ((steps > 0).all() or (steps < 0).all())),
            drift=[_drift(plain, look) for _, look in rows],
            leak=leak,
            no_face=sum(look.missed for _, look in rows),
        )


def _state(engine: Engine, values: Floats, asked: Mapping[str, float]) -> ControlState:
    """A clip's controls ``[63]`` on an engine's sheet, with strengths of edits."""
    sheet = engine.sheet
    filled = sheet.neutral().values.copy()
    position = {name: k for k, name in enumerate(sheet.names)}
    for name, value in (*zip(HEAD_NAMES, values.tolist(), strict=True), *asked.items()):
        if name in position:
            filled[position[name]] = value
    return ControlState(sheet.names, filled)


def _about(edit: Edit, means: Floats, spread: Floats) -> str:
    """The attribute that an edit was found by; else the one that moves most beside what the person does."""
    named = edit.found.get("attribute")
    if isinstance(named, str) and named in LOOKED_AT:
        return named
    moved = np.nan_to_num(np.abs(means[-1] - means[0])) / (
        spread + 1e-3 * np.abs(np.nan_to_num(means).mean(0)) + 1e-6
    )
    return LOOKED_AT[int(moved.argmax())]


def _measures(marks: Floats) -> npt.NDArray[np.float64]:
    """``[M, measures]`` a hundred times the logarithm of each measure of a shape, NaN without a face."""
    out = np.full((len(marks), len(MEASURES)), np.nan)
    for row, points in enumerate(upright_faces(marks).points):
        if np.isfinite(points).all():
            out[row] = measured(points)
    return out


def _within(strengths: Sequence[float], cost: Sequence[float]) -> float:
    """How far from 0, the first of the strengths, the cost stays at most 1."""
    last = 0.0
    for before, after, low, high in zip(strengths, strengths[1:], cost, cost[1:], strict=False):
        if not high <= 1.0:
            share = (1.0 - low) / (high - low) if np.isfinite(high) else 0.0
            return before + min(max(share, 0.0), 1.0) * (after - before)
        last = after
    return last


def _mean(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Mean over rows, NaN where a column has no finite value."""
    known = np.isfinite(values)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(0) / np.maximum(count, 1), np.nan)


def _drift(plain: _Look, look: _Look) -> float | None:
    if plain.embeddings is None or look.embeddings is None:
        return None
    return 0.0 if look is plain else mean_drift(plain.embeddings, look.embeddings)


def edits_table(figures: Sequence[EditFigures]) -> str:
    """A Markdown table of what was measured."""
    lines = [
        "| edit | strengths | moves | from … to | one way | drift at most | leaks most | holds | reached |",
        "|---|---|---|---|---|---:|---|---|---|",
    ]
    for one in figures:
        values = one.attributes[one.about]
        name, leak = one.worst_leak
        drift = "" if one.most_drift is None else f"{one.most_drift:.3f}"
        lines.append(
            f"| {one.title} ({one.method}) | {one.strengths[0]:g} … {one.strengths[-1]:g} "
            f"| {_said(one.about)} "
            f"| {values[0]:.3g} … {values[-1]:.3g} | {'yes' if one.monotone else 'no'} | {drift} "
            f"| {name} {100 * leak:.0f} % | {one.holds[0]:.2g} … {one.holds[1]:.2g} "
            f"| {'yes' if one.reached else 'no'} |"
        )
    return "\n".join(lines)


def _said(about: str) -> str:
    if about in ATTRIBUTES:
        return f"{ATTRIBUTES[about].title} ({ATTRIBUTES[about].unit})"
    return f"{about.replace('_', ' ')} (%)"


LEGEND = (
    "Moves: what the edit is about, at its weakest and its strongest suggested strength. "
    "One way: more strength is always more of it. "
    f"Drift: how far the person is from themselves, 0 to 2; at most {BOUND:g} is asked for. "
    "Leaks: how far pose and expression, as tracked, go along, as a share of what the clip shows of them; "
    f"less than {LEAK:.0%} is asked for. "
    "Holds: strengths between which both are kept. "
    "Reached: all of it, over the suggested strengths; where it is not, --narrow suggests those that hold."
)
"""What the columns of :func:`edits_table` mean."""


def edits_json(figures: Sequence[EditFigures]) -> list[dict[str, Any]]:
    """As JSON-ready values; what is not a number becomes None."""
    plain = []
    for one in figures:
        entry = asdict(one)
        entry["attributes"] = {
            name: [float(v) if np.isfinite(v) else None for v in values]
            for name, values in one.attributes.items()
        }
        entry["leak"] = {
            name: [float(v) if np.isfinite(v) else None for v in shares] for name, shares in one.leak.items()
        }
        entry.update(reached=one.reached, holds=list(one.holds))
        plain.append(entry)
    return plain
