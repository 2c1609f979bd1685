"""Losses on hand-made pictures, latents and volumes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.engines.nofa.losses import (
    FACE_SIDE,
    STAGES,
    Parts,
    Weights,
    aligned,
    distribution,
    identity,
    identity_network,
    latent,
    mouth,
    mouth_boxes,
    reconstruction,
    total,
)
from studio.networks.perceptual import PerceptualLoss


class Flat(PerceptualLoss):
    """Mean absolute difference: something whose values are known."""

    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().mean((1, 2, 3))


def ramp(side: int = 64) -> Tensor:
    """``[1, 2, side, side]`` whose values are x and y of pixels' centres."""
    line = torch.arange(side) + 0.5
    return torch.stack([line.expand(side, -1), line[:, None].expand(-1, side)])[None]


def test_reconstruction_is_squares_and_looks():
    drawn, wanted = torch.full((2, 3, 64, 64), 0.5), torch.full((2, 3, 64, 64), 0.2)
    squares, looks = reconstruction(drawn, wanted, Flat())
    assert float(squares) == pytest.approx(0.09, abs=1e-6)
    assert float(looks) == pytest.approx(0.3, abs=1e-6)
    # Looks are compared within what a screen shows, squares are not.
    squares, looks = reconstruction(drawn + 2.0, torch.ones_like(drawn), Flat())
    assert float(squares) == pytest.approx(2.25, abs=1e-5)
    assert float(looks) == pytest.approx(0.0, abs=1e-6)


def test_windows_are_aligned_to_fractions_of_pixels():
    boxes = torch.tensor([[10.25, 20.5, 26.25, 36.5]])
    found = aligned(ramp(), boxes, 8)
    steps = (torch.arange(8) + 0.5) * 2.0
    assert torch.allclose(found[0, 0], (10.25 + steps).expand(8, -1), atol=1e-4)
    assert torch.allclose(found[0, 1], (20.5 + steps)[:, None].expand(-1, 8), atol=1e-4)
    whole = aligned(ramp(), torch.tensor([[0.0, 0.0, 64.0, 64.0]]), 32)
    assert torch.allclose(whole, torch.nn.functional.avg_pool2d(ramp(), 2), atol=1e-4)


def test_windows_larger_than_a_pixel_are_averaged_not_picked():
    picture = torch.zeros(1, 1, 64, 64)
    picture[..., ::2] = 1.0
    found = aligned(picture, torch.tensor([[0.0, 0.0, 64.0, 64.0]]), 32)
    assert torch.allclose(found, torch.full_like(found, 0.5), atol=1e-5)


def test_only_the_mouth_counts_for_the_mouth():
    wanted = torch.zeros(1, 3, 64, 64)
    boxes = torch.tensor([[16.0, 32.0, 48.0, 64.0]])
    inside, outside = wanted.clone(), wanted.clone()
    inside[..., 33:63, 17:47] = 0.5
    outside[..., :31, :] = 0.5
    assert float(mouth(outside, wanted, boxes, Flat())) == 0.0
    assert float(mouth(torch.full_like(wanted, 0.5), wanted, boxes, Flat(), 2.0)) == pytest.approx(1.25)
    assert 0.2 < float(mouth(inside, wanted, boxes, Flat(), 0.0)) < 0.25


def test_a_mouths_square_lies_about_its_lips_and_is_not_too_small():
    lips = torch.tensor([[[20.0, 40.0], [44.0, 40.0], [32.0, 36.0], [32.0, 46.0]]])
    assert mouth_boxes(lips, 64.0)[0].tolist() == pytest.approx([14.0, 23.0, 50.0, 59.0])
    tiny = torch.tensor([[[31.0, 40.0], [33.0, 40.0]]])
    assert mouth_boxes(tiny, 64.0)[0].tolist() == pytest.approx([24.0, 32.0, 40.0, 48.0])


def test_identity_is_one_less_the_cosine_of_what_the_box_shows():
    boxes = torch.tensor([[0.0, 0.0, 32.0, 64.0]]).repeat(2, 1)
    seen: list[tuple[int, ...]] = []

    def embed(crops: Tensor) -> Tensor:
        seen.append(tuple(crops.shape))
        return torch.nn.functional.normalize(crops.mean((2, 3)), dim=1)

    drawn, wanted = torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)
    drawn[:, 0], wanted[0, 0] = 1.0, 1.0
    wanted[1, 0], wanted[1, 1] = 1.0, math.sqrt(3)  # 60 degrees away
    assert float(identity(drawn, wanted, boxes, embed)) == pytest.approx(0.25, abs=1e-5)
    assert seen == [(2, 3, FACE_SIDE, FACE_SIDE)] * 2
    beside = drawn.clone()
    beside[..., 34:] = -1.0
    assert float(identity(beside, drawn, boxes, embed)) == pytest.approx(0.0, abs=1e-5)


def test_an_identity_network_that_is_absent_is_said_to_be(tmp_path):
    embed, sentence = identity_network(None, tmp_path)
    assert embed is None
    assert "ArcFace's weights are not on this machine" in sentence


def test_latents_are_held_to_the_average():
    average = torch.tensor([1.0, -2.0])
    ws = average.expand(2, 3, -1).clone().requires_grad_()
    at_rest = latent(ws, average)
    at_rest.backward()
    assert float(at_rest.detach()) == 0.0
    assert ws.grad is not None
    assert not ws.grad.isnan().any()
    away = average.expand(2, 3, -1).clone()
    away[0, 0, 0] += 3.0
    away[0, 2, 1] += 4.0
    assert float(latent(away, average)) == pytest.approx(2.5)


def test_distributions_are_compared_by_mean_and_deviation_of_each_feature():
    torch.manual_seed(0)
    planes = torch.randn(1, 3, 2, 16, 16)
    assert float(distribution(0.1 * planes, planes, 0.1)) == pytest.approx(0.0, abs=1e-9)
    shuffled = 0.1 * planes.flatten(3)[..., torch.randperm(256)].view_as(planes)
    assert float(distribution(shuffled, planes, 0.1)) == pytest.approx(0.0, abs=1e-9)
    assert float(distribution(0.1 * planes + 0.3, planes, 0.1)) == pytest.approx(0.09, abs=1e-5)
    flat = torch.ones(1, 3, 2, 16, 16)
    flat[..., ::2] = -1.0  # mean 0, deviation 1
    assert float(distribution(0.5 * flat, flat, 0.1)) == pytest.approx(0.16, abs=1e-5)
    nothing = torch.zeros_like(flat).requires_grad_()
    distribution(nothing, flat, 0.1).backward()
    assert nothing.grad is not None
    assert not nothing.grad.isnan().any()


def test_stages_add_up_their_own_parts():
    one = torch.ones(())
    parts = Parts(one, one, one, one, one, one)
    assert float(total(parts, Weights(1.0, 2.0, 4.0, 8.0, 16.0, 32.0))) == 63.0
    assert float(total(Parts(squares=one, identity=2.0 * one), Weights(1.0, identity=0.5))) == 2.0
    assert STAGES["general"].distribution == STAGES["compensation"].mouth == 0.0
    assert STAGES["compensation"].latent == STAGES["fine_tuning"].latent == 0.0
    assert STAGES["fine_tuning"].mouth > 0.0
    assert STAGES["fine_tuning"].distribution > 0.0
    with pytest.raises(ValueError, match="no part"):
        total(Parts(), Weights())
