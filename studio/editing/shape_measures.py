"""Measures of a neutral face: ratios of distances between MediaPipe's points, as taken on a portrait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

Pairs = tuple[tuple[int, int], ...]
IRISES: Pairs = ((468, 473),)
"""Between the eyes' middles: what most measures are taken by, as a picture tells no size."""
HEIGHT: Pairs = ((10, 152),)
"""From the upper end of the forehead to the chin."""


@dataclass(frozen=True)
class Measure:
    """One distance as a share of another."""

    pairs: Pairs
    """Points whose distances are averaged."""
    by: Pairs = IRISES
    """Points whose distance it is divided by."""
    way: Literal["seen", "depth"] = "seen"
    """Distances as seen from the front, or how much nearer the first point is than the second."""
    slack: float = 1.5
    """By how many percent it may change when a shape should leave it alone."""

    def of(self, points: npt.NDArray[np.floating]) -> float:
        """Of a neutral face ``[>=478, 3]`` in head space."""
        return self._length(points) / float(np.mean(_seen(points, self.by)))

    def _length(self, points: npt.NDArray[np.floating]) -> float:
        if self.way == "seen":
            return float(np.mean(_seen(points, self.pairs)))
        one, other = np.transpose(self.pairs)
        return float(np.mean(points[one, 2] - points[other, 2]))


def _seen(points: npt.NDArray[np.floating], pairs: Pairs) -> Floats:
    one, other = np.transpose(pairs)
    return np.asarray(np.linalg.norm(points[one, :2] - points[other, :2], axis=1), np.float32)


MEASURES: Mapping[str, Measure] = {
    "face_length": Measure(HEIGHT),
    "cheek_width": Measure(((127, 356), (234, 454), (93, 323)), HEIGHT),
    "jaw_width": Measure(((58, 288), (172, 397), (136, 365)), HEIGHT),
    "chin_width": Measure(((149, 378), (176, 400)), HEIGHT),
    "forehead_width": Measure(((103, 332), (54, 284)), HEIGHT),
    "forehead_height": Measure(((10, 168),)),
    "chin_height": Measure(((17, 152),), slack=3.0),
    # From the nose's base to the front of the chin: less is a chin that stands out more.
    "chin_recess": Measure(((2, 175),), way="depth", slack=6.0),
    "eye_width": Measure(((33, 133), (263, 362))),
    "eye_height": Measure(
        ((160, 144), (159, 145), (158, 153), (387, 373), (386, 374), (385, 380)), slack=4.0
    ),
    "brow_height": Measure(((105, 159), (334, 386)), slack=4.0),
    "nose_width": Measure(((48, 278), (64, 294))),
    "nose_length": Measure(((168, 2),)),
    "nose_depth": Measure(((4, 129), (4, 358)), way="depth"),
    "mouth_width": Measure(((61, 291),)),
    "lip_height": Measure(((0, 13), (14, 17), (37, 82), (267, 312), (87, 84), (317, 314)), slack=5.0),
    "philtrum": Measure(((2, 0),), slack=4.0),
}
"""Measures by name. ``slack`` is larger where a millimetre is more percent."""


def measured(points: npt.NDArray[np.floating]) -> Floats:
    """``[M]`` a hundred times the logarithms of all measures of a neutral face ``[>=478, 3]``, so that
    differences are growth in percent."""
    return np.array([100.0 * np.log(measure.of(points)) for measure in MEASURES.values()])
