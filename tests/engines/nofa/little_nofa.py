"""NOFA networks with few channels, and what drives them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from studio.engines.nofa.network import NofaNetwork
from studio.engines.nofa.settings import IDENTITY, NofaSettings
from studio.engines.nofa.source import Source
from studio.head import builtin_head
from studio.head.expression_numbers import EXPRESSION
from studio.networks.volume.head_surface import surface_of
from studio.networks.volume.rays import Cameras

PAPER = NofaSettings(
    side=64,
    z_dim=8,
    w_dim=8,
    channel_base=128,
    channel_max=8,
    plane_side=32,
    plane_features=4,
    decoder_hidden=8,
    rendered=4,
    raw_side=16,
    coarse_samples=8,
    fine_samples=4,
    sharp=(8, 8),
    encoder_widths=(2, 4, 4, 8),
    encoder_squeeze=2,
    offset_width=12,
    offset_layers=4,
    moves=5,
    weight_width=8,
    weight_layers=3,
    compensation_from=8,
    compensation_width=16,
    compensation_hidden=4,
)
PROJECT = replace(
    PAPER,
    encoder="plain",
    encoder_widths=(8, 8, 16, 16),
    planes="all_pairs",
    canonical_jaw=0.2,
    lowered=0.03,
    motion_prior=True,
)
GUIDED = replace(PROJECT, guided=True, seen_source=True, density=250.0, near=0.15, far=0.1)
FORMS = {"paper": PAPER, "project": PROJECT, "guided": GUIDED}
METRE = 160.0
"""Pixels per metre in pictures of 64."""


def shaken(shape: NofaSettings, seed: int = 0) -> NofaNetwork:
    """With random weights, also where networks begin silent."""
    torch.manual_seed(seed)
    made = NofaNetwork(shape).eval()
    with torch.no_grad():
        for part in (made.encoder, made.field, made.compensation, made.guided):
            if part is None:
                continue
            for weight in part.parameters():
                if not weight.any():
                    weight.normal_(std=0.2)
        made.prior.backbone.mapping.w_avg.normal_(std=0.5)
    return made


@cache
def network(shape: NofaSettings) -> NofaNetwork:
    """The same each time; not to be changed."""
    return shaken(shape)


@dataclass(frozen=True)
class Drive:
    """B sources and what drives them."""

    source: Source
    identity: Tensor
    expression: Tensor
    cameras: Cameras


def drive(count: int = 2, shape: NofaSettings = PROJECT) -> Drive:
    """Soft pictures, frames that turn."""
    chance = torch.Generator().manual_seed(3)
    soft = torch.rand(count, 3, 8, 8, generator=chance) * 2.0 - 1.0
    source = torch.nn.functional.interpolate(soft, (64, 64), mode="bilinear")
    angle = torch.linspace(-0.3, 0.4, count)
    turn = torch.eye(3).repeat(count, 1, 1)
    turn[:, 0, 0], turn[:, 0, 2] = angle.cos(), angle.sin()
    turn[:, 2, 0], turn[:, 2, 2] = -angle.sin(), angle.cos()
    to_plane = torch.tensor([[1.0, 0.0, -32.0], [0.0, -1.0, 30.0]]) / METRE
    cameras = Cameras(turn, to_plane.repeat(count, 1, 1), torch.zeros(count), torch.zeros(count, 2))
    identity = torch.randn(count, IDENTITY, generator=chance)
    circle = (torch.linspace(-1.0, 1.0, 64).square()[:, None] + torch.linspace(-1.0, 1.0, 64).square()) < 0.8
    outline = circle.float().expand(count, 1, -1, -1) * 2.0 - 1.0
    away = 0.02 * torch.randn(1, 3, 4, 4, generator=chance).expand(count, -1, -1, -1)
    skin = torch.from_numpy(surface_of(builtin_head()))[None, None].expand(count, -1, -1, -1)
    whole = Source(torch.cat([source, outline], 1), cameras.take([0] * count), skin, away)
    told = whole if shape.guided else Source(source)
    return Drive(told, identity, torch.randn(count, EXPRESSION, generator=chance), cameras)
