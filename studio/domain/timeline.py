"""Timeline: keyframe curves for any control, over imported motion if there is any."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

Ease = Literal["hold", "linear", "smooth", "ease-in", "ease-out", "ease-in-out"]
"""How a value travels from a keyframe to the next: it stays and then jumps; a straight line; a gentle curve
through its neighbours that never overshoots; a start from rest; an end at rest; both."""
EASES: tuple[Ease, ...] = get_args(Ease)
Mode = Literal["replace", "add"]
"""What a curve does to imported motion of its control: stands in its place, or is added to it."""
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A value at a moment, and how it leaves."""

    frame: int
    """When, counted from 0 at the timeline's rate."""
    value: float
    """In the control's own unit."""
    ease: Ease = "smooth"
    """How the value goes on from here."""

    def __post_init__(self) -> None:
        if self.frame < 0 or not math.isfinite(self.value) or self.ease not in EASES:
            raise ValueError(f"no keyframe: {self}")


@dataclass(frozen=True)
class Curve:
    """What one control does. Before its first keyframe it has that one's value, after its last the last's."""

    keyframes: tuple[Keyframe, ...]
    """At least one, in order of time, one a frame."""
    mode: Mode = "replace"
    """What it does to imported motion. ``add`` adds its distance from the control's neutral value."""

    def __post_init__(self) -> None:
        frames = self.frames
        if not frames or any(b <= a for a, b in zip(frames, frames[1:])) or self.mode not in MODES:
            raise ValueError(f"no curve: {self.mode} through frames {frames}")

    @cached_property
    def frames(self) -> tuple[int, ...]:
        """Where its keyframes are."""
        return tuple(key.frame for key in self.keyframes)

    @cached_property
    def points(self) -> npt.NDArray[np.float64]:
        """``[2, K]`` frames and values of its keyframes, read-only."""
        made = np.array([self.frames, [key.value for key in self.keyframes]], np.float64)
        made.setflags(write=False)
        return made

    def at(self, frame: int) -> Keyframe | None:
        """The keyframe there, if there is one."""
        return next((key for key in self.keyframes if key.frame == frame), None)

    def through(self, keyframes: Iterable[Keyframe]) -> Curve | None:
        """The same curve through other keyframes, in any order; a later one wins its frame. None without."""
        kept = {key.frame: key for key in keyframes}
        return replace(self, keyframes=tuple(kept[frame] for frame in sorted(kept))) if kept else None


@dataclass(frozen=True, eq=False)
class BaseMotion:
    """Imported motion, a value for every frame: what curves replace or are added to."""

    title: str
    """Where it came from, for people."""
    start: int
    """Frame of the timeline at which it begins; before it holds its first state, afterwards its last."""
    names: tuple[str, ...]
    """C controls that it moves."""
    values: Floats
    """``[T, C]`` float32, one row a frame, T ≥ 1, read-only."""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names) or not len(self.values):
            raise ValueError(f"base motion of {len(self.names)} controls has values {self.values.shape}")
        self.values.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BaseMotion)
            and (self.title, self.start, self.names) == (other.title, other.start, other.names)
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.title, self.start, self.names, self.values.tobytes()))

    def at(self, frames: npt.ArrayLike) -> Floats:
        """``[T, C]`` what it does at ``[T]`` frames of the timeline, held before its start and after it."""
        return self.values[np.clip(np.asarray(frames) - self.start, 0, len(self.values) - 1)]


@dataclass(frozen=True)
class Timeline:
    """What an avatar does, to be edited. Immutable: every edit gives another one, so undo is remembering."""

    rate: Fraction = Fraction(30)
    """Frames per second, exact."""
    length: int = 150
    """Frames that are played; keyframes beyond are kept, not played."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    """Control or handle to its curve. What has none stays neutral, or follows the imported motion."""
    loop: bool = False
    """Played in a circle: a curve goes on from its last keyframe to its first of the next round."""
    base: BaseMotion | None = None
    """Imported motion that was kept frame by frame."""

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.length < 1:
            raise ValueError(f"no timeline: {self.length} frames at {self.rate}")
        object.__setattr__(self, "curves", MappingProxyType(dict(self.curves)))

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return float(self.length / self.rate)

    @property
    def empty(self) -> bool:
        """Whether nothing moves in it."""
        return not self.curves and self.base is None

    def with_curve(self, name: str, curve: Curve | None) -> Timeline:
        """With another curve for a control, in its old place; None takes the curve away."""
        curves = dict(self.curves)
        if curve is None:
            curves.pop(name, None)
        else:
            curves[name] = curve
        return replace(self, curves=curves)
