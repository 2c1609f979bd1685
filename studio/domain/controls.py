"""Controls as data: what an avatar can be asked to do, and one asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.motion import EXPRESSIONS, HeadMotion

Kind = Literal["angle", "coefficient", "amount", "length"]
"""What a widget needs to know: degrees, standard deviations, 0..1 or -1..1, metres."""


@dataclass(frozen=True)
class Control:
    """One knob of an avatar."""

    name: str
    """Stable identifier, e.g. ``yaw`` or ``expression_07``; control files use it."""
    label: str
    """What a person reads."""
    kind: Kind
    """Which widget suits it."""
    group: str
    """Heading it stands under: ``Head``, ``Eyes``, ``Mouth``, ``Expression``…"""
    low: float
    """Smallest value accepted."""
    high: float
    """Largest value accepted."""
    default: float
    """Value of a neutral face."""
    hint: str = ""
    """One sentence for the tooltip: sign, unit, meaning."""
    reliable: tuple[float, float] | None = None
    """What the clip covered, or one picture carries well; outside it the avatar extrapolates."""


@dataclass(frozen=True)
class ControlSheet:
    """All controls of an avatar, in the order they are shown and stored."""

    controls: tuple[Control, ...]
    """One entry per column of a ControlTrack."""

    @property
    def names(self) -> tuple[str, ...]:
        """Control names in column order."""
        return tuple(c.name for c in self.controls)

    def neutral(self) -> ControlState:
        """Every control at its default."""
        return ControlState(self.names, np.array([c.default for c in self.controls], np.float32))

    def state(self, values: Mapping[str, float]) -> ControlState:
        """A state from named values; the rest at default. Raises KeyError for an unknown name."""
        position = {name: i for i, name in enumerate(self.names)}
        filled = self.neutral().values.copy()
        for name, value in values.items():
            filled[position[name]] = value
        return ControlState(self.names, filled)


@dataclass(frozen=True, eq=False)
class ControlState:
    """One setting of every control. Immutable; equal states render equal frames."""

    names: tuple[str, ...]
    """C control names."""
    values: Floats
    """``[C]`` float32, read-only."""

    def __post_init__(self) -> None:
        self.values.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ControlState)
            and self.names == other.names
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.names, self.values.tobytes()))

    def __getitem__(self, name: str) -> float:
        return float(self.values[self.names.index(name)])


@dataclass(frozen=True)
class ControlTrack:
    """A state per frame: what animates an avatar."""

    names: tuple[str, ...]
    """C control names."""
    values: Floats
    """``[T, C]`` float32."""
    rate: Fraction
    """Frames per second, exact."""

    def __len__(self) -> int:
        return len(self.values)

    def state(self, frame: int) -> ControlState:
        """The state at one frame."""
        return ControlState(self.names, self.values[frame].copy())


HEAD_NAMES = (
    *("yaw", "pitch", "roll", "move_x", "move_y", "zoom"),
    *("jaw_open", "jaw_side", "jaw_twist", "eyelid_left", "eyelid_right", "gaze_yaw", "gaze_pitch"),
    *(f"expression_{i:02d}" for i in range(EXPRESSIONS)),
)
"""Controls that drive a head model directly, in column order. jaw_open, jaw_twist and jaw_side are the x, y
and z components of the jaw's axis-angle rotation in degrees. move_x and move_y shift the head in metres
(right, up) and zoom is a factor, all relative to the avatar's rest camera."""


def track_from_motion(
    motion: HeadMotion, rest_camera: npt.NDArray[np.floating], rate: Fraction
) -> ControlTrack:
    """Head parameters as controls, relative to a rest camera ``[3]`` (scale, cx, cy)."""
    scale, cx, cy = (float(v) for v in rest_camera)
    move = (motion.camera[:, 1:] - (cx, cy)) / scale * (1.0, -1.0)
    zoom = motion.camera[:, :1] / scale
    jaw = np.rad2deg(motion.jaw[:, [0, 2, 1]])
    columns = [motion.angles, move, zoom, jaw, motion.eyelids, motion.gaze, motion.expression]
    return ControlTrack(HEAD_NAMES, np.concatenate(columns, 1).astype(np.float32), rate)


def motion_from_values(values: npt.NDArray[np.floating], rest_camera: npt.NDArray[np.floating]) -> HeadMotion:
    """Controls ``[T, >=63]`` (columns HEAD_NAMES first) back to head parameters."""
    v = np.asarray(values, np.float32)
    scale, cx, cy = (float(x) for x in rest_camera)
    camera = np.stack([v[:, 5] * scale, cx + v[:, 3] * scale, cy - v[:, 4] * scale], 1)
    return HeadMotion(
        expression=v[:, 13 : 13 + EXPRESSIONS],
        jaw=np.deg2rad(v[:, [6, 8, 7]]),
        eyelids=v[:, 9:11],
        gaze=v[:, 11:13],
        angles=v[:, :3],
        camera=camera.astype(np.float32),
    )
