"""Which of the faces in a clip is the person, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.tracking.identity import (
    SAME_PERSON,
    Signature,
    look_difference,
    point_differences,
    signature,
    unlikeness,
)
from studio.tracking.sighting import Sighting, Sightings
from studio.tracking.tracker import Face, overlap

_REACH = 0.5
"""How far a head moves in a thirtieth of a second at most, in face sizes (some 3 m/s)."""
_ZOOM = 1.5
"""How much its size changes at most."""
_LOOK = 3.5
"""How much its colours change from one frame to the next at most (99.9 % of real frames: 2.7)."""
_CUT = 0.12
"""Share of the picture's brightness that is new after a cut."""
_MEMORY = 0.4
"""Seconds for which a face that was lost may continue in the same place."""
_REAL = 3
"""Frames for which a face must last to be one; a network sees faces in clouds for a frame or two."""
NOBODY = (
    "No face was found in this clip: use one that shows a face, lit, from the front, at least a tenth of the "
    "picture high."
)
_COVERED = 0.4
"""Share of skin points that still look the same when something covers the face, unlike with a stranger."""


@dataclass
class Stretch:
    """A face followed without a doubt."""

    frames: list[int] = field(default_factory=list)
    """Frame numbers, ascending."""
    faces: list[Sighting] = field(default_factory=list)
    """One for each frame."""
    typical: Signature | None = None
    """Filled once it is complete."""


@dataclass
class Person:
    """Stretches that belong to one person."""

    stretches: list[Stretch] = field(default_factory=list)
    """In no order."""

    @property
    def sightings(self) -> Iterator[tuple[int, Sighting]]:
        """Every frame number with the face."""
        for stretch in self.stretches:
            yield from zip(stretch.frames, stretch.faces, strict=True)

    def meets(self, stretch: Stretch) -> bool:
        """Whether the person is seen elsewhere in two or more of a stretch's frames."""
        mine = {frame for part in self.stretches for frame in part.frames}
        return len(mine.intersection(stretch.frames)) > 1


@dataclass(frozen=True)
class Followed:
    """The chosen person through the clip."""

    faces: tuple[Sighting | None, ...]
    """T faces; None where the person is not seen."""
    jumped: npt.NDArray[np.bool_]
    """``[T]`` the first frames after a cut or a jump, and frames that show only somebody else."""
    broken: npt.NDArray[np.bool_]
    """``[T]`` frames that do not continue the one before them; smoothing must not look across."""
    covered: npt.NDArray[np.bool_]
    """``[T]`` frames in which another face overlaps this one, or part of it suddenly looks different."""
    people: int
    """How many people the clip shows."""
    cast: tuple[Person, ...] = ()
    """Those who can be chosen, by their number."""
    chosen: int = 0
    """Which of them this is."""

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """``[T]`` frames that show the person."""
        return np.array([face is not None for face in self.faces])


def follow(
    seen: Sightings, width: int, height: int, rate: float, template: Floats, person: str = "auto"
) -> Followed:
    """Choose one person and follow them.

    Faces are linked from frame to frame while place, size and colours change no more than a head's can;
    the stretches are then joined into people by colours and skull proportions.

    Args:
        seen: every face of the clip.
        width, height: picture size in pixels.
        rate: frames per second.
        template: ``[478, 3]`` a mean face in head axes, any scale.
        person: ``auto`` for the largest, most central and most often seen; or 0, 1, 2… in order of
            appearance, from left to right among those who appear together.

    Raises:
        Problem: nobody is seen at all, or there is no such person.
    """
    stretches = _link(seen, rate)
    lasting = max((len(stretch.frames) for stretch in stretches), default=0)
    if lasting < min(_REAL, len(seen)):
        raise Problem(NOBODY)
    people = _join(stretches, template, apart=len(seen) == 1)
    main = max(people, key=lambda p: _weight(p, width, height))
    cast = _in_order([p for p in people if _worth_counting(p, main)], rate)
    chosen = main if person == "auto" else _by_number(cast, person)
    number = next(i for i, p in enumerate(cast) if p is chosen)
    return replace(_gather(chosen, people, len(seen), seen), cast=tuple(cast), chosen=number)


def _link(seen: Sightings, rate: float) -> list[Stretch]:
    reach = float(np.clip(_REACH * 30.0 / rate, 0.25, 1.5))
    memory = max(1, round(_MEMORY * rate))
    done: list[Stretch] = []
    open_now: list[Stretch] = []
    for frame, faces in enumerate(seen.frames):
        if seen.scene_change[frame] > _CUT:
            done, open_now = done + open_now, []
        still = [s for s in open_now if frame - s.frames[-1] <= memory]
        done += [s for s in open_now if frame - s.frames[-1] > memory]
        open_now = still
        cost = np.full((len(open_now), len(faces)), np.inf)
        for row, stretch in enumerate(open_now):
            for column, face in enumerate(faces):
                cost[row, column] = _step(stretch, face, frame, reach)
        matched = _assign(cost)
        for column, face in enumerate(faces):
            if column in matched:
                stretch = open_now[matched[column]]
            else:
                stretch = Stretch()
                open_now.append(stretch)
            stretch.frames.append(frame)
            stretch.faces.append(face)
    return done + open_now


def _step(stretch: Stretch, face: Sighting, frame: int, reach: float) -> float:
    """Cost of a face continuing a stretch; infinite where a head could not have."""
    last, gap = stretch.faces[-1], frame - stretch.frames[-1]
    size = (last.size + face.size) / 2
    moved = float(np.linalg.norm(face.centre - last.centre)) / max(size, 1e-3)
    zoomed = abs(np.log(max(face.size, 1e-3) / max(last.size, 1e-3)))
    changed = look_difference(face.colours, last.colours)
    if moved > min(reach * gap, 1.5) or zoomed > np.log(_ZOOM) or changed > _LOOK:
        return float("inf")
    return moved / reach + zoomed + changed / _LOOK


