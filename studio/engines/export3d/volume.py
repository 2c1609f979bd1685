"""What rays see of an Export3D volume: heads for colour and density, samples, compositing (section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.export3d.face_plane import covered, painted_at
from studio.engines.export3d.settings import Export3DSettings
from studio.networks.volume.compositing import composite, important, lengths_of, stratified
from studio.networks.volume.guided import Skin, head_points, of_body, skin_at, skin_logit, wanted
from studio.networks.volume.head_surface import HIGH, LOW, unit
from studio.networks.volume.lifted import Lifted
from studio.networks.volume.planes import sample_planes
from studio.networks.volume.rays import Cameras, Rays
from studio.networks.volume.symmetry import from_other_side, mirrored, shown_well

BEGINS = -1.0
"""Added to a density's logit: an untrained volume is thin (EG3D)."""
TAKEN = 2.5
"""Logit of the share of a point's colour that is the source's, to begin with: 0.92."""
HIDDEN = 5.0
"""How much less of it is taken of what faces away from the source's camera."""


UNSEEN = (0.02, 0.05)
"""Metres behind the head's surface over which the source's colours become smoothed ones: it has not seen what
lies there, and its own would be streaks."""


@dataclass(frozen=True)
class Matter:
    """All that is known of B volumes before a camera looks."""

    planes: Tensor
    """``[B, 3, F, P, P]``"""
    surface: Tensor
    """``[B, 4, G, G]`` z of the head's surface over the box's front, metres, and its normal."""
    lifted: Lifted | None
    """The source picture; None where points do not see it."""
    source: Cameras | None
    """The source's cameras; None where they do not matter."""
    face: Tensor | None = None
    """``[B, 2 + R, W, W]`` what is painted on the face, see
    :class:`~studio.engines.export3d.face_plane.FacePlane`; None where it has no plane of its own."""
    smooth: Lifted | None = None
    """``[B, 3, S, S]`` the source's colours, smoothed, for what it has not seen; None for its own there,
    too."""
    turned: bool = False
    """Whether a source shows one side of its head better than the other."""


@dataclass(frozen=True)
class Seen:
    """What N rays of each of B cameras see."""

    features: Tensor
    """``[B, N, R]`` red, green and blue first, 0..1, multiplied by how much is seen."""
    alpha: Tensor
    """``[B, N]`` 0..1, how much of the ray ends inside."""
    depth: Tensor
    """``[B, N]`` metres behind the head's plane, what passes through counted as seen at the last sample."""
    taken: Tensor | None
    """``[B, N]`` how much of what is seen is the source's colour; None where nothing is lifted."""
    taken_depth: Tensor | None
    """``[B, N]`` mean depth of that, metres."""


