"""Dense motion from keypoints: what holds whatever is learnt, and what an untaught network begins with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from studio.networks.dense_motion import FLATTEN, NARROW, DenseMotionNetwork, Hourglass3d
from studio.networks.keypoint_flow import head_turn, places, warp_volume

COUNT, DEPTH, SIDE, CHANNELS = 5, 4, 16, 3


def network(**changes) -> DenseMotionNetwork:
    """A small one."""
    torch.manual_seed(0)
    sizes = {"compressed": 2, "first": 4, "most": 8, "levels": 2, "kernel": 3, "variance": 0.01}
    return DenseMotionNetwork(CHANNELS, DEPTH, COUNT, **{**sizes, "kind": "group", **changes})


def moved() -> tuple[Tensor, Tensor, Tensor]:
    """A volume, and keypoints in source and driving frame."""
    torch.manual_seed(1)
    source = torch.rand(2, COUNT, 3) - 0.5
    return torch.randn(2, CHANNELS, DEPTH, SIDE, SIDE), source, source + 0.1 * torch.randn(2, COUNT, 3)


def silence(part: DenseMotionNetwork) -> None:
    """Take away all that is learnt about masks and surface."""
    for layer in (part.mask, part.surface):
        assert isinstance(layer, nn.Conv3d)
        nn.init.zeros_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


@pytest.mark.parametrize("side", [None, 8])
@pytest.mark.parametrize("reach", [0.0, 0.5])
def test_shapes_and_shares(side: int | None, reach: float) -> None:
    volume, source, driving = moved()
    turn = head_turn(source, driving, torch.ones(2, COUNT))
    motion = network(side=side, reach=reach, surface=True)(volume, source, driving, turn=turn)
    assert motion.flow.shape == (2, 3, DEPTH, SIDE, SIDE)
    assert motion.masks.shape == (2, COUNT + 1, DEPTH, SIDE, SIDE)
    assert torch.allclose(motion.masks.sum(1), torch.ones(2, DEPTH, SIDE, SIDE), atol=1e-5)
    assert motion.occlusion.shape == (2, 1, SIDE, SIDE)
    assert motion.occlusion.min() > 0.0
    assert motion.occlusion.max() < 1.0
    assert motion.surface is not None
    assert torch.allclose(motion.surface.sum(1), torch.ones(2, SIDE, SIDE), atol=1e-5)
    # What is seen moves as its own layer does.
    wanted = sum(motion.flow[:, :2, z] * motion.surface[:, None, z] for z in range(DEPTH))
    assert torch.allclose(motion.picture_flow, wanted, atol=1e-6)


def test_the_flow_is_the_masks_share_of_each_candidate() -> None:
    volume, source, driving = moved()
    motion = network()(volume, source, driving)
    shifts = torch.cat([torch.zeros(2, 1, 3), source - driving], 1)
    wanted = torch.einsum("bkdhw,bkc->bcdhw", motion.masks, shifts)
    assert torch.allclose(motion.flow, wanted, atol=1e-5)
    with pytest.raises(ValueError, match="no surface"):
        _ = motion.picture_flow


def test_where_nothing_moved_nothing_flows() -> None:
    volume, source, _ = moved()
    turn = head_turn(source, source, torch.ones(2, COUNT))
    motion = network(reach=0.5, surface=True)(volume, source, source, turn=turn)
    assert not motion.flow.any()
    assert not motion.picture_flow.any()


def test_unknown_keypoints_have_no_share_and_no_effect() -> None:
    volume, source, driving = moved()
    part = network(reach=0.5, surface=True)
    valid = torch.ones(2, COUNT)
    valid[:, 3:] = 0.0
    motion = part(volume, source, driving, valid)
    assert not motion.masks[:, 4:].any()
    elsewhere = driving.clone()
    elsewhere[:, 3:] += 0.4
    assert torch.allclose(part(volume, source, elsewhere, valid).flow, motion.flow, atol=1e-6)
    assert not torch.allclose(part(volume, source, elsewhere).flow, motion.flow, atol=1e-2)


def test_masks_begin_as_nearness_to_keypoints() -> None:
    volume, source, driving = moved()
    part, reach = network(reach=0.4, surface=True), 0.4
    silence(part)
    motion = part(volume, source, driving)
    grid = places((DEPTH, SIDE, SIDE), driving)
    for z, y, x in [(0, 0, 0), (2, 7, 9), (1, 12, 4)]:
        away = grid[:, z, y, x] - driving[0]
        squared = away[:, 0] ** 2 + away[:, 1] ** 2 + (FLATTEN * away[:, 2]) ** 2
        # Hair goes with the head from farther away than shoulders do.
        far = reach + (driving[0, :, 1].mean() - grid[1, z, y, x]).clamp_min(0.0)
        logits = torch.cat([far[None] ** 2, squared]) * (-0.5 / NARROW**2)
        assert torch.allclose(motion.masks[0, :, z, y, x], logits.softmax(0), atol=1e-4)


def test_what_is_seen_begins_at_the_keypoints_depth() -> None:
    volume, source, _ = moved()
    part = network(reach=0.4, surface=True)
    silence(part)
    for depth in (-0.75, -0.25, 0.25, 0.75):  # the centres of the four layers
        points = source.clone()
        points[..., 2] = depth
        surface = part(volume, points, points).surface
        assert surface is not None
        seen = torch.einsum("bdhw,d->bhw", surface, places((DEPTH, 1, 1), source)[2, :, 0, 0])
        assert (seen - depth).abs().max() < 0.15
        assert (surface.argmax(1) == round((depth + 0.75) / 0.5)).all()


def test_the_outline_is_what_masks_see_of_each_candidate() -> None:
    volume, source, driving = moved()
    part = network(reach=0.5, surface=True, outlined=True)
    outline = torch.zeros(2, 1, DEPTH, SIDE, SIDE)
    outline[..., :8] = 1.0
    felt: list[Tensor] = []
    part.hourglass.register_forward_pre_hook(lambda _, given: felt.append(given[0]))
    motion = part(torch.cat([volume, outline], 1), source, driving)
    # Heat, two compressed channels, outline: for the unmoved candidate, then for each keypoint.
    seen = felt[0].unflatten(1, (COUNT + 1, 4))[:, :, 3]
    assert torch.equal(seen[:, :1], outline)
    shift = (source - driving)[:, :, None, None, None, :]
    for k in range(COUNT):
        flow = shift[:, k].expand(2, DEPTH, SIDE, SIDE, 3).permute(0, 4, 1, 2, 3)
        assert torch.allclose(seen[:, k + 1], warp_volume(outline, flow)[:, 0], atol=1e-5)
    other = part(torch.cat([volume, 1.0 - outline], 1), source, driving)
    assert not torch.allclose(other.masks, motion.masks, atol=1e-4)


def test_hourglass_sees_far_and_keeps_what_came() -> None:
    torch.manual_seed(0)
    part = Hourglass3d(3, 4, 8, 2, "group")
    x = torch.randn(1, 3, 2, 8, 8, requires_grad=True)
    y = part(x)
    assert y.shape == (1, part.channels, 2, 8, 8)
    assert torch.equal(y[:, 4:], x)
    y[0, :4, 0, 0, 0].sum().backward()
    assert x.grad is not None
    assert x.grad[..., 7, 7].any()
