"""The whole NOFA network: a picture to a canonical volume once, expressions as warps, cameras to pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.nofa.compensation import Compensation
from studio.engines.nofa.deformation import DeformationField, FaceWarp
from studio.engines.nofa.encoder import CanonicalEncoder
from studio.engines.nofa.guided_volume import GuidedVolume, seen_well
from studio.engines.nofa.motion_maps import canonical_motion
from studio.engines.nofa.settings import NofaSettings
from studio.engines.nofa.source import Guide, Source, guide_of, with_normals
from studio.head.builtin import builtin_head
from studio.head.expression_numbers import expression_numbers
from studio.networks import eg3d
from studio.networks.eg3d import Eg3dConfig, Eg3dGenerator
from studio.networks.precision import full_precision
from studio.networks.volume.camera_numbers import UNIT
from studio.networks.volume.eg3d_rendering import Beams, beams_of_cameras
from studio.networks.volume.head_surface import HIGH, surface_of_face
from studio.networks.volume.lifted import Lifted
from studio.networks.volume.rays import Cameras, pixel_centres

HAIR = 0.05
"""Metres around the face to which people without a picture go before anything is learnt."""
SAMPLING = ("raw_side", "near", "far", "coarse_samples", "fine_samples", "antialias")
"""What of a prior may differ from a network's: how it is looked at, not what it is."""


def prior_config(shape: NofaSettings) -> Eg3dConfig:
    """The shape of a network's prior."""
    return Eg3dConfig(
        side=shape.side,
        z_dim=shape.z_dim,
        w_dim=shape.w_dim,
        mapping_layers=shape.mapping_layers,
        channel_base=shape.channel_base,
        channel_max=shape.channel_max,
        plane_side=shape.plane_side,
        plane_features=shape.plane_features,
        planes=shape.planes,
        hidden=shape.decoder_hidden,
        rendered=shape.rendered,
        raw_side=shape.raw_side,
        coarse_samples=shape.coarse_samples,
        fine_samples=shape.fine_samples,
        sharp=shape.sharp,
    )


@dataclass(frozen=True)
class Person:
    """What is known of B source pictures before any expression: made once and kept."""

    ws: Tensor
    """``[B, rows, w_dim]`` their place in W+."""
    planes: Tensor
    """``[B, 3, F, P, P]`` the canonical volume as the prior draws it, T_can."""
    added: Tensor | None
    """``[B, 3, F, P, P]`` what compensation adds, T_comp; None for nothing."""

    guide: Guide | None = None
    """Where the head is; None for networks that are not guided."""

    @property
    def volume(self) -> Tensor:
        """``[B, 3, F, P, P]`` both together."""
        return self.planes if self.added is None else self.planes + self.added

    def __len__(self) -> int:
        return len(self.ws)


@dataclass(frozen=True)
class Drawn(eg3d.Drawn):
    """B pictures whose depth is in metres behind the head's plane."""

    taken: Tensor | None = None
    """``[B, 1, r, r]`` how much of what is seen is the source's own colour; None where none may be taken."""


