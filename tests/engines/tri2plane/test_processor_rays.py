"""What the processor's own renderer sees is what torch sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from studio.domain.camera import View
from studio.domain.free_camera import FreeCamera
from studio.engines.tri2plane.moments import MomentMaker
from studio.engines.tri2plane.network import Tri2Network
from studio.engines.tri2plane.processor_rays import (
    Decoders,
    RayGrid,
    Space,
    planes_in_lanes,
    search,
    shade,
    view_bias,
)
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.compositing import important
from studio.networks.volume.normals import seen_depth
from studio.networks.volume.rays import pixel_centres
from tests.engines.tri2plane.small_volume import lively, random_network, small_person
from tests.warping.average_person import STAGE

SIDE = 24


def both(network: Tri2Network, free: FreeCamera) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Guide, features, coverage and depth: from torch, and from here."""
    moment = MomentMaker(
        small_person(), torch.zeros(57), torch.ones(57), torch.zeros(network.shape.code)
    ).moment(lively())
    # The picture goes beyond box, chin and shoulders.
    view = View(STAGE.placement.scaled(SIDE / 192.0), SIDE, SIDE)
    cameras = cameras_of(lively(), view, None if free.is_neutral else free.rotation, free.nearness)
    pixels = pixel_centres(0.0, 0.0, SIDE, SIDE, SIDE, SIDE)
    shape = network.shape
    with torch.inference_mode():
        pyramid = network.planes(moment)
        seen = network.look(pyramid, moment, cameras, pixels)
        rays = cameras.rays(pixels)
        edges, weights = network.search(pyramid[0], moment, rays)
        last = important(edges, weights, shape.fine_samples, None)[..., -1]
        depth = seen_depth(seen.depth, seen.alpha, last)
        enter, leave = (float(x[0, 0]) for x in network.span(rays))
        space = Space.of(
            network.canonical,
            cameras.rotation[0].numpy(),
            None if cameras.orbit is None else cameras.orbit[0].numpy(),
            moment.body[0].numpy(),
            moment.displacement[0].numpy(),
        )
        grid = RayGrid(rays.plane[0].numpy(), rays.slope[0].numpy(), enter, leave, SIDE, SIDE)
        decoders = Decoders.of(network.density, network.colour)
        coarse, fine = (planes_in_lanes(p) for p in (pyramid[0], pyramid[-1]))
        guide = search(coarse, space, decoders, grid, shape.coarse_samples)
        bias = view_bias(network.colour, shape.view_octaves, rays)
        shown = shade(fine, space, decoders, grid, guide, shape.fine_samples, bias)
    square = (SIDE, SIDE)
    theirs = [weights[0].unflatten(0, square), seen.values[0].unflatten(0, square)]
    theirs += [seen.alpha[0].unflatten(0, square), depth[0].unflatten(0, square)]
    return [x.numpy() for x in theirs], [guide, *shown]


@pytest.mark.parametrize("changes", [{}, {"view_octaves": 0, "features": 6, "hidden": 12, "fine_samples": 5}])
@pytest.mark.parametrize(
    "free", [FreeCamera(), FreeCamera(orbit_yaw=25.0, orbit_pitch=-12.0), FreeCamera(lens=1.0, pan_x=0.03)]
)
def test_both_see_the_same(changes: dict[str, Any], free: FreeCamera):
    theirs, ours = both(random_network(**changes), free)
    guide, values, alpha, depth = (np.abs(a - b) for a, b in zip(theirs, ours))
    covered = theirs[2] > 0.3
    assert 0.3 < covered.mean() < 0.95  # there is something to see, and something beside it
    assert theirs[1][covered, :3].std() > 0.05
    assert guide.max() < 2e-4
    assert values.max() < 4e-3  # samples of negligible weight are not coloured
    assert alpha.max() < 1e-3
    assert depth[covered].max() < 1e-3
