"""Semantic networks with few channels, in the paper's form and in the project's, and what drives them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from studio.domain.motion import HeadMotion
from studio.engines.semantic.keypoints import head_keypoints, semantic_code
from studio.engines.semantic.network import SemanticNetwork
from studio.engines.semantic.settings import SemanticSettings
from studio.head import builtin_head

PAPER = SemanticSettings(
    side=64,
    volume_side=16,
    first_channels=4,
    most_channels=8,
    volume_channels=4,
    volume_depth=4,
    volume_blocks=1,
    compressed=2,
    motion_side=16,
    hourglass_first=4,
    hourglass_most=16,
    hourglass_levels=2,
    mask_kernel=3,
    label_channels=8,
    decoder_channels=16,
    decoder_blocks=1,
    decoder_last=4,
    spade_hidden=4,
)
PROJECT = replace(
    PAPER,
    person_mask=True,
    keypoint_code=True,
    turning=True,
    mask_reach=0.5,
    face_flow=True,
    motion_side=8,
    light=True,
    norm="group",
    spectral=False,
    paint_over=True,
)
FORMS = {"paper": PAPER, "project": PROJECT, "surface": replace(PROJECT, face_surface=True)}


def network(shape: SemanticSettings, seed: int = 0) -> SemanticNetwork:
    """With random weights, the same each time."""
    torch.manual_seed(seed)
    return SemanticNetwork(shape).eval()


@dataclass(frozen=True)
class Drive:
    """B source pictures and how they are driven."""

    source: Tensor
    source_keypoints: Tensor
    driving_keypoints: Tensor
    code: Tensor

    @property
    def all(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As a network's forward takes them."""
        return self.source, self.source_keypoints, self.driving_keypoints, self.code


def a_motion(frames: int, side: int, seed: int = 0) -> HeadMotion:
    """A head that turns, talks and blinks in the middle of a square picture."""
    random = np.random.default_rng(seed)
    motion = HeadMotion.neutral(frames, np.array([3.2 * side, 0.5 * side, 0.52 * side]))
    return replace(
        motion,
        expression=random.normal(size=(frames, 50)).astype(np.float32),
        jaw=np.array([0.1, 0.0, 0.0], np.float32) * random.random((frames, 1)).astype(np.float32),
        eyelids=random.random((frames, 2)).astype(np.float32),
        gaze=random.normal(size=(frames, 2)).astype(np.float32) * 5.0,
        angles=random.normal(size=(frames, 3)).astype(np.float32) * 10.0,
    )


def a_drive(shape: SemanticSettings, batch: int = 2, seed: int = 0) -> Drive:
    """Random pictures, each in its own pose, driven by other poses."""
    random, model = np.random.default_rng(seed), builtin_head()
    channels = 4 if shape.person_mask else 3
    source = random.uniform(-1.0, 1.0, (batch, channels, shape.side, shape.side))
    if shape.person_mask:
        source[:, 3] = 1.0
    coefficients, offset = random.normal(size=model.identities), np.zeros((len(model.template), 3))
    motion = a_motion(2 * batch, shape.side, seed)
    points = head_keypoints(model, coefficients, offset, motion, shape.side, shape.face_flow)
    code = semantic_code(motion, model)
    return Drive(
        torch.from_numpy(source).float(),
        torch.from_numpy(points[:batch]),
        torch.from_numpy(points[batch:]),
        torch.from_numpy(code[batch:]),
    )
