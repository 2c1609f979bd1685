"""A prior's planes drawn where a head is known to be, with what the source shows of it (``guided``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.nofa.deformation import FaceWarp
from studio.engines.nofa.settings import NofaSettings
from studio.engines.nofa.source import Guide
from studio.networks.eg3d import PLANES, Decoder
from studio.networks.volume.camera_numbers import UNIT
from studio.networks.volume.compositing import composite, important, lengths_of, stratified
from studio.networks.volume.eg3d_rendering import BEGINS, plane_features
from studio.networks.volume.guided import Skin, head_points, of_body, skin_at, skin_logit, wanted
from studio.networks.volume.lifted import on_surface
from studio.networks.volume.rays import Rays
from studio.networks.volume.symmetry import from_other_side, mirrored, shown_well

TAKEN = 2.5
"""Logit of the share of a point's colour that is the source's, to begin with: 0.92."""
HIDDEN = 5.0
"""How much less of it is taken of what faces away from the source's camera, and of what it shows less
than half as large."""
UNSEEN = (0.01, 0.04)
"""Metres behind the face's surface over which the source's colours become smoothed ones: it has not seen what
lies there, and its own would be streaks."""


@dataclass(frozen=True)
class Seen:
    """What N rays of each of B cameras see."""

    features: Tensor
    """``[B, N, R]`` 0..1, red, green and blue first, multiplied by how much is seen."""
    alpha: Tensor
    """``[B, N]`` 0..1, how much of the ray ends inside."""
    depth: Tensor
    """``[B, N]`` metres behind the head's plane, what passes through counted as seen at the last sample."""
    taken: Tensor | None
    """``[B, N]`` how much of what is seen is the source's colour; None where none may be taken."""
    taken_depth: Tensor | None
    """``[B, N]`` mean depth of that, metres."""


@dataclass(frozen=True)
class Canonical:
    """Where M points of each of B targets are in the canonical volume."""

    units: Tensor
    """``[B, M, 3]`` the volume's units."""
    metres: Tensor
    """``[B, M, 3]`` head space, metres."""
    skin: Skin
    """What the canonical face's surface says of them."""
    shown: Tensor | None
    """``[B, M, 5]`` 0..1 the source's colours and outline there, and 0..2 how large it shows the place; None
    without a source."""


def seen_well(place: Canonical) -> Tensor:
    """How well the source shows points, ``[B, M]`` 0..1: inside its outline, on the surface, and turned to
    its camera."""
    assert place.shown is not None
    near = 1.0 - ((place.skin.behind - UNSEEN[0]) / (UNSEEN[1] - UNSEEN[0])).clamp(0.0, 1.0)
    return place.shown[..., 3] * near * shown_well(place.skin.facing)


def _sight(guide: Guide, metres: Tensor, skin: Skin) -> Tensor:
    """What the source shows of places of the canonical face, as :attr:`Canonical.shown`."""
    assert guide.lifted is not None
    way = None if guide.away is None else on_surface(guide.away, metres)
    there = metres if way is None else metres + way[..., :3]
    shown = guide.lifted.at(there)
    if guide.smooth is not None:
        deep = ((skin.behind - UNSEEN[0]) / (UNSEEN[1] - UNSEEN[0])).clamp(0.0, 1.0)
        colours = torch.lerp(shown[..., :3], guide.smooth.at(there), deep[..., None])
        shown = torch.cat([colours, shown[..., 3:]], -1)
    size = torch.ones_like(shown[..., :1]) if way is None else way[..., 3:]
    return torch.cat([shown, size], -1)


