"""Export3D networks with few channels, in the paper's form and in the project's, and what drives them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from studio.domain.motion import HeadMotion
from studio.engines.export3d.network import Export3DNetwork
from studio.engines.export3d.settings import Export3DSettings
from studio.head import builtin_head
from studio.networks.volume.rays import Cameras
from studio.one_picture.driving import frames_of

PAPER = Export3DSettings(
    side=64,
    directions=3,
    representation=8,
    expression_hidden=8,
    stem_first=4,
    width=32,
    heads=2,
    blocks=2,
    decoder_channels=8,
    plane_features=4,
    plane_side=32,
    raw_side=16,
    coarse_samples=6,
    fine_samples=4,
    head_hidden=8,
    rendered=4,
    sharp_first=16,
)
PROJECT = replace(
    PAPER,
    stem_halvings=2,
    late_blocks=0,
    skips=True,
    raw_side=32,
    coarse_samples=24,
    fine_samples=8,
    near=0.15,
    far=0.1,
    density=250.0,
    canonical_source="frontal",
    lifted=True,
    lifted_channels=2,
    surface_prior=True,
    background=True,
    still_body=True,
    face_plane=32,
    face_channels=4,
)
FORMS = {"paper": PAPER, "project": PROJECT, "placed": replace(PROJECT, canonical_source="placed")}
METRE = 160.0
"""Pixels per metre in pictures of 64."""


@cache
def _made(shape: Export3DSettings, seed: int) -> Export3DNetwork:
    torch.manual_seed(seed)
    made = Export3DNetwork(shape).eval()
    with torch.no_grad():  # conditions begin without effect
        for name, weight in made.named_parameters():
            if ".told." in name or "crossing.out" in name or name == "face.out.weight":
                weight.normal_(std=0.2)
    return made


def network(shape: Export3DSettings, seed: int = 0) -> Export3DNetwork:
    """With random weights, the same each time, expression felt; not to be changed."""
    return _made(shape, seed)


@dataclass(frozen=True)
class Drive:
    """B sources and what drives them."""

    source: Tensor
    expression: Tensor
    cameras: Cameras
    source_cameras: Cameras


def motion(count: int = 3) -> HeadMotion:
    """Frames that turn and speak."""
    random = np.random.default_rng(5)
    still = HeadMotion.neutral(count, np.array([METRE, 32.0, 30.0]))
    turned = np.linspace(-20.0, 25.0, count)
    return replace(
        still,
        expression=random.normal(0.0, 1.0, still.expression.shape).astype(np.float32),
        jaw=np.stack([np.linspace(0.0, 0.2, count), *np.zeros((2, count))], 1).astype(np.float32),
        angles=np.stack([turned, 0.3 * turned, 0.1 * turned], 1).astype(np.float32),
    )


def drive(shape: Export3DSettings, count: int = 3) -> Drive:
    """Pictures of soft colours with a person in the middle, frames that turn."""
    frames = frames_of(motion(count), builtin_head())
    rest = frames_of(HeadMotion.neutral(count, np.array([METRE, 32.0, 30.0])), builtin_head())
    random = torch.Generator().manual_seed(3)
    soft = torch.rand(count, 3, 8, 8, generator=random) * 2.0 - 1.0
    colours = torch.nn.functional.interpolate(soft, (64, 64), mode="bilinear")
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    person = (((x - 32) / 14) ** 2 + ((y - 28) / 18) ** 2 < 1.0) | ((y > 44) & ((x - 32).abs() < 24))
    outline = (2.0 * person.float() - 1.0).expand(count, 1, -1, -1)
    source = torch.cat([colours, outline], 1)[:, : shape.source_channels]
    return Drive(source, frames.expression, frames.cameras, rest.cameras)