class VolumeHeads(nn.Module):
    """Features of a place to colour and density, two linear layers each, with a soft-plus between.

    Where the source is lifted both also see what it shows there, how far behind the head's surface the place
    is and how that surface faces the source.
    """

    def __init__(self, shape: Export3DSettings) -> None:
        super().__init__()
        seen = 3 + shape.background + shape.lifted_channels + 2 if shape.lifted else 0
        self.density = _head(shape.plane_features + seen, shape.head_hidden, 1)
        self.colour = _head(shape.plane_features + seen, shape.head_hidden, shape.rendered + shape.lifted)
        if shape.surface_prior:
            _silent(self.density[-1])
        if shape.lifted:
            _silent(self.colour[-1])

    def forward(self, found: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, M, C]`` to densities' logits ``[B, M]`` and colours' ``[B, M, rendered (+ 1)]``."""
        return self.density(found)[..., 0], self.colour(found)


class Volume(nn.Module):
    """Draws planes."""

    def __init__(self, shape: Export3DSettings) -> None:
        super().__init__()
        self.shape = shape
        self.heads = VolumeHeads(shape)

    def search(
        self, matter: Matter, rays: Rays, chance: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Where along rays there is something to see.

        Returns:
            Edges ``[B, N, C + 1]`` of evenly long stretches of depth, and how likely samples are wanted in
            each ``[B, N, C]``.
        """
        with torch.no_grad():
            enter, leave = self._span(rays)
            depth, edges = stratified(enter, leave, self.shape.coarse_samples, chance)
            points = self.points(matter, rays, depth)
            if self.shape.surface_prior:
                logit = self._prior(matter, points, None)
            else:
                logit = self._shaded(matter, points)[0]
            lengths = (edges[..., 1:] - edges[..., :-1]) * rays.length[..., None]
            return edges, wanted(self._density(logit, depth), lengths)

    def look(
        self,
        matter: Matter,
        rays: Rays,
        found: tuple[Tensor, Tensor] | None = None,
        chance: torch.Generator | None = None,
    ) -> Seen:
        """What rays see.

        Args:
            matter: B volumes.
            rays: N of each of B cameras.
            found: what :meth:`search` found, of these rays or of others close by; None to search here.
            chance: where samples lie; None for evenly, which gives the same picture each time.
        """
        enter, leave = self._span(rays)
        edges, weights = found or self.search(matter, rays, chance)
        depth = important(edges, weights, self.shape.fine_samples, chance)
        if not self.shape.surface_prior:
            evenly, _ = stratified(enter, leave, self.shape.coarse_samples, chance)
            depth = torch.cat([evenly, depth], -1).sort(-1).values
        points = self.points(matter, rays, depth)
        logit, values, share = self._shaded(matter, points, rays.cameras)
        density = self._density(logit, depth)
        lengths = lengths_of(depth, enter, leave) * rays.length[..., None]
        values = values.view(*depth.shape, -1)
        if share is None:
            drawn = composite(density, lengths, values, depth)
            return Seen(drawn.values, drawn.alpha, drawn.depth, None, None)
        drawn = composite(density, lengths, values, depth)
        weight = drawn.weights * share.view(depth.shape)
        taken, deep = weight.sum(-1), (weight * depth).sum(-1)
        # Where hardly anything is taken its depth is that of what is seen.
        few = 1e-3
        return Seen(drawn.values, drawn.alpha, drawn.depth, taken, (deep + few * drawn.depth) / (taken + few))

    def points(self, matter: Matter, rays: Rays, depth: Tensor) -> Tensor:
        """Head-space points ``[B, N·S, 3]`` at depths ``[B, N, S]``; the body's where it keeps still."""
        return head_points(rays, depth, matter.source if self.shape.still_body else None)

    def fresh(self, matter: Matter, points: Tensor) -> Tensor:
        """How much of the source's finest detail holds for points ``[B, M, 3]``: ``[B, M, 1]``."""
        if matter.smooth is None:
            return torch.ones_like(points[..., :1])
        return 1.0 - unseen(skin_at(matter.surface, points))[..., None]

    def sight(
        self, matter: Matter, points: Tensor, viewer: Cameras | None, finest: Lifted | None = None
    ) -> tuple[Tensor, Skin]:
        """What the source shows of points, and what the head's surface says of them.

        What a turned source hides looks as its other side does, where the outline is known; whether anybody
        is there says the place itself.

        Args:
            matter: with a lifted source.
            points: ``[B, M, 3]`` of head space.
            viewer: cameras that look; None where only the source's own side is asked.
            finest: another picture of the source to look at, with all its detail and nothing smoothed;
                ``[B, C, S, S]``, colours first.

        Returns:
            ``[B, M, C]`` and the surface's word, in which places that are seen from their other side face
            the source as that does.
        """
        assert matter.lifted is not None
        skin = skin_at(matter.surface, points, matter.source)
        shown = self._shown(matter, points, skin, finest)
        if viewer is None or not matter.turned or not self.shape.background:
            return shown, skin
        there = mirrored(points)
        across = skin_at(matter.surface, there, matter.source)
        gained = skin_at(matter.surface, points, viewer).facing - skin.facing
        outline = replace(matter.lifted, maps=matter.lifted.maps[:, 3:4])
        own, other = (
            outline.at(at)[..., 0] * (1.0 - unseen(said)) * shown_well(said.facing)
            for at, said in ((points, skin), (there, across))
        )
        share = from_other_side(own, other, gained) * (1.0 - of_body(points))
        wanted = share[..., None].expand_as(shown).clone()
        wanted[..., 3:4] = 0.0
        shown = torch.lerp(shown, self._shown(matter, there, across, finest), wanted)
        return shown, replace(skin, facing=torch.lerp(skin.facing, across.facing, share))

    @staticmethod
    def _shown(matter: Matter, points: Tensor, skin: Skin, finest: Lifted | None) -> Tensor:
        if finest is not None:
            return finest.at(points)
        assert matter.lifted is not None
        shown = matter.lifted.at(points)
        if matter.smooth is None:
            return shown
        colours = torch.lerp(shown[..., :3], matter.smooth.at(points), unseen(skin)[..., None])
        return torch.cat([colours, shown[..., 3:]], -1)

    def painted(self, matter: Matter, points: Tensor, shown: Tensor, skin: Skin) -> tuple[Tensor, Tensor]:
        """Colours ``[B, M, 3]`` that the face's own plane gives points, and how much they are its ``[B, M]``.

        Args:
            matter: with such a plane.
            points: ``[B, M, 3]`` of head space.
            shown: ``[B, M, 3 or more]`` what the source shows there.
            skin: what the surface says of them.
        """
        assert matter.face is not None
        colour = painted_at(matter.face, points)[..., 1:]
        return mixed(colour, shown, skin.facing)[0][..., :3], covered(points, skin.behind)

    def _span(self, rays: Rays) -> tuple[Tensor, Tensor]:
        """Depths ``[B, N]`` between which there may be matter."""
        whole = torch.ones_like(rays.plane[..., 0])
        return -self.shape.near * whole, self.shape.far * whole

    def _density(self, logit: Tensor, depth: Tensor) -> Tensor:
        return self.shape.density * functional.softplus(logit + BEGINS).view(depth.shape)

    def _prior(
        self, matter: Matter, points: Tensor, lifted: Tensor | None, skin: Skin | None = None
    ) -> Tensor:
        """What densities' logits begin with ``[B, M]``."""
        if not self.shape.surface_prior:
            return torch.zeros_like(points[..., 0])
        person = None
        if self.shape.background and matter.lifted is not None:
            if lifted is None:
                outline = replace(matter.lifted, maps=matter.lifted.maps[:, 3:4])
                person = outline.at(points)[..., 0]
            else:
                person = lifted[..., 3]
        return skin_logit(skin or skin_at(matter.surface, points), points, person)

    def _shaded(
        self, matter: Matter, points: Tensor, viewer: Cameras | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Densities' logits ``[B, M]``, colours ``[B, M, rendered]`` and how much of them is the source's."""
        found = sample_planes(matter.planes, unit(points)) / 3.0  # averaged (equation 7)
        if matter.lifted is None:
            logit, colour = self.heads(found)
            return logit + self._prior(matter, points, None), _bright(colour), None
        shown, skin = self.sight(matter, points, viewer)
        prior = self._prior(matter, points, shown, skin)
        logit, colour = self.heads(torch.cat([found, shown, skin.told], -1))
        if matter.face is not None:
            painted, inside = painted_at(matter.face, points), covered(points, skin.behind)
            logit = logit + inside * painted[..., 0]
            colour = torch.lerp(colour, painted[..., 1:], inside[..., None])
        values, share = mixed(colour, shown, skin.facing)
        return logit + prior, values, share


def unseen(skin: Skin) -> Tensor:
    """How little the source has seen of M points: ``[B, M]``, 0 at the head's surface, 1 deep behind it."""
    return ((skin.behind - UNSEEN[0]) / (UNSEEN[1] - UNSEEN[0])).clamp(0.0, 1.0)


def mixed(colour: Tensor, shown: Tensor, facing: Tensor) -> tuple[Tensor, Tensor]:
    """Own and the source's colours of M points: ``[B, M, R]``, and how much is the source's ``[B, M]``.

    Args:
        colour: ``[B, M, R + 1]`` logits of R channels, colours first, and of the source's share.
        shown: ``[B, M, 3 or more]`` the source's colours.
        facing: ``[B, M]`` how the points face its camera.
    """
    away = (0.3 - facing).clamp_min(0.0)
    share = (colour[..., -1] + TAKEN - HIDDEN * away).sigmoid()
    own = _bright(colour[..., :-1])
    both = torch.lerp(own[..., :3], shown[..., :3], share[..., None])
    return torch.cat([both, own[..., 3:]], -1), share


WIDTH = HIGH[0] - LOW[0]
"""Of the box, metres."""


def _bright(colour: Tensor) -> Tensor:
    """Logits to colours a little beyond 0..1, so that black and white can be reached (EG3D); further channels
    as they are."""
    return torch.cat([torch.sigmoid(colour[..., :3]) * 1.002 - 0.001, colour[..., 3:]], -1)


def _head(before: int, hidden: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, hidden), nn.Softplus(), nn.Linear(hidden, after))


def _silent(layer: nn.Module) -> None:
    """A layer that says nothing yet."""
    assert isinstance(layer, nn.Linear)
    nn.init.normal_(layer.weight, std=1e-3)
    nn.init.zeros_(layer.bias)
