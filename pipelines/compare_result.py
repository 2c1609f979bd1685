"""A finished comparison on disk: read it, say who is better, write it as a table.

::

    comparison.json   who, which frames, which measures; means, and what is off and why
    curves.npz        a value per frame, ``<side>.<measure>`` [T] float32, NaN where there is none
    frames/000480.png real, A, B and nearest training frame side by side [S, 4 S, 3]

Nothing here loads what measures: a window may read it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.project.documents import DocumentKind, read_document

COMPARISON = DocumentKind("comparison")
FILE, CURVES, FRAMES = "comparison.json", "curves.npz", "frames"
Side = Literal["real", "a", "b", "nearest"]
SIDES: tuple[Side, ...] = ("real", "a", "b", "nearest")
"""The pictures of a frame file from left to right."""
Curve = npt.NDArray[np.float32]
ARROWS = {"higher": "↑", "lower": "↓", "near zero": "→ 0", "near one": "→ 1"}


@dataclass(frozen=True)
class Measure:
    """One measure, as data."""

    id: str
    """Stable key."""
    title: str
    """What a person reads."""
    unit: str
    """Unit of the value; empty for a pure number."""
    better: str
    """higher, lower, near zero or near one."""
    digits: int
    """Decimals shown."""
    source: str
    """Paper or implementation that defines it."""

    @property
    def name(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float | None) -> str:
        """A value as shown; a dash for none."""
        return "–" if value is None else f"{value:.{self.digits}f}"

    def loss(self, value: float) -> float:
        """How bad a value is: smaller is better, whatever the direction of the measure."""
        match self.better:
            case "higher":
                return -value
            case "near zero":
                return abs(value)
            case "near one":
                return abs(value - 1.0)
        return value


@dataclass(frozen=True)
class Comparison:
    """Two avatars on the same frames."""

    folder: Path
    """Where it is."""
    names: tuple[str, str]
    """Of A and B, for a person."""
    clip: str
    """Name of the clip."""
    size: int
    """Side of each picture in pixels."""
    rate: float
    """Frames a second of the clip."""
    held_out: tuple[int, int]
    """First and last held-out frame."""
    frames: npt.NDArray[np.int64]
    """``[T]`` numbers of the frames compared."""
    pictures: npt.NDArray[np.int64]
    """``[K]`` those of them whose pictures are kept."""
    measures: tuple[Measure, ...]
    """In the order tables show them."""
    means: Mapping[Side, Mapping[str, float]]
    """For a, b and nearest: measure to its mean over frames."""
    curves: Mapping[Side, Mapping[str, Curve]]
    """For a, b and nearest: measure to ``[T]`` values, NaN where a frame has none."""
    off: Mapping[str, str]
    """Measure to why it is missing."""
    speed: tuple[float, float]
    """Frames a second that A and B drew."""
    left_out: int
    """Held-out frames that were not good enough to judge by."""
    columns: tuple[int, int, int, int] = (0, 1, 2, 3)
    """Place of real, A, B and nearest in the frame files."""

    def picture(self, frame: int) -> Path:
        """File of a frame in :attr:`pictures`."""
        return self.folder / FRAMES / f"{frame:06d}.png"

    def measure(self, name: str) -> Measure:
        """The measure with this id. Raises KeyError."""
        for measure in self.measures:
            if measure.id == name:
                return measure
        raise KeyError(name)

    def better(self, measure: Measure) -> Literal["a", "b", ""]:
        """Who is better, as far as the shown digits say; nobody where one has no value."""
        a, b = (self.means[side].get(measure.id) for side in ("a", "b"))
        if a is None or b is None or measure.text(a) == measure.text(b):
            return ""
        loss = measure.loss(a), measure.loss(b)
        return "" if loss[0] == loss[1] else "a" if loss[0] < loss[1] else "b"

    def wins(self) -> tuple[int, int, int]:
        """On how many measures A is better, B is better, and there are values of both."""
        both = [m for m in self.measures if m.id in self.means["a"] and m.id in self.means["b"]]
        better = [self.better(measure) for measure in both]
        return better.count("a"), better.count("b"), len(both)


def load_comparison(folder: Path, names: tuple[str, str] | None = None, swapped: bool = False) -> Comparison:
    """Read a result.

    Args:
        folder: of the result.
        names: of A and B as they were asked for; None for their engines.
        swapped: whether A of those who asked is B of the result.

    Raises:
        Problem: it is missing or damaged.
    """
    content = read_document(folder / FILE, COMPARISON)
    place: dict[Side, Side] = {"a": "b", "b": "a"} if swapped else {}
    try:
        measures = tuple(Measure(**entry) for entry in content["measures"])
        engines = content["sides"]
        means = {side: dict(content["means"][place.get(side, side)]) for side in SIDES[1:]}
        with np.load(folder / CURVES, allow_pickle=False) as arrays:
            curves: dict[Side, dict[str, Curve]] = {side: {} for side in SIDES[1:]}
            for side in SIDES[1:]:
                start = f"{place.get(side, side)}."
                for name in arrays.files:
                    if name.startswith(start):
                        curves[side][name.removeprefix(start)] = arrays[name]
        speed = [float(content["fps"][place.get(side, side)]) for side in ("a", "b")]
        sides = [SIDES.index(place.get(side, side)) for side in SIDES]
        first, last = content["held_out"]
        return Comparison(
            folder=folder,
            names=names or (engines[place.get("a", "a")]["engine"], engines[place.get("b", "b")]["engine"]),
            clip=str(content["clip"]),
            size=int(content["size"]),
            rate=float(content["rate"]),
            held_out=(int(first), int(last)),
            frames=np.array(content["frames"], np.int64),
            pictures=np.array(content["pictures"], np.int64),
            measures=measures,
            means=means,
            curves=curves,
            off=dict(content["off"]),
            speed=(speed[0], speed[1]),
            left_out=int(content["counts"].get("not_good", 0)),
            columns=(sides[0], sides[1], sides[2], sides[3]),
        )
    except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise Problem(
            f"The comparison in {folder} is damaged ({error}): remove that folder and compare again."
        ) from error


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The figures as JSON values, A and B as they were asked for."""
    return {
        "a": comparison.names[0],
        "b": comparison.names[1],
        "clip": comparison.clip,
        "held_out": list(comparison.held_out),
        "frames": len(comparison.frames),
        "size": comparison.size,
        "fps": {"a": comparison.speed[0], "b": comparison.speed[1]},
        "measures": [asdict(measure) for measure in comparison.measures],
        "means": {side: dict(values) for side, values in comparison.means.items()},
        "better": {measure.id: comparison.better(measure) for measure in comparison.measures},
        "off": dict(comparison.off),
    }