def _assign(cost: npt.NDArray[np.float64]) -> dict[int, int]:
    """Column to row of the cheapest pairing, without impossible pairs."""
    if not cost.size:
        return {}
    from scipy.optimize import linear_sum_assignment  # a second to load, and settings of tracking lie beside

    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {column: row for row, column in pairs if np.isfinite(cost[row, column])}


def _join(stretches: list[Stretch], template: Floats, apart: bool) -> list[Person]:
    """Stretches of one person together; ``apart``: of one picture, where even twins are two people."""
    for stretch in stretches:
        stretch.typical = signature(stretch.faces, template)
    people: list[Person] = []
    for stretch in sorted(stretches, key=lambda s: -len(s.frames)):
        likeness = [(_unlike(person, stretch), i) for i, person in enumerate(people)]
        likeness = [pair for pair in likeness if not people[pair[1]].meets(stretch)]
        best = min(likeness, default=(float("inf"), -1))
        if best[0] < SAME_PERSON and not apart:
            people[best[1]].stretches.append(stretch)
        else:
            people.append(Person([stretch]))
    return people


def _unlike(person: Person, stretch: Stretch) -> float:
    """How unlike a stretch is to the person's most similar long stretch."""
    longest = max(len(s.frames) for s in person.stretches)
    assert stretch.typical is not None
    return min(
        unlikeness(known.typical, stretch.typical)
        for known in person.stretches
        if known.typical is not None and len(known.frames) >= min(longest, 10)
    )


def _weight(person: Person, width: int, height: int) -> float:
    """Size x time x centrality, summed over the frames that show the person."""
    middle, reach = np.array([width / 2, height / 2]), np.hypot(width, height) / 2
    total = 0.0
    for _, face in person.sightings:
        away = float(np.linalg.norm(face.centre - middle)) / reach
        total += face.size / reach * (1.2 - min(1.0, away))
    return total


def _worth_counting(person: Person, main: Person) -> bool:
    count, most = sum(1 for _ in person.sightings), sum(1 for _ in main.sightings)
    return person is main or count >= max(min(5, most), 0.05 * most)


def _in_order(people: list[Person], rate: float) -> list[Person]:
    """By appearance, then from left to right."""

    def first(candidate: Person) -> tuple[int, float]:
        frame, face = min(candidate.sightings, key=lambda pair: pair[0])
        # Within half a second counts as together.
        return int(frame // max(1.0, rate / 2)), float(face.centre[0])

    return sorted(people, key=first)


def _by_number(ordered: list[Person], person: str) -> Person:
    try:
        number = int(person)
    except ValueError:
        number = -1
    if not 0 <= number < len(ordered):
        known = "one person: use auto or 0"
        if len(ordered) > 1:
            last = len(ordered) - 1
            known = f"{len(ordered)} people: use auto, or a number from 0 to {last} from left to right"
        raise Problem(f"There is no person {person!r} in this clip, which shows {known}.")
    return ordered[number]


def _gather(chosen: Person, people: list[Person], count: int, seen: Sightings) -> Followed:
    faces: list[Sighting | None] = [None] * count
    broken, jumped = np.zeros(count, bool), np.zeros(count, bool)
    covered = np.zeros(count, bool)
    owner = np.full(count, -1)
    main = max(chosen.stretches, key=lambda s: len(s.frames))
    for number, stretch in enumerate(sorted(chosen.stretches, key=lambda s: -len(s.frames))):
        for frame, face in zip(stretch.frames, stretch.faces, strict=True):
            if faces[frame] is None:
                faces[frame], owner[frame] = face, number
    # A stretch of "somebody else" in the person's own place, of which much looks like the person: covered.
    others = [s for p in people if p is not chosen for s in p.stretches]
    for stretch in others:
        if _is_covered(stretch, main, faces):
            for frame, face in zip(stretch.frames, stretch.faces, strict=True):
                if faces[frame] is None:
                    faces[frame], covered[frame], owner[frame] = face, True, -2
    elsewhere = np.zeros(count, bool)
    for stretch in others:
        if len(stretch.frames) >= _REAL:
            elsewhere[[f for f in stretch.frames if faces[f] is None]] = True
    for frame in range(1, count):
        if faces[frame] is None or faces[frame - 1] is None:
            continue
        if owner[frame] != owner[frame - 1]:
            broken[frame] = True
            if not (covered[frame] or covered[frame - 1]):
                # The mesh needs a frame to settle after a jump.
                jumped[frame : frame + 2] = True
    for frame, mine in enumerate(faces):
        if mine is not None:
            box = Face(mine.landmarks).box
            covered[frame] |= any(
                overlap(box, Face(other.landmarks).box) > 0.15
                for other in seen.frames[frame]
                if other is not mine
            )
    shown = sum(1 for p in people if _worth_counting(p, chosen))
    return Followed(tuple(faces), jumped | elsewhere, broken, covered, shown)


def _is_covered(stretch: Stretch, main: Stretch, faces: list[Sighting | None]) -> bool:
    assert stretch.typical is not None
    assert main.typical is not None
    alike = point_differences(stretch.typical.look, main.typical.look) < 3.0
    if alike.mean() < _COVERED:
        return False
    first, last = stretch.frames[0], stretch.frames[-1]
    for here, there in ((stretch.faces[0], first - 1), (stretch.faces[-1], last + 1)):
        neighbour = faces[there] if 0 <= there < len(faces) else None
        if neighbour is not None and overlap(Face(here.landmarks).box, Face(neighbour.landmarks).box) > 0.5:
            return True
    return False
