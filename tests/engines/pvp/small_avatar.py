"""A small PVP avatar of the average person, made without training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from studio.domain.camera import View
from studio.domain.controls import motion_from_values
from studio.domain.motion import HeadMotion
from studio.domain.rendering import RenderRequest
from studio.engines.pvp.artefact import PriorKind, PvpParts
from studio.engines.pvp.mappers import EYE_INPUTS, FACE_INPUTS, ExpressionMapper, Mappers, PoseMapper
from studio.engines.pvp.painter import COLOUR_REACH, FLOW_REACH, Painter, PainterShape
from studio.engines.pvp.prior import PretrainedGenerator
from studio.head.neutral_crop import aligned_crop
from studio.networks.stylegan2 import StyleGan2Config, SynthesisNetwork
from studio.warping.settings import WarpSettings
from studio.warping.warp_files import load_parts, save_parts
from tests.warping.average_person import CAMERA, ask, average_person, motion_of, parts_from, pattern

SIDE = 64
YAW = [-12.0, 0.0, 12.0]
RANGE = ((-8.0, -15.0), (8.0, 15.0))


def write_base(folder: Path) -> Path:
    """The instant avatar's files; its colours stay away from black and white."""
    textures = np.stack([pattern(i) for i in range(len(YAW))])
    textures[..., :3] = 70 + textures[..., :3] // 3
    folder.mkdir()
    plate = np.full_like(textures[0], 120)
    plate[..., 3] = 255
    save_parts(folder, parts_from(average_person(), motion_of(YAW), textures, WarpSettings(), plate))
    return folder


def random_mappers(rows: int, w_dim: int, eyes: bool) -> Mappers:
    """Mappers that answer to every input."""
    torch.manual_seed(3)
    mappers = Mappers(
        PoseMapper(len(YAW), 8),
        ExpressionMapper(w_dim, 4, FACE_INPUTS + (EYE_INPUTS if eyes else 0), 8),
        2.0 * torch.randn(len(YAW), rows, w_dim),
    )
    with torch.no_grad():
        mappers.pose.first.weight.mul_(3.0)
        mappers.pose.last.weight.mul_(6.0)
    return mappers.eval()


def random_painter() -> Painter:
    """A painter that corrects everywhere, and differently for every style."""
    torch.manual_seed(4)
    painter = Painter(PainterShape(SIDE, w_dim=8, channel_base=512, channel_max=12))
    with torch.no_grad():
        for block in painter.synthesis.blocks():
            block.torgb.weight.normal_(0.0, 0.2)
    return painter.eval()


def constant_painter(colour: float = 0.0, flow: float = 0.0, side: int = SIDE) -> Painter:
    """A painter that adds one colour everywhere and points everywhere to the right."""
    torch.manual_seed(4)
    painter = Painter(PainterShape(side, w_dim=8, channel_base=512, channel_max=12))
    with torch.no_grad():
        bias = painter.synthesis.blocks()[-1].torgb.bias
        bias[:3] = math.atanh(colour / COLOUR_REACH)
        bias[3] = math.atanh(flow / FLOW_REACH)
    return painter.eval()


def random_pretrained(resolution: int = 32, shown: int = 32) -> PretrainedGenerator:
    """A synthesis network that draws by itself."""
    torch.manual_seed(5)
    shape = StyleGan2Config(resolution, w_dim=8, z_dim=8, channel_base=256, channel_max=8)
    network = PretrainedGenerator(SynthesisNetwork(shape), shown)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("noise_strength"):
                value.fill_(0.2)
    return network.eval()


def parts_of(
    base: Path, generator: Painter | PretrainedGenerator, strength: float = 1.0, eyes: bool = True
) -> PvpParts:
    """An avatar of this generator."""
    kind: PriorKind = "scratch" if isinstance(generator, Painter) else "pretrained"
    return PvpParts(
        base=load_parts(base),
        kind=kind,
        generator=generator,
        mappers=random_mappers(generator.num_ws, generator.w_dim, eyes),
        pose_range=RANGE,
        strength=strength,
        notes=("A note.",),
        figures={"prior": {"taught_steps": 3}},
    )


def moment(yaw: float = 6.0, zoom: float = 1.0) -> HeadMotion:
    """One lively frame, exactly as an engine reads it back from its controls."""
    motion = motion_of([yaw], 0.12)
    motion.angles[0, 1:] = 4.0, 9.0
    motion.expression[0, :4] = 0.8, -0.5, 0.3, 0.6
    motion.eyelids[0] = 0.3, 0.1
    motion.gaze[0] = 6.0, -3.0
    motion.camera[0] *= np.array([zoom, 1.0, 1.0], np.float32)
    return motion_from_values(ask(motion).state.values[None], CAMERA)


def crop_request(motion: HeadMotion, side: int = SIDE) -> RenderRequest:
    """A request whose view is the crop itself."""
    crop = aligned_crop(average_person().neutral_face, motion)
    return ask(motion, View(crop.scaled(side), side, side))
