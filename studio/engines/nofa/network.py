"""The whole NOFA network: a picture to a canonical volume once, expressions as warps, cameras to pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from studio.engines.nofa.compensation import Compensation
from studio.engines.nofa.deformation import DeformationField
from studio.engines.nofa.encoder import CanonicalEncoder
from studio.engines.nofa.settings import EXPRESSION, JAW, NofaSettings
from studio.head.builtin import builtin_head
from studio.networks.eg3d import Drawn, Eg3dConfig, Eg3dGenerator, Warp
from studio.networks.volume.camera_numbers import UNIT
from studio.networks.volume.eg3d_rendering import Beams, beams_of_cameras
from studio.networks.volume.rays import Cameras, pixel_centres

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

    @property
    def volume(self) -> Tensor:
        """``[B, 3, F, P, P]`` both together."""
        return self.planes if self.added is None else self.planes + self.added

    def __len__(self) -> int:
        return len(self.ws)


class NofaNetwork(nn.Module):
    """Encoder, prior, deformation field and compensation."""

    canonical: Tensor
    """``[57]`` the expression of the canonical volume."""
    centre: Tensor
    """``[3]`` metres of head space: the middle of the planes."""

    def __init__(self, shape: NofaSettings) -> None:
        """ValueError for settings that do not fit together."""
        super().__init__()
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
        canonical = torch.zeros(EXPRESSION)
        if shape.canonical_jaw:
            canonical[JAW] = shape.canonical_jaw / float(builtin_head().motion_deviation[0])
        self.register_buffer("canonical", canonical, persistent=False)
        centre = torch.tensor([0.0, -shape.lowered, 0.0])
        self.register_buffer("centre", centre, persistent=False)

    def forward(
        self,
        source: Tensor,
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

    def encode(self, source: Tensor, compensated: bool = True) -> Person:
        """Source pictures, once for each.

        Args:
            source: ``[B, 3, S, S]`` -1..1.
            compensated: False leaves the compensation network out, as in the first stages of training.
        """
        ws = self.prior.backbone.mapping.w_avg + self.encoder(source)
        wanted = self.compensation is not None and compensated
        planes, features = self.prior.planes_and(ws, self.shape.compensation_from if wanted else None)
        added = None
        if wanted:
            assert self.compensation is not None
            assert features is not None
            added = self.compensation(features, source)
        return Person(ws, planes, added)

    def warp(self, identity: Tensor, expression: Tensor, moved: Tensor | None = None) -> Warp:
        """Expressions of people, see :meth:`DeformationField.warp`; ``expression`` ``[B, 57]`` is the
        target's own. The canonical one moves nothing."""
        return self.field.warp(identity, expression - self.canonical, moved)

    def draw(
        self,
        person: Person,
        cameras: Cameras,
        warp: Warp | None = None,
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
        beams = self.beams(cameras)
        drawn = self.prior.draw(_spread(person.volume, batch), _spread(person.ws, batch), beams, warp, chance)
        metres = (-self.shape.near / beams.near).view(drawn.depth.shape)
        return replace(drawn, depth=drawn.depth * metres)

    def beams(self, cameras: Cameras) -> Beams:
        """Rays of B cameras, as many as the raw picture has pixels."""
        shape = self.shape
        pixels = pixel_centres(
            0.0, 0.0, shape.side, shape.side, shape.raw_side, shape.raw_side, self.centre.device
        )
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