def as_markdown(comparison: Comparison) -> str:
    """The figures as a table, a row for each measure, and what is off and why."""
    a, b = (name.replace("|", "\\|") for name in comparison.names)
    first, last = comparison.held_out
    count, side = len(comparison.frames), comparison.size
    lines = [
        f"{comparison.clip}: {count} frames from {first} to {last} that neither has seen, {side}² each.",
        "",
        f"| measure | better | {a} | {b} | nearest training frame | better of the two |",
        "|---|---|---|---|---|---|",
    ]
    for measure in comparison.measures:
        values = [comparison.means[side].get(measure.id) for side in SIDES[1:]]
        if values[0] is None and values[1] is None:
            continue
        winner = {"a": a, "b": b, "": "–"}[comparison.better(measure)]
        cells = [measure.name, ARROWS[measure.better], *(measure.text(value) for value in values), winner]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"Frames a second: {a} {comparison.speed[0]:.0f}, {b} {comparison.speed[1]:.0f}."]
    reasons = [f"- {_title(comparison, name)}: {reason}" for name, reason in comparison.off.items()]
    return "\n".join([*lines, *(["", "Off:", *reasons] if reasons else [])]) + "\n"


def _title(comparison: Comparison, name: str) -> str:
    titles = {measure.id: measure.title for measure in comparison.measures}
    return titles.get(name, name)
