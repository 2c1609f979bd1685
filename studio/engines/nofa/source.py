"""What a NOFA network is told of source pictures, and what it keeps of them before any expression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.filled_picture import without_person, without_surroundings
from studio.networks.volume.head_surface import HIGH, LOW
from studio.networks.volume.lifted import Lifted, canonical, smoothed, surface_normals
from studio.networks.volume.rays import Cameras
from studio.networks.volume.symmetry import any_turned

WIDTH = HIGH[0] - LOW[0]
"""Of the box, metres."""


@dataclass(frozen=True)
class Source:
    """B source pictures. All but the picture belongs to guided networks."""

    picture: Tensor
    """``[B, 3, S, S]`` -1..1, or ``[B, 4, S, S]`` with the person's outline, -1 outside and 1 inside."""
    cameras: Cameras | None = None
    """That took them, in their pixels."""
    surface: Tensor | None = None
    """``[B, 1, G, G]`` z of the people's faces with the canonical expression over the box's front, metres."""
    away: Tensor | None = None
    """``[B, 3, g, g]`` the volume's units, over the same front: from places of the canonical face to those of
    the face in the picture (:meth:`~studio.engines.nofa.motion_maps.MotionMaps.from_canonical`)."""


@dataclass(frozen=True)
class Guide:
    """Where B heads are, and what their sources show of them."""

    surface: Tensor
    """``[B, 4, G, G]`` z of the canonical face over the box's front, metres, and its normal."""
    lifted: Lifted | None = None
    """Colours and outline of the source as its points see them; None for people without a picture."""
    away: Tensor | None = None
    """``[B, 4, g, g]`` metres from places of the canonical face to those of the face in the picture, and how
    large the latter are, in the former: 0 where a whole area comes from a line, as a mouth's inside does from
    lips that touch."""
    smooth: Lifted | None = None
    """Smoothed colours of the source, for what it has not seen."""
    behind: Tensor | None = None
    """``[B, 3, S, S]`` -1..1 what is behind the person; None for black."""
    seen: bool = False
    """Whether points may take the source's colours."""
    turned: bool = False
    """Whether a source shows one side of its face better than the other."""

    @property
    def cameras(self) -> Cameras | None:
        """That took the sources."""
        return None if self.lifted is None else self.lifted.cameras


def with_normals(surface: Tensor) -> Tensor:
    """Surfaces ``[B, 1, G, G]`` with their normals: ``[B, 4, G, G]``."""
    return torch.cat([surface, surface_normals(surface, WIDTH)], 1)


def guide_of(source: Source, unit: float, seen: bool) -> tuple[Guide, Tensor]:
    """What guides a volume, and the sources from the front with the canonical expression, as the encoder and
    compensation see them: ``[B, 3, S, S]``.

    Args:
        source: B, with everything.
        unit: metres in one of the volume's units.
        seen: whether points may take the source's colours.

    Raises:
        ValueError: something is missing.
    """
    picture, cameras, surface, away = source.picture.float(), source.cameras, source.surface, source.away
    if cameras is None or surface is None or away is None or picture.shape[1] != 4:
        raise ValueError(
            "a guided network is told the source's outline, camera, surface and way to its expression"
        )
    with torch.no_grad():
        metres = away.float() * unit
        front = canonical(picture[:, :3], cameras, surface, "frontal", metres)
        outline = 0.5 + 0.5 * picture[:, 3:]
        behind = without_person(picture[:, :3], outline)
        colours = without_surroundings(0.5 + 0.5 * picture[:, :3], outline)
        return Guide(
            with_normals(surface.float()),
            Lifted(torch.cat([colours, outline], 1), cameras),
            torch.cat([metres, sizes(metres)], 1),
            Lifted(smoothed(colours), cameras),
            behind,
            seen,
            any_turned(cameras),
        ), front


def sizes(away: Tensor) -> Tensor:
    """How large the places are to which those of a front ``[B, 3, g, g]`` go, metres over the box: the
    determinant of the way's slope in the picture's plane, ``[B, 1, g, g]``."""
    step = WIDTH / away.shape[-1]
    wide = functional.pad(away[:, :2], (1, 1, 1, 1), mode="replicate")
    right = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / (2.0 * step)
    up = (wide[:, :, :-2, 1:-1] - wide[:, :, 2:, 1:-1]) / (2.0 * step)
    size = (1.0 + right[:, :1]) * (1.0 + up[:, 1:]) - right[:, 1:] * up[:, :1]
    return size.clamp(0.0, 2.0)