class GuidedVolume(nn.Module):
    """Rays through planes."""

    centre: Tensor
    """``[3]`` metres of head space: the middle of the planes."""

    def __init__(self, shape: NofaSettings, centre: Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("centre", centre, persistent=False)
        self.share: nn.Sequential | None = None
        if shape.seen_source:
            last = nn.Linear(shape.share_hidden, 1)
            nn.init.normal_(last.weight, std=1e-3)
            nn.init.zeros_(last.bias)
            told = shape.plane_features + 5 + 2
            self.share = nn.Sequential(nn.Linear(told, shape.share_hidden), nn.Softplus(), last)

    def search(
        self, guide: Guide, rays: Rays, warp: FaceWarp | None, chance: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Where along rays the head's surface is: edges ``[B, N, C + 1]`` of evenly long stretches of depth,
        and how likely samples are wanted in each ``[B, N, C]``. Nothing that is learnt takes part."""
        with torch.no_grad():
            enter, leave = self._span(rays)
            depth, edges = stratified(enter, leave, self.shape.coarse_samples, chance)
            place = self.canonical(guide, rays, depth, warp, roughly=True, one_side=True)
            lengths = (edges[..., 1:] - edges[..., :-1]) * rays.length[..., None]
            return edges, wanted(self._density(self._begins(place), depth), lengths)

    def look(
        self,
        decoder: Decoder,
        planes: Tensor,
        guide: Guide,
        rays: Rays,
        found: tuple[Tensor, Tensor],
        warp: FaceWarp | None = None,
        chance: torch.Generator | None = None,
    ) -> Seen:
        """What rays see.

        Args:
            decoder: the prior's.
            planes: ``[B, 3, F, P, P]``.
            guide: of as many.
            rays: N of each of B cameras.
            found: what :meth:`search` found, of these rays or of others close by.
            warp: to the canonical volume; None for that itself.
            chance: where samples lie; None for evenly, which gives the same picture each time.
        """
        enter, leave = self._span(rays)
        depth = important(*found, self.shape.fine_samples, chance)
        place = self.canonical(guide, rays, depth, warp)
        features = plane_features(planes, place.units * 2.0, PLANES[self.shape.planes])
        logit, colours = decoder(features)
        density = self._density(logit + self._begins(place), depth)
        lengths = lengths_of(depth, enter, leave) * rays.length[..., None]
        if self.share is None or not guide.seen:
            drawn = composite(density, lengths, colours.view(*depth.shape, -1), depth)
            return Seen(drawn.values, drawn.alpha, drawn.depth, None, None)
        assert place.shown is not None
        away = (0.3 - place.skin.facing).clamp_min(0.0) + (0.5 - place.shown[..., 4]).clamp_min(0.0)
        told = torch.cat([features, place.shown, place.skin.told], -1)
        share = (self.share(told)[..., 0] + TAKEN - HIDDEN * away).sigmoid()
        mixed = torch.lerp(colours[..., :3], place.shown[..., :3], share[..., None])
        values = torch.cat([mixed, colours[..., 3:]], -1)
        drawn = composite(density, lengths, values.view(*depth.shape, -1), depth)
        weight = drawn.weights * share.view(depth.shape)
        taken, deep = weight.sum(-1), (weight * depth).sum(-1)
        # Where hardly anything is taken its depth is that of what is seen.
        few = 1e-3
        return Seen(drawn.values, drawn.alpha, drawn.depth, taken, (deep + few * drawn.depth) / (taken + few))

    def canonical(
        self,
        guide: Guide,
        rays: Rays,
        depth: Tensor,
        warp: FaceWarp | None,
        roughly: bool = False,
        one_side: bool = False,
    ) -> Canonical:
        """Points at depths ``[B, N, S]`` of rays, led back to the canonical volume.

        Args:
            guide: of as many people as there are cameras.
            rays: N of each of B cameras.
            depth: metres behind the head's plane.
            warp: to the canonical volume; None for that itself.
            roughly: as the head model says alone.
            one_side: what a turned source shows is not completed from its other side; where only outlines
                matter.
        """
        points = head_points(rays, depth, guide.cameras)
        units = (points - self.centre) / UNIT
        if warp is not None:
            units = warp.roughly(units) if roughly else warp(units)
        metres = units * UNIT + self.centre
        place = Canonical(units, metres, skin_at(guide.surface, metres, guide.cameras), None)
        if guide.lifted is None:
            return place
        place = replace(place, shown=_sight(guide, metres, place.skin))
        return self._with_other_side(guide, rays, place) if guide.turned and not one_side else place

    def _with_other_side(self, guide: Guide, rays: Rays, place: Canonical) -> Canonical:
        """Places that the source shows from their other side alone look as the mirror places do."""
        assert place.shown is not None
        there = mirrored(place.metres)
        skin = skin_at(guide.surface, there, guide.cameras)
        other = Canonical(place.units, there, skin, _sight(guide, there, skin))
        assert other.shown is not None
        gained = skin_at(guide.surface, place.metres, rays.cameras).facing - place.skin.facing
        share = from_other_side(seen_well(place), seen_well(other), gained) * (1.0 - of_body(place.metres))
        # Whether anybody is there says the place itself.
        wanted = share[..., None] * share.new_tensor([1.0, 1.0, 1.0, 0.0, 1.0])
        facing = torch.lerp(place.skin.facing, skin.facing, share)
        shown = torch.lerp(place.shown, other.shown, wanted)
        return replace(place, skin=replace(place.skin, facing=facing), shown=shown)

    def _begins(self, place: Canonical) -> Tensor:
        person = None if place.shown is None else place.shown[..., 3]
        return skin_logit(place.skin, place.metres, person)

    def _span(self, rays: Rays) -> tuple[Tensor, Tensor]:
        whole = torch.ones_like(rays.plane[..., 0])
        return -self.shape.near * whole, self.shape.far * whole

    def _density(self, logit: Tensor, depth: Tensor) -> Tensor:
        return self.shape.density * functional.softplus(logit + BEGINS).view(depth.shape)