class NofaNetwork(nn.Module):
    """Encoder, prior, deformation field and compensation."""

    canonical: Tensor
    """``[57]`` the expression of the canonical volume."""
    mean_surface: Tensor
    """``[1, 4, G, G]`` of the mean face with that expression; guided networks only."""
    centre: Tensor
    """``[3]`` metres of head space: the middle of the planes."""

    def __init__(self, shape: NofaSettings) -> None:
        """ValueError for settings that do not fit together."""
        super().__init__()
        if shape.seen_source and not shape.guided:
            raise ValueError("the source's own colours need a guided volume")
        if shape.guided and abs(HIGH[1] - 0.5 * UNIT + shape.lowered) > 1e-6:
            raise ValueError(f"a guided volume's middle is {0.5 * UNIT - HIGH[1]:.3f} m below the head's")
        self.shape = shape
        self.prior = Eg3dGenerator(prior_config(shape))
        plan = self.prior.config.backbone
        self.encoder = CanonicalEncoder(shape, plan.num_ws)
        self.field = DeformationField(shape)
        self.compensation: Compensation | None = None
        if shape.compensation:
            if shape.compensation_from not in plan.resolutions:
                raise ValueError(f"the prior has no features of {shape.compensation_from} pixels")
            self.compensation = Compensation(shape, plan.channels(shape.compensation_from))
        head = builtin_head()
        canonical = expression_numbers(canonical_motion(shape), head)[0]
        self.register_buffer("canonical", torch.from_numpy(canonical), persistent=False)
        centre = torch.tensor([0.0, -shape.lowered, 0.0])
        self.register_buffer("centre", centre, persistent=False)
        self.guided = GuidedVolume(shape, centre) if shape.guided else None
        if shape.guided:
            for name, weight in self.prior.superresolution.named_parameters():
                if name.endswith("torgb.weight"):  # it begins by adding nothing to what rays draw
                    nn.init.zeros_(weight)
            face = head.deform(head.template, canonical_motion(shape))[0]
            mean = with_normals(torch.from_numpy(surface_of_face(head, face, HAIR))[None, None])
            self.register_buffer("mean_surface", mean, persistent=False)

    def forward(
        self,
        source: Source,
        identity: Tensor,
        expression: Tensor,
        cameras: Cameras,
        moved: Tensor | None = None,
        compensated: bool = True,
        chance: torch.Generator | None = None,
    ) -> Drawn:
        """What training calls: sources, who they are, target expressions and cameras to pictures."""
        person = self.encode(source, compensated)
        return self.draw(person, cameras, self.warp(identity, expression, moved), chance)

    def encode(self, source: Source, compensated: bool = True) -> Person:
        """Source pictures, once for each.

        Args:
            source: B.
            compensated: False leaves the compensation network out, as in the first stages of training.

        Raises:
            ValueError: pictures have another size, or something that guides is missing.
        """
        wanted = self.compensation is not None and compensated
        guide, seen = None, source.picture
        if self.shape.guided:
            with full_precision(seen):
                guide, seen = guide_of(source, UNIT, self.shape.seen_source and wanted)
        ws = self.prior.backbone.mapping.w_avg + self.encoder(seen)
        planes, features = self.prior.planes_and(ws, self.shape.compensation_from if wanted else None)
        added = None
        if wanted:
            assert self.compensation is not None
            assert features is not None
            added = self.compensation(features, seen)
        return Person(ws, planes, added, guide)

    def invent(self, ws: Tensor) -> Person:
        """People of the prior alone ``[B, rows, w_dim]``, who have no picture; nothing is behind them."""
        guide = None
        if self.shape.guided:
            guide = Guide(self.mean_surface.expand(len(ws), -1, -1, -1))
        return Person(ws, self.prior.planes(ws), None, guide)

    def warp(self, identity: Tensor, expression: Tensor, moved: Tensor | None = None) -> FaceWarp:
        """Expressions of people, see :meth:`DeformationField.warp`; ``expression`` ``[B, 57]`` is the
        target's own. The canonical one moves nothing."""
        return self.field.warp(identity, expression - self.canonical, moved)

    def draw(
        self,
        person: Person,
        cameras: Cameras,
        warp: FaceWarp | None = None,
        chance: torch.Generator | None = None,
    ) -> Drawn:
        """Pictures of people; neither encoder nor backbone is called.

        Args:
            person: from :meth:`encode`; one may have B cameras.
            cameras: B, in pixels of a picture ``shape.side`` pixels wide.
            warp: from :meth:`warp`, of as many; None for the canonical volume itself.
            chance: where samples along rays lie; None for evenly.

        Returns:
            Pictures, whose depth is in metres behind the head's plane.
        """
        batch = len(cameras.rotation)
        if person.guide is not None:
            return self._draw_guided(person, person.guide, cameras, warp, chance)
        beams = self.beams(cameras)
        drawn = self.prior.draw(_spread(person.volume, batch), _spread(person.ws, batch), beams, warp, chance)
        metres = (-self.shape.near / beams.near).view(drawn.depth.shape)
        return Drawn(drawn.picture, drawn.raw, drawn.alpha, drawn.depth * metres)

    def _draw_guided(
        self,
        person: Person,
        guide: Guide,
        cameras: Cameras,
        warp: FaceWarp | None,
        chance: torch.Generator | None,
    ) -> Drawn:
        batch, shape, volume = len(cameras.rotation), self.shape, self.guided
        assert volume is not None
        guide, planes = _spread_guide(guide, batch), _spread(person.volume, batch)
        raw_side, times = shape.raw_side, shape.side // shape.raw_side

        def picture(values: Tensor) -> Tensor:
            return values.mT.reshape(batch, -1, raw_side, raw_side)

        with full_precision(planes):
            planes = planes.float()
            # Where surfaces are is asked for four rays at once.
            coarse = volume.search(guide, cameras.rays(self._pixels(raw_side // 2)), warp, chance)
            found = _finer(coarse[0], raw_side), _finer(coarse[1], raw_side)
            rays = cameras.rays(self._pixels(raw_side))
            seen = volume.look(self.prior.decoder, planes, guide, rays, found, warp, chance)
            features, alpha = picture(seen.features), picture(seen.alpha[..., None])
            raw, taken = features[:, :3], None
            whole, cover = enlarged(raw, times), enlarged(alpha, times)
            if guide.behind is not None:
                back = 0.5 + 0.5 * guide.behind
                raw = raw + (1.0 - alpha) * functional.avg_pool2d(back, times)
                whole = whole + (1.0 - cover) * back
            if seen.taken is not None and seen.taken_depth is not None:
                taken = picture(seen.taken[..., None])
                deep = enlarged(picture(seen.taken_depth[..., None]), times)
                whole = whole + enlarged(taken, times) * self._detail(guide, cameras, deep, warp)
            depth = picture(seen.depth[..., None])
        told = _spread(person.ws, batch)[:, -1]
        sharper = self.prior.superresolution(features * 2.0 - 1.0, told, added=True).float() * cover
        if taken is not None:  # of what the source shows it knows nothing
            sharper = sharper * (1.0 - enlarged(taken, times))
        return Drawn(whole * 2.0 - 1.0 + sharper, raw * 2.0 - 1.0, alpha, depth, taken)

    def _detail(self, guide: Guide, cameras: Cameras, depth: Tensor, warp: FaceWarp | None) -> Tensor:
        """What the source shows finer than a raw picture's pixels, at depths ``[B, 1, S, S]``, which are not
        taught by it: fine detail says little about where a surface is."""
        times = self.shape.side // self.shape.raw_side
        shown = self.shown(guide, cameras, depth.detach(), warp)
        return shown - enlarged(functional.avg_pool2d(shown, times), times)

    def shown(self, guide: Guide, cameras: Cameras, depth: Tensor, warp: FaceWarp | None) -> Tensor:
        """The source's colours ``[B, 3, D, D]`` 0..1 of what is seen at depths ``[B, 1, D, D]`` by cameras in
        pixels of a picture D wide. Where expressions lead is taken from the head model alone."""
        return self.carried(guide, cameras, depth, warp)[0]

    def carried(
        self, guide: Guide, cameras: Cameras, depth: Tensor, warp: FaceWarp | None
    ) -> tuple[Tensor, Tensor]:
        """The same, and how well the source shows what is seen there: ``[B, 1, D, D]`` 0..1."""
        assert self.guided is not None
        batch, side = len(cameras.rotation), depth.shape[-1]
        pixels = pixel_centres(0.0, 0.0, side, side, side, side, depth.device)
        deep = depth.flatten(1)[..., None]
        place = self.guided.canonical(
            _spread_guide(guide, batch), cameras.rays(pixels), deep, warp, roughly=True
        )
        assert place.shown is not None
        colours = place.shown[..., :3].mT.reshape(batch, 3, side, side)
        return colours, seen_well(place).view(batch, 1, side, side)

    def _pixels(self, count: int) -> Tensor:
        """Centres of ``count`` by ``count`` squares of the picture."""
        side = self.shape.side
        return pixel_centres(0.0, 0.0, side, side, count, count, self.centre.device)

    def beams(self, cameras: Cameras) -> Beams:
        """Rays of B cameras, as many as the raw picture has pixels."""
        shape = self.shape
        pixels = self._pixels(shape.raw_side)
        return beams_of_cameras(cameras, pixels, self.centre, UNIT, shape.near, shape.far)

    def take_prior(self, prior: Eg3dGenerator) -> None:
        """Begin with a trained generator's weights.

        Raises:
            ValueError: it has another shape; the message says where.
        """
        ours, theirs = asdict(self.prior.config), asdict(prior.config)
        apart = [name for name in ours if name not in SAMPLING and ours[name] != theirs[name]]
        if apart:
            said = "; ".join(f"{name} {theirs[name]} instead of {ours[name]}" for name in apart)
            raise ValueError(f"this prior has another shape: {said}")
        self.prior.load_state_dict(prior.state_dict())


def _spread(values: Tensor, batch: int) -> Tensor:
    """One for many."""
    if len(values) in (1, batch):
        return values.expand(batch, *values.shape[1:])
    raise ValueError(f"{len(values)} people for {batch} cameras")


def enlarged(x: Tensor, times: int = 2) -> Tensor:
    """Bilinear."""
    return functional.interpolate(x, scale_factor=float(times), mode="bilinear", align_corners=False)


def _finer(values: Tensor, side: int) -> Tensor:
    """What was found for squares of two by two rays ``[B, side²/4, C]``, for each, without steps between
    them: ``[B, side², C]``."""
    grid = torch.unflatten(values.mT, 2, (side // 2, side // 2))
    return enlarged(grid).flatten(2).mT


def _spread_cameras(cameras: Cameras, batch: int) -> Cameras:
    return cameras.take([0] * batch) if len(cameras.rotation) == 1 else cameras


def _spread_lifted(lifted: Lifted | None, batch: int) -> Lifted | None:
    if lifted is None:
        return None
    return Lifted(_spread(lifted.maps, batch), _spread_cameras(lifted.cameras, batch))


def _spread_guide(guide: Guide, batch: int) -> Guide:
    return Guide(
        _spread(guide.surface, batch),
        _spread_lifted(guide.lifted, batch),
        None if guide.away is None else _spread(guide.away, batch),
        _spread_lifted(guide.smooth, batch),
        None if guide.behind is None else _spread(guide.behind, batch),
        guide.seen,
        guide.turned,
    )
