"""How far a clip's expressions go, beside how far people in general go when they are filmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.sequence import TrackedSequence
from studio.head import HeadModel, builtin_head

ENOUGH = 0.6
"""Share of what people usually reach from which an avatar has something to show."""
_AXES = ("jaw_open", "smile", "pucker", "brow_raise")
"""Handles whose amounts are found together, so that what one explains is not counted for another."""
_TURNED = 35.0
"""Degrees of yaw from which on expressions are not measured, if there are other frames."""
_HIGH, _LOW = 99.0, 1.0
"""Percentiles that stand for the farthest, so that one bad frame does not."""


@dataclass(frozen=True)
class Kind:
    """An expression that a lively avatar needs to have seen."""

    id: str
    """Stable identifier."""
    label: str
    """What a person reads."""
    missing: str
    """Completes “The clip does not show …”."""
    advice: str
    """One sentence: what to record to fill it."""
    usual: float
    """What three clips of people talking in four stay below, in the measure's own unit."""
    measure: Callable[[_Channels], float]
    """How far a clip goes."""


@dataclass(frozen=True)
class ExpressionReach:
    """How far one expression goes in a clip."""

    kind: Kind
    """Which expression."""
    reach: float
    """How far, in the kind's own unit; 0 or more."""

    @property
    def share(self) -> float:
        """Of what people usually reach; 0 or more, 1 is usual."""
        return self.reach / self.kind.usual

    @property
    def enough(self) -> bool:
        """Whether an avatar has something to show."""
        return self.share >= ENOUGH


@dataclass(frozen=True, eq=False)
class _Channels:
    """What measures look at; T frames."""

    amounts: Floats | None
    """``[T, len(_AXES)]`` amounts of handles; None where the head model has none."""
    motion: HeadMotion

    def up(self, axis: int) -> float:
        assert self.amounts is not None
        return _beyond_usual(self.amounts[:, axis])

    def down(self, axis: int) -> float:
        assert self.amounts is not None
        return _beyond_usual(-self.amounts[:, axis])

    def range_of_gaze(self, axis: int) -> float:
        high, low = np.percentile(self.motion.gaze[:, axis], [_HIGH, _LOW])
        return float(high - low)


def _beyond_usual(values: Floats) -> float:
    """How far values go above their median."""
    high, middle = np.percentile(values, [_HIGH, 50.0])
    return float(max(0.0, high - middle))


def _closed(channels: _Channels) -> float:
    return _beyond_usual(channels.motion.eyelids.mean(1))


def _opened(channels: _Channels) -> float:
    return channels.up(0)


# `usual` is the 75th percentile over 59 clips of people talking (development data), rounded.
KINDS = (
    Kind("mouth_open", "Mouth open", "a wide open mouth", "Say a long “aah”.", 0.53, _opened),
    Kind("smile", "Smile", "a broad smile", "Smile broadly, then let go.", 1.0, lambda c: c.up(1)),
    Kind("rounded", "Lips rounded", "rounded lips", "Say “ooh” and blow a kiss.", 0.64, lambda c: c.up(2)),
    Kind("brows_up", "Brows raised", "raised brows", "Look surprised a few times.", 0.51, lambda c: c.up(3)),
    Kind(
        "brows_down",
        "Brows lowered",
        "lowered brows",
        "Frown as if the sun were low.",
        0.38,
        lambda c: c.down(3),
    ),
    Kind("eyes_closed", "Eyes closed", "closed eyes", "Blink slowly a few times.", 0.79, _closed),
    Kind(
        "eyes_aside",
        "Eyes aside",
        "eyes looking aside",
        "Look left and right while the head keeps still.",
        24.0,
        lambda c: c.range_of_gaze(0),
    ),
    Kind(
        "eyes_up_down",
        "Eyes up and down",
        "eyes looking up and down",
        "Look up and down while the head keeps still.",
        21.0,
        lambda c: c.range_of_gaze(1),
    ),
)
"""In the order they are shown."""
_OF_HANDLES = ("mouth_open", "smile", "rounded", "brows_up", "brows_down")


def expression_reach(sequence: TrackedSequence) -> tuple[ExpressionReach, ...]:
    """How far each expression goes in the sequence's good frames; empty where it has none.

    Expressions that only the built-in head model has handles for are left out for other head models.
    """
    good = np.flatnonzero(sequence.good)
    if not len(good):
        return ()
    # Half of a face that is turned far is only guessed at.
    near = good[np.abs(sequence.motion.angles[good, 0]) < _TURNED]
    motion = sequence.motion.take(near if len(near) else good)
    known = builtin_head().id == sequence.head_model
    channels = _Channels(handle_amounts(motion) if known else None, motion)
    return tuple(
        ExpressionReach(kind, kind.measure(channels)) for kind in KINDS if known or kind.id not in _OF_HANDLES
    )


def handle_amounts(motion: HeadMotion) -> Floats:
    """``[T, 4]`` how much of jaw open, smile, pucker and brow raise is in each frame (1 is fully expressed).

    Least squares over the distances that the head's points travel.
    """
    expression_and_jaw = np.concatenate([motion.expression, motion.jaw], 1)
    return np.asarray(expression_and_jaw @ _projection().T, np.float32)


@cache
def _projection() -> Floats:
    """``[4, 53]`` expression and jaw to amounts."""
    head = builtin_head()
    directions = np.stack([head.handles[name].direction[:53] for name in _AXES]).astype(np.float64)
    travel = _travel(head)
    metric = travel @ travel.T
    mixed = directions @ metric @ directions.T
    return np.asarray(np.linalg.solve(mixed, directions @ metric), np.float32)


def _travel(head: HeadModel) -> Floats:
    """``[53, 3V]`` how points move with each coefficient, near the neutral face."""
    step = 0.01
    turned = HeadMotion.neutral(4, np.ones(3, np.float32))
    turned.jaw[:3] = np.eye(3, dtype=np.float32) * step
    shapes = head.deform(head.template, turned)
    jaw = (shapes[:3] - shapes[3]) / step
    return np.concatenate([head.expression_basis, jaw]).reshape(53, -1).astype(np.float32)
