"""What a volume knows of a person's geometry: enough to make maps and cameras without the clip."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.engines.tri2plane.body import BodyMotion, body_maps
from studio.head import HeadModel, builtin_head
from studio.head.zero_pose import FrontalGrid, ZeroPose

SCHEMA = 2
"""Version of the file."""
_PLAIN = (
    *("neutral", "canonical", "colours", "proxy", "low", "high", "rest_camera", "rest_angles", "chin"),
    "head_model",
)


@dataclass(frozen=True, eq=False)
class VolumePerson:
    """One person. Everything is in head space, metres, unless said otherwise; V vertices."""

    neutral: Floats
    """``[V, 3]`` the neutral face."""
    canonical: Floats
    """``[V, 3]`` the face that expressions are led back to: neutral, its mouth open."""
    colours: Floats
    """``[V, 3]`` mean colours, 0..1."""
    grid: FrontalGrid
    """What the zero-pose maps cover."""
    proxy: Floats
    """``[P, P]`` z of the canonical head's surface over the box, row 0 at its top."""
    low: Floats
    """``[3]`` least corner of the box that the volume fills."""
    high: Floats
    """``[3]`` greatest corner of the box."""
    rest_camera: Floats
    """``[3]`` scale, cx, cy: where the head usually is, source pixels."""
    rest_angles: Floats
    """``[3]`` how it is usually held, degrees: the body is thought to be turned like that."""
    chin: float
    """y of the neutral chin: below it the neck begins."""
    head_model: str
    """Which head model the vertices are of."""
    body: BodyMotion
    """How the body moves."""
    change: Floats | None = None
    """``[V, 3]`` added to the neutral face: another shape that was baked into the volume. It is not in this
    file but in what the avatar stands on; see :class:`~studio.warping.parts.WarpParts`."""

    @property
    def model(self) -> HeadModel:
        """What moves the face."""
        return builtin_head()

    def zero_pose(self) -> ZeroPose:
        """What draws this person's maps. A face of another shape is led back to the same canonical one."""
        face = self.neutral if self.change is None else self.neutral + self.change
        return ZeroPose(
            self.model, face, self.colours, self.grid.size, canonical=self.canonical, grid=self.grid
        )

    def body_maps(self, motion: HeadMotion) -> Floats:
        """``[T, 2, 3]``, :func:`~studio.engines.tri2plane.body.body_maps` of this person."""
        return body_maps(motion, self.rest_camera, self.rest_angles, self.body)


def save_person(path: Path, person: VolumePerson) -> None:
    """Write a person as one ``.npz`` file."""
    grid = person.grid
    np.savez(
        path,
        schema_version=SCHEMA,
        grid_low=grid.low,
        grid_high=grid.high,
        grid_size=grid.size,
        body_coefficients=person.body.coefficients,
        body_low=person.body.low,
        body_high=person.body.high,
        **{name: getattr(person, name) for name in _PLAIN},
    )


def load_person(path: Path) -> VolumePerson:
    """Read what :func:`save_person` wrote.

    Raises:
        Problem: the file is missing or damaged, or belongs to a head model that is not here.
    """
    try:
        # Opened here, because numpy leaves a file that is no archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            numbers = {name: archive[name] for name in archive.files}
        current = int(numbers["schema_version"]) == SCHEMA
        grid = FrontalGrid(numbers["grid_low"], numbers["grid_high"], int(numbers["grid_size"]))
        plain = {name: numbers[name] for name in _PLAIN}
        plain["chin"], plain["head_model"] = float(plain["chin"]), str(plain["head_model"])
        # Earlier versions knew nothing of it, and are refused for being earlier.
        known = current or "body_low" in numbers
        parts = [numbers[f"body_{name}"] for name in ("coefficients", "low", "high")] if known else []
        body = BodyMotion(*parts) if known else BodyMotion.none()
        person = VolumePerson(grid=grid, body=body, **plain)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Problem(
            f"“{path.name}” in {path.parent} is damaged ({error}); build the avatar again."
        ) from error
    if not current or person.head_model != builtin_head().id:
        raise Problem(
            f"“{path.name}” in {path.parent} was made by another version of the program; "
            "build the avatar again."
        )
    return person
