"""The whole Export3D network: a picture once, an expression to planes, cameras to pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.export3d.expression import BasisScaling, expression_encoder
from studio.engines.export3d.face_plane import FacePlane, FaceSeen, from_front, surface_points
from studio.engines.export3d.generator import PlaneGenerator, Stemmed
from studio.engines.export3d.settings import Export3DSettings
from studio.engines.export3d.super_resolution import SuperResolution, enlarged
from studio.engines.export3d.volume import WIDTH, Matter, Volume, mixed
from studio.head.builtin import builtin_head
from studio.head.expression_numbers import EXPRESSION
from studio.networks.filled_picture import without_person, without_surroundings
from studio.networks.precision import full_precision
from studio.networks.volume.guided import skin_at
from studio.networks.volume.head_surface import surface_of
from studio.networks.volume.lifted import Lifted, canonical, smoothed, surface_normals
from studio.networks.volume.rays import Cameras, pixel_centres
from studio.networks.volume.symmetry import any_turned


@dataclass(frozen=True)
class Person:
    """What is known of B source pictures before any expression: made once and kept."""

    stemmed: Stemmed
    """For the generator."""
    surface: Tensor
    """``[B, 4, G, G]``, see :class:`~studio.engines.export3d.volume.Matter`."""
    lifted: Lifted | None
    """The source as points see it."""
    smooth: Lifted | None
    """Its smoothed colours, for what it has not seen; None where points see nothing of it."""
    source: Cameras | None
    """The cameras that took it."""
    behind: Tensor | None
    """``[B, 3, S, S]`` -1..1, what is behind the person; None where the volume holds all."""
    face: FaceSeen | None = None
    """For the face's own plane, where there is one…"""
    shown: Tensor | None = None
    """…and ``[B, d]`` representations of the expressions that the sources show."""

    def __len__(self) -> int:
        return len(self.stemmed.tokens)


@dataclass(frozen=True)
class Planes:
    """B volumes with an expression: made once for all cameras."""

    matter: Matter
    """What rays pass through."""
    behind: Tensor | None
    """See :class:`Person`."""

    def __len__(self) -> int:
        return len(self.matter.planes)


@dataclass(frozen=True)
class Drawn:
    """B pictures."""

    picture: Tensor
    """``[B, 3, S, S]`` -1..1."""
    raw: Tensor
    """``[B, 3, r, r]`` -1..1: what rays draw."""
    alpha: Tensor
    """``[B, 1, r, r]`` 0..1: how much of each ray ends in the volume."""
    depth: Tensor
    """``[B, 1, r, r]`` metres behind the head's plane."""
    taken: Tensor | None
    """``[B, 1, r, r]`` how much of what is seen is the source's own colour; None where nothing is lifted."""


