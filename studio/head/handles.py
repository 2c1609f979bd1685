"""Handle: a named direction over a head model's parameters, such as a smile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion


@dataclass(frozen=True, eq=False)
class Handle:
    """A direction over expression, jaw and eyelids; at amount 1 it is fully expressed."""

    name: str
    """Stable identifier, e.g. ``smile_left``; left is the viewer's left."""
    label: str
    """What a person reads."""
    group: str
    """Heading it stands under: ``Mouth``, ``Eyes`` or ``Brows``."""
    expression: Floats
    """``[50]`` change of the expression coefficients at amount 1."""
    jaw: Floats
    """``[3]`` change of the jaw's axis-angle rotation in radians at amount 1."""
    eyelids: Floats
    """``[2]`` change of the eyelids at amount 1."""
    low: float
    """Smallest sensible amount."""
    high: float
    """Largest sensible amount."""

    @property
    def direction(self) -> Floats:
        """``[55]`` expression, jaw and eyelids in one row."""
        return np.concatenate([self.expression, self.jaw, self.eyelids]).astype(np.float32)

    def apply(self, motion: HeadMotion, amount: Floats | float) -> HeadMotion:
        """The motion with this handle added; ``amount`` is one number or ``[T]``."""
        a = np.broadcast_to(np.asarray(amount, np.float32), (len(motion),))[:, None]
        return replace(
            motion,
            expression=motion.expression + a * self.expression,
            jaw=motion.jaw + a * self.jaw,
            eyelids=motion.eyelids + a * self.eyelids,
        )
