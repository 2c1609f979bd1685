"""The painter starts as nothing, stays within its reach, and can learn what a correction is for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from studio.engines.pvp.painter import (
    COARSEST,
    COLOUR_REACH,
    FLOW_REACH,
    LinearLatents,
    Painter,
    PainterShape,
    bounded,
)

SIDE = 32
SHAPE = PainterShape(SIDE, w_dim=8, channel_base=512, channel_max=12)


def smooth(count: int, side: int = SIDE, seed: int = 0) -> Tensor:
    """Guides ``[count, 3, side, side]`` within ±0.8 that change slowly."""
    coarse = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return 1.6 * functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1) - 0.8


def styles(count: int, seed: int = 0, shape: PainterShape = SHAPE) -> Tensor:
    rows = shape.synthesis().num_ws
    return torch.randn(count, rows, shape.w_dim, generator=torch.Generator().manual_seed(seed))


def untrained(shape: PainterShape = SHAPE) -> Painter:
    torch.manual_seed(0)
    return Painter(shape)


def moved_weights(amount: float = 0.3) -> Painter:
    """A painter that does something."""
    painter = untrained()
    with torch.no_grad():
        for block in painter.synthesis.blocks():
            block.torgb.weight.normal_(0.0, amount)
    return painter


@pytest.mark.parametrize("side", [32, 64])
def test_an_untrained_painter_gives_its_guide_back(side: int):
    shape = PainterShape(side, w_dim=8, channel_base=512, channel_max=12)
    guide = smooth(2, side)
    with torch.no_grad():
        shown = untrained(shape)(5.0 * styles(2, shape=shape), guide)
    assert (shown - guide).abs().max() < 1e-6


def test_the_protocols_numbers_are_those_of_its_synthesis():
    painter = untrained()
    assert (painter.num_ws, painter.w_dim, painter.resolution) == (8, 8, SIDE)


def test_without_a_guide_there_is_nothing_to_paint_over():
    with pytest.raises(ValueError, match="warped crop"):
        untrained()(styles(1), None)


def test_reach_is_kept_and_small_answers_pass_in_proportion():
    far = torch.tensor([-1e4, 1e4]).reshape(2, 1, 1, 1).expand(2, 5, 4, 4)
    colour, flow = bounded(far)
    assert colour.shape == (2, 3, 4, 4)
    assert flow.shape == (2, 2, 4, 4)
    for part, reach in ((colour, COLOUR_REACH), (flow, FLOW_REACH)):
        assert torch.allclose(part[0], torch.tensor(-reach))
        assert torch.allclose(part[1], torch.tensor(reach))
    near = torch.full((1, 5, 2, 2), 0.01)
    colour, flow = bounded(near)
    assert torch.allclose(colour, torch.tensor(0.01 * COLOUR_REACH), rtol=1e-3)
    assert torch.allclose(flow, torch.tensor(0.01 * FLOW_REACH), rtol=1e-3)


def test_weights_gone_astray_still_reach_no_farther():
    guide = smooth(2)
    with torch.no_grad():
        colour, flow = moved_weights(1e3).correction(styles(2), guide)
    assert 0.9 * COLOUR_REACH < colour.abs().max() <= COLOUR_REACH
    assert 0.9 * FLOW_REACH < flow.abs().max() <= FLOW_REACH


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_a_flow_fetches_from_where_it_points_and_colour_is_added(strength: float):
    # On a ramp a flow of two pixels is a known difference, and so is any share of it.
    ramp = (torch.arange(SIDE) / SIDE - 0.5).expand(1, 3, SIDE, SIDE).clone()
    ramp[:, 1] = ramp[:, 0].mT
    flow = torch.zeros(1, 2, SIDE, SIDE)
    flow[:, 0], flow[:, 1] = 2.0 / SIDE, -1.0 / SIDE
    colour = torch.tensor([0.1, 0.2, -0.3]).reshape(1, 3, 1, 1).expand(1, 3, SIDE, SIDE)
    shown = untrained().corrected(ramp, strength * colour, strength * flow)
    away = (slice(None), slice(2, -2), slice(2, -2))
    expected = ramp + strength * colour
    expected[:, 0] += strength * 2.0 / SIDE
    expected[:, 1] -= strength * 1.0 / SIDE
    expected[:, 2] += strength * 2.0 / SIDE
    assert torch.allclose(shown[0][away], expected[0][away], atol=2e-6)


def test_beyond_the_sides_the_border_goes_on():
    guide = smooth(1)
    flow = torch.zeros(1, 2, SIDE, SIDE)
    flow[:, 0] = 3.0 / SIDE
    shown = untrained().corrected(guide, torch.zeros(1, 3, SIDE, SIDE), flow)
    assert torch.allclose(shown[..., -3:], guide[..., -1:].expand(1, 3, SIDE, 3), atol=1e-5)


def test_what_is_painted_depends_on_style_and_on_guide():
    painter = moved_weights()
    guide, ws = smooth(2), styles(2)
    with torch.no_grad():
        colour, _ = painter.correction(ws, guide)
        other_style, _ = painter.correction(ws.flip(0), guide)
        other_guide, _ = painter.correction(ws, guide.flip(0))
    assert (colour - other_style).abs().mean() > 0.01
    assert (colour - other_guide).abs().mean() > 0.01


def test_the_encoder_gives_features_at_every_resolution_down_to_the_coarsest():
    painter = untrained()
    features = painter.encoder(smooth(2))
    assert sorted(features) == [COARSEST, 16, 32]
    for side, feature in features.items():
        assert feature.shape == (2, SHAPE.synthesis().channels(side), side, side)


def test_from_nothing_learning_begins_and_then_reaches_everything():
    painter, guide = untrained(), smooth(2)
    ws = styles(2).requires_grad_()
    target = torch.roll(guide, 1, 3) + 0.2

    def loss() -> Tensor:
        return (painter(ws, guide) - target).abs().mean()

    optimiser = torch.optim.Adam(painter.parameters(), 1e-2)
    loss().backward()
    first = painter.synthesis.blocks()[-1].torgb.weight.grad
    assert first is not None
    assert first.abs().max() > 0
    optimiser.step()
    optimiser.zero_grad()
    ws.grad = None
    loss().backward()
    assert ws.grad is not None
    assert (ws.grad.abs().amax((0, 2)) > 0).all()  # every row
    for name, parameter in painter.encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_linear_latents_are_linear_with_equal_rows():
    torch.manual_seed(1)
    latents = LinearLatents(5, SHAPE)
    a, b = torch.randn(2, 3, 5)
    with torch.no_grad():
        zero = latents(torch.zeros(3, 5))
        assert latents(a).shape == (3, SHAPE.synthesis().num_ws, SHAPE.w_dim)
        assert torch.allclose(
            latents(2 * a - 3 * b) - zero, 2 * latents(a) - 3 * latents(b) + zero, atol=1e-5
        )
        assert (latents(a) == latents(a)[:, :1]).all()
        assert (latents(a) - zero).abs().max() > 0.1


def test_parameters_are_counted_in_deviations_and_at_most_three():
    latents = LinearLatents(2, SHAPE)
    latents.mean.copy_(torch.tensor([1.0, -2.0]))
    latents.deviation.copy_(torch.tensor([0.5, 4.0]))
    asked = torch.tensor([[1.0, -2.0], [2.0, -10.0], [9.0, -90.0]])
    assert torch.equal(latents.standard(asked), torch.tensor([[0.0, 0.0], [2.0, -2.0], [3.0, -3.0]]))


@pytest.mark.parametrize("shifted", [True, False])
def test_a_constant_shift_becomes_flow_and_a_constant_tint_becomes_colour(shifted: bool):
    painter, guide, ws = untrained(), smooth(3), styles(3)
    tint = torch.tensor([0.15, -0.1, 0.05]).reshape(1, 3, 1, 1)
    # What stood one pixel further right is wanted here.
    target = torch.roll(guide, -1, 3) if shifted else guide + tint
    inner = slice(2, -2)
    optimiser = torch.optim.Adam(painter.parameters(), 1e-2)
    before = (target - guide)[..., inner].abs().mean()
    for _ in range(40):
        colour, flow = painter.correction(ws, guide)
        error = (painter.corrected(guide, colour, flow) - target)[..., inner].abs().mean()
        optimiser.zero_grad()
        (error + 0.02 * colour.abs().mean()).backward()
        optimiser.step()
    assert error < 0.35 * before
    rightwards = SIDE * flow.detach()[:, 0, inner, inner].mean()
    mean_colour = colour.detach()[..., inner, inner].mean((0, 2, 3))
    if shifted:
        assert 0.6 < rightwards < 1.4
    else:
        assert abs(rightwards) < 0.3
        assert torch.allclose(mean_colour, tint.flatten(), atol=0.04)
