"""A small Tri²-plane avatar of the average person, made without training."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studio.domain.camera import View
from studio.domain.controls import ControlState, motion_from_values, track_from_motion
from studio.domain.free_camera import CAMERA_NAMES, FreeCamera
from studio.domain.motion import HeadMotion
from studio.domain.rendering import RenderRequest
from studio.engines.tri2plane.artefact import Tri2Parts
from studio.engines.tri2plane.body import BodyMotion
from studio.engines.tri2plane.generator import DRIVE
from studio.engines.tri2plane.network import Tri2Network
from studio.engines.tri2plane.person import VolumePerson
from studio.engines.tri2plane.shape import Tri2Shape
from studio.head.zero_pose import FrontalGrid, canonical_face, proxy_depth
from studio.warping.settings import WarpSettings
from studio.warping.warp_files import load_parts, save_parts
from tests.warping.average_person import CAMERA, STAGE, average_person, motion_of, parts_from, pattern

YAW = [-12.0, 0.0, 12.0]
GREY = 120
TINY = Tri2Shape(
    levels=2,
    plane=16,
    features=8,
    channel_base=256,
    channel_max=16,
    convolutions=1,
    plane_convolutions=1,
    style=16,
    encoded=16,
    encoder_base=4,
    code=4,
    hidden=16,
    view_octaves=2,
    coarse_samples=12,
    fine_samples=8,
    capacity=4,
    depth=2,
)
REST = np.array([0.0, 0.0, 0.0], np.float32)
SOME_BODY = BodyMotion(
    np.random.default_rng(4).normal(0.0, 0.01, (7, 2, 3)).astype(np.float32),
    np.full(7, -1.5, np.float32),
    np.full(7, 1.5, np.float32),
)


def small_person(size: int = 32) -> VolumePerson:
    """The average person's geometry; the body is held a little turned."""
    mesh = average_person()
    canonical = canonical_face(mesh.model, mesh.neutral_face)
    low = np.array([-0.17, -0.20, -0.2], np.float32)
    high = np.array([0.17, 0.17, 0.12], np.float32)
    box = FrontalGrid(low[:2], high[:2], 64)
    surface = np.concatenate([canonical, mesh.shell_at_rest])
    proxy = proxy_depth(surface, mesh.triangles, box)
    x, y = np.moveaxis(box.centres(), -1, 0)
    proxy[np.hypot(x / 0.1, y / 0.14) > 1.0] = -1.0  # nothing beside the head
    return VolumePerson(
        neutral=mesh.neutral_face,
        canonical=canonical,
        colours=np.random.default_rng(2).uniform(0.2, 0.8, canonical.shape).astype(np.float32),
        grid=FrontalGrid.around(canonical, size),
        proxy=proxy,
        low=low,
        high=high,
        rest_camera=CAMERA,
        rest_angles=REST,
        chin=float(mesh.neutral_face[:, 1].min()),
        head_model=mesh.model.id,
        body=SOME_BODY,
    )


def random_network(shape: Tri2Shape = TINY, **changes: Any) -> Tri2Network:
    """A network that answers to every input; the proxy's surface is what it shows."""
    torch.manual_seed(7)
    network: Any = Tri2Network(replace(shape, **changes), small_person())
    with torch.no_grad():
        for to_plane in network.generator.to_planes:
            last = to_plane.further[-1] if len(to_plane.further) else to_plane.first
            last.weight.normal_(0.0, 0.05)
        for standing in network.generator.standing:
            standing.normal_(0.0, 0.4)
        network.density[2].bias.fill_(-3.0)
        network.colour[2].weight.mul_(3.0)
        network.upsampler.last.weight.normal_(0.0, 0.05)
    done: Tri2Network = network.eval()
    return done


def random_parts(base: Path, network: Tri2Network | None = None, margin: float = 0.25) -> Tri2Parts:
    """An avatar; drives spread by one."""
    network = network or random_network()
    return Tri2Parts(
        base=load_parts(base),
        person=small_person(),
        network=network,
        mean=0.1 * torch.ones(DRIVE),
        deviation=torch.linspace(0.8, 1.2, DRIVE),
        code=torch.linspace(-0.5, 0.5, network.shape.code),
        margin=margin,
        pose_range=((-8.0, -15.0), (8.0, 15.0)),
        notes=("A note.",),
        figures={"psnr": 30.5},
    )


def write_base(folder: Path, still: bool = True) -> Path:
    """The instant avatar's files: pivots away from black and white, a grey plate."""
    textures = np.stack([pattern(i) for i in range(len(YAW))])
    textures[..., :3] = 70 + textures[..., :3] // 3
    folder.mkdir()
    plate = np.full_like(textures[0], GREY)
    plate[..., 3] = 255
    parts = parts_from(average_person(), motion_of(YAW), textures, WarpSettings(), plate)
    if not still:
        parts = replace(parts, plate=replace(parts.plate, deviation=50.0))
    save_parts(folder, parts)
    return folder


def lively(yaw: float = 6.0) -> HeadMotion:
    """One frame, exactly as an engine reads it back from its controls."""
    motion = motion_of([yaw], 0.12)
    motion.angles[0, 1:] = 4.0, 9.0
    motion.expression[0, :4] = 0.8, -0.5, 0.3, 0.6
    motion.eyelids[0] = 0.3, 0.1
    motion.gaze[0] = 6.0, -3.0
    motion.camera[0, 1:] += 7.0, -4.0
    return motion_from_values(track_from_motion(motion, CAMERA, Fraction(30)).values, CAMERA)


def request_of(
    motion: HeadMotion, view: View = STAGE, free: FreeCamera | None = None, **rest: Any
) -> RenderRequest:
    """A request for a motion's first frame, seen by a free camera."""
    track = track_from_motion(motion, CAMERA, Fraction(30))
    free = free or FreeCamera()
    values = np.append(track.values[0], [getattr(free, name) for name in CAMERA_NAMES])
    state = ControlState((*track.names, *CAMERA_NAMES), values.astype(np.float32))
    return RenderRequest(state, view, **rest)
