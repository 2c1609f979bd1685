"""HeadMotion: what a head model's parameters do over time."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

EXPRESSIONS = 50
"""Expression coefficients per frame, FLAME's and DECA's count."""


@dataclass(frozen=True)
class HeadMotion:
    """Per-frame parameters of a head model; T frames. Identity is not here: it belongs to the person."""

    expression: Floats
    """``[T, 50]`` expression coefficients, in standard deviations of the head model's basis."""
    jaw: Floats
    """``[T, 3]`` jaw rotation as axis-angle in radians; x > 0 opens the mouth."""
    eyelids: Floats
    """``[T, 2]`` viewer's-left eye then viewer's-right eye; 0 open as in the template, 1 closed."""
    gaze: Floats
    """``[T, 2]`` gaze yaw and pitch relative to the head, degrees, signs as for the head."""
    angles: Floats
    """``[T, 3]`` head yaw, pitch, roll in degrees (see studio.domain.camera)."""
    camera: Floats
    """``[T, 3]`` scale in source pixels per metre, cx, cy in source pixels."""

    def __post_init__(self) -> None:
        widths = {"expression": EXPRESSIONS, "jaw": 3, "eyelids": 2, "gaze": 2, "angles": 3, "camera": 3}
        for name, width in widths.items():
            value = getattr(self, name)
            if value.ndim != 2 or value.shape != (len(self.expression), width):
                raise ValueError(f"HeadMotion.{name} is {value.shape}, expected [T, {width}]")

    def __len__(self) -> int:
        return len(self.expression)

    def take(self, frames: npt.NDArray[np.integer] | slice) -> HeadMotion:
        """The motion at the given frames."""
        return replace(self, **{f.name: getattr(self, f.name)[frames] for f in fields(self)})

    @staticmethod
    def neutral(frames: int, camera: npt.NDArray[np.floating]) -> HeadMotion:
        """Frames looking straight ahead with a neutral face; camera is ``[3]``."""

        def zeros(width: int) -> Floats:
            return np.zeros((frames, width), np.float32)

        return HeadMotion(
            zeros(EXPRESSIONS),
            zeros(3),
            zeros(2),
            zeros(2),
            zeros(3),
            np.tile(np.asarray(camera, np.float32), (frames, 1)),
        )