class Export3DNetwork(nn.Module):
    """Expression encoder, plane generator, volume and super-resolution."""

    mean_surface: Tensor
    """``[1, 1, G, G]`` of the mean head."""

    def __init__(self, shape: Export3DSettings) -> None:
        """ValueError for settings that do not fit together."""
        super().__init__()
        if shape.background and not shape.lifted:
            raise ValueError(
                "a person before a background is known by what the source shows: lifted is needed"
            )
        if shape.face_plane and not shape.lifted:
            raise ValueError("a face is painted over what the source shows: lifted is needed")
        self.shape = shape
        self.expression = expression_encoder(shape)
        self.generator = PlaneGenerator(shape, shape.source_channels)
        self.lift: nn.Conv2d | None = None
        if shape.lifted and shape.lifted_channels:
            self.lift = nn.Conv2d(shape.source_channels, shape.lifted_channels, 5, padding=2)
        self.face = FacePlane(shape) if shape.face_plane else None
        self.volume = Volume(shape)
        self.sharpen = SuperResolution(shape)
        mean = torch.from_numpy(surface_of(builtin_head()))[None, None]
        self.register_buffer("mean_surface", mean, persistent=False)

    def forward(
        self,
        source: Tensor,
        expression: Tensor,
        cameras: Cameras,
        source_cameras: Cameras | None = None,
        surface: Tensor | None = None,
        chance: torch.Generator | None = None,
        shown: Tensor | None = None,
    ) -> Drawn:
        """What training calls: sources, driving expressions and cameras to pictures; see the parts."""
        return self.draw(self.planes(source, expression, source_cameras, surface, shown), cameras, chance)

    def planes(
        self,
        source: Tensor,
        expression: Tensor,
        cameras: Cameras | None = None,
        surface: Tensor | None = None,
        shown: Tensor | None = None,
    ) -> Planes:
        """Sources with driving expressions ``[B, 57]``: :meth:`encode`, then :meth:`express`."""
        return self.express(self.encode(source, cameras, surface, shown), self.expression(expression))

    def encode(
        self,
        source: Tensor,
        cameras: Cameras | None = None,
        surface: Tensor | None = None,
        shown: Tensor | None = None,
    ) -> Person:
        """Source pictures, once for each.

        Args:
            source: ``[B, 3, S, S]`` -1..1, or ``[B, 4, S, S]`` with a background: the person's outline, -1
                outside and 1 inside.
            cameras: that took them, in their pixels; needed where ``shape.needs_camera``.
            surface: ``[B, 1, G, G]`` the source people's own, see ``surface.surface_of``; None for the mean
                head's.
            shown: ``[B, 57]`` the expressions that the sources show; None for a face at rest. Only a face's
                own plane is told.

        Raises:
            ValueError: channels or cameras are missing.
        """
        shape = self.shape
        if source.shape[1:] != (shape.source_channels, shape.side, shape.side):
            wanted = [shape.source_channels, shape.side, shape.side]
            raise ValueError(f"sources are [B, {wanted}], got {list(source.shape)}")
        if shape.needs_camera and cameras is None:
            raise ValueError("this network must be told the source's camera")
        with torch.no_grad(), full_precision(source):
            skin = self._skin(surface, len(source))
            seen = source
            if cameras is not None:
                seen = canonical(source.float(), cameras, skin[:, :1], shape.canonical_source)
            behind = None
            if shape.background:
                behind = without_person(source[:, :3].float(), 0.5 + 0.5 * source[:, 3:].float())
        lifted = smooth = None
        if shape.lifted and cameras is not None:
            maps = 0.5 + 0.5 * source.float()
            if shape.background:
                own = without_surroundings(maps[:, :3], maps[:, 3:])
                maps = torch.cat([own, maps[:, 3:]], 1)
                smooth = Lifted(smoothed(maps[:, :3]), cameras)
            if self.lift is not None:
                maps = torch.cat([maps, self.lift(source).float()], 1)
            lifted = Lifted(maps, cameras)
        known = cameras if shape.lifted or shape.still_body else None
        face = told = None
        if self.face is not None:
            assert cameras is not None
            face, told = self._seen_face(source, cameras, skin), self._shown(shown, source)
        return Person(self.generator.see(seen), skin, lifted, smooth, known, behind, face, told)

    def painted_face(
        self,
        source: Tensor,
        expression: Tensor,
        cameras: Cameras,
        surface: Tensor | None = None,
        shown: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The face's own plane alone, as a picture seen from the front: nothing else is asked.

        Args:
            source, cameras, surface, shown: see :meth:`encode`.
            expression: ``[B, 57]`` driving expressions.

        Returns:
            ``[B, 3, W, W]`` -1..1; and ``[B, 4, G, G]`` the heads' surfaces, see
            :class:`~studio.engines.export3d.volume.Matter`.

        Raises:
            ValueError: there is no such plane.
        """
        if self.face is None:
            raise ValueError("this network has no plane of the face alone")
        skin = self._skin(surface, len(source))
        face = self._seen_face(source, cameras, skin)
        plane = self.face(face, self.expression(expression), self._shown(shown, source))
        facing = skin_at(skin, surface_points(skin, plane.shape[2]), cameras).facing
        seen = 0.5 + 0.5 * face.picture[:, :3]
        colours = mixed(plane[:, 1:].flatten(2).mT, seen.flatten(2).mT, facing)[0][..., :3]
        return 2.0 * colours.mT.reshape(seen.shape) - 1.0, skin

    def _skin(self, surface: Tensor | None, batch: int) -> Tensor:
        flat = self.mean_surface if surface is None else surface.float()
        flat = flat.expand(batch, -1, -1, -1)
        return torch.cat([flat, surface_normals(flat, WIDTH)], 1)

    def _shown(self, shown: Tensor | None, source: Tensor) -> Tensor:
        rest = source.new_zeros(len(source), EXPRESSION, dtype=torch.float32)
        told: Tensor = self.expression(rest if shown is None else shown)
        return told

    def _seen_face(self, source: Tensor, cameras: Cameras, skin: Tensor) -> FaceSeen:
        assert self.face is not None
        with torch.no_grad(), full_precision(source):
            face = from_front(source.float(), cameras, skin, self.shape.face_plane)
        seen: FaceSeen = self.face.see(face)
        return seen

    def express(self, person: Person, representation: Tensor) -> Planes:
        """People with expressions: one pass of the generator.

        Args:
            person: from :meth:`encode`; one may have B expressions.
            representation: ``[B, d]`` β′, from ``expression(numbers)``, or from
                ``expression.from_scales(coefficients)``.
        """
        planes = self.generator(person.stemmed, representation)
        batch = len(planes)
        lifted, smooth = _spread_lifted(person.lifted, batch), _spread_lifted(person.smooth, batch)
        source = None if person.source is None else _spread_cameras(person.source, batch)
        behind = None if person.behind is None else _spread(person.behind, batch)
        face = None
        if self.face is not None and person.face is not None:
            face = self.face(person.face, representation, person.shown)
        skin = _spread(person.surface, batch)
        turned = source is not None and any_turned(source)
        return Planes(Matter(planes, skin, lifted, source, face, smooth, turned), behind)

    def scales(self, expression: Tensor) -> Tensor:
        """Coefficients ``[B, n]`` of expressions ``[B, 57]``; ValueError where there are no directions."""
        return self._directions().scales(expression)

    def from_scales(self, scales: Tensor) -> Tensor:
        """Representations ``[B, d]`` of coefficients ``[B, n]``; ValueError where there are no directions."""
        return self._directions().from_scales(scales)

    def draw(self, planes: Planes, cameras: Cameras, chance: torch.Generator | None = None) -> Drawn:
        """Pictures of planes; nothing of the generator is called.

        Args:
            planes: from :meth:`planes` or :meth:`express`; one may have B cameras.
            cameras: B, in pixels of a picture ``shape.side`` pixels wide.
            chance: where samples along rays lie; None for evenly.
        """
        shape, batch = self.shape, len(cameras.rotation)
        matter, behind = _spread_matter(planes.matter, batch), planes.behind
        side, raw_side = shape.side, shape.raw_side
        with full_precision(matter.planes):
            matter = replace(matter, planes=matter.planes.float())
            device = matter.planes.device
            pixels = pixel_centres(0.0, 0.0, side, side, raw_side, raw_side, device)
            seen = self.volume.look(
                matter, cameras.rays(pixels), self._search(matter, cameras, chance), chance
            )

            def picture(values: Tensor) -> Tensor:
                return values.mT.reshape(batch, -1, raw_side, raw_side)

            features, alpha = picture(seen.features), picture(seen.alpha[..., None])
            depth = picture(seen.depth[..., None])
            times = side // raw_side
            whole, cover = enlarged(features[:, :3], times), enlarged(alpha, times)
            raw, taken = features[:, :3], None
            if behind is not None:
                back = 0.5 + 0.5 * _spread(behind, batch)
                raw = raw + (1.0 - alpha) * functional.avg_pool2d(back, times)
                whole = whole + (1.0 - cover) * back
            if seen.taken is not None and seen.taken_depth is not None and matter.lifted is not None:
                taken = picture(seen.taken[..., None])
                deep = enlarged(picture(seen.taken_depth[..., None]), times)
                whole = whole + self._detail(matter, cameras, deep, enlarged(taken, times), cover)
        features = torch.cat([features[:, :3] * 2.0 - alpha, features[:, 3:]], 1)
        correction = self.sharpen(features, alpha, whole * 2.0 - 1.0).float()
        if behind is not None:
            correction = correction * cover  # what is behind stays what it was
        return Drawn(whole * 2.0 - 1.0 + correction, raw * 2.0 - 1.0, alpha, depth, taken)

    def _search(
        self, matter: Matter, cameras: Cameras, chance: torch.Generator | None
    ) -> tuple[Tensor, Tensor] | None:
        """Where rays look first, found for four of them at once, where a surface to begin with says it."""
        if not self.shape.surface_prior:
            return None
        side, half = self.shape.side, self.shape.raw_side // 2
        pixels = pixel_centres(0.0, 0.0, side, side, half, half, matter.planes.device)
        found = self.volume.search(matter, cameras.rays(pixels), chance)

        def spread(values: Tensor) -> Tensor:
            grid = values.view(len(values), half, half, -1)
            return grid.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1, 2)

        return spread(found[0]), spread(found[1])

    def _detail(
        self, matter: Matter, cameras: Cameras, depth: Tensor, taken: Tensor, cover: Tensor
    ) -> Tensor:
        """What is finer than a raw picture's pixels, ``[B, 3, S, S]``: what the source shows as far as it is
        taken, and in the face what is painted there.

        Args:
            matter: what is seen.
            cameras: that see it.
            depth: ``[B, 1, S, S]`` at which they do. Not taught by it: fine detail says little about where a
                surface is.
            taken: ``[B, 1, S, S]`` how much of what is seen is the source's colour.
            cover: ``[B, 1, S, S]`` how much is seen.
        """
        assert matter.lifted is not None
        side, times = self.shape.side, self.shape.side // self.shape.raw_side
        pixels = pixel_centres(0.0, 0.0, side, side, side, side, depth.device)
        points = self.volume.points(matter, cameras.rays(pixels), depth.detach().flatten(1)[..., None])
        colours = replace(matter.lifted, maps=matter.lifted.maps[:, :3])
        shown, skin = self.volume.sight(matter, points, cameras, colours)

        def fine(values: Tensor) -> Tensor:
            values = values.mT.reshape(-1, 3, side, side)
            return values - enlarged(functional.avg_pool2d(values, times), times)

        fresh = self.volume.fresh(matter, points).mT.reshape(-1, 1, side, side)
        detail = taken * fresh * fine(shown)
        if matter.face is None:
            return detail
        painted, inside = self.volume.painted(matter, points, shown, skin)
        inside = inside.view(-1, 1, side, side)
        return torch.lerp(detail, cover * fine(painted), inside)

    def _directions(self) -> BasisScaling:
        if not isinstance(self.expression, BasisScaling):
            raise ValueError("this network reads expressions directly and has no directions")
        return self.expression


def _spread(values: Tensor, batch: int) -> Tensor:
    """One for many."""
    if len(values) in (1, batch):
        return values.expand(batch, *values.shape[1:])
    raise ValueError(f"{len(values)} people or planes for {batch}")


def _spread_cameras(cameras: Cameras, batch: int) -> Cameras:
    return Cameras(
        _spread(cameras.rotation, batch),
        _spread(cameras.to_plane, batch),
        _spread(cameras.nearness, batch),
        _spread(cameras.eye, batch),
        None if cameras.orbit is None else _spread(cameras.orbit, batch),
    )


def _spread_lifted(lifted: Lifted | None, batch: int) -> Lifted | None:
    if lifted is None:
        return None
    return Lifted(_spread(lifted.maps, batch), _spread_cameras(lifted.cameras, batch))


def _spread_matter(matter: Matter, batch: int) -> Matter:
    return Matter(
        _spread(matter.planes, batch),
        _spread(matter.surface, batch),
        _spread_lifted(matter.lifted, batch),
        None if matter.source is None else _spread_cameras(matter.source, batch),
        None if matter.face is None else _spread(matter.face, batch),
        _spread_lifted(matter.smooth, batch),
        matter.turned,
    )
