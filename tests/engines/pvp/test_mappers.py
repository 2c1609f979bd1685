"""The mappers against closed forms and a twin written as appendix B reads."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.domain.motion import HeadMotion
from studio.engines.pvp.mappers import (
    SMALLEST_SUM,
    ExpressionMapper,
    Mappers,
    PoseMapper,
    mapper_inputs,
    normalised,
)


def _poses(count: int = 64) -> torch.Tensor:
    return (torch.rand(count, 2, generator=torch.Generator().manual_seed(3)) - 0.5) * 2.0


def _made(pivots: int = 7, rows: int = 3, num_ws: int = 6, w_dim: int = 5, inputs: int = 53) -> Mappers:
    torch.manual_seed(0)
    latents = torch.randn(pivots, num_ws, w_dim)
    return Mappers(PoseMapper(pivots, 16), ExpressionMapper(w_dim, rows, inputs, hidden=16), latents)


def _shaken(mapper: PoseMapper, strength: float) -> PoseMapper:
    """As after training: outputs that reach far."""
    with torch.no_grad():
        mapper.last.weight.normal_(0, strength, generator=torch.Generator().manual_seed(1))
    return mapper


def test_alpha_starts_at_the_centroid_and_sums_to_one():
    torch.manual_seed(0)
    for pivots in (2, 40, 200):
        alpha = PoseMapper(pivots)(_poses())
        assert torch.allclose(alpha.sum(1), torch.ones(64), atol=1e-5)
        away = (alpha.detach() * pivots - 1).abs()
        assert float(away.max()) < 0.9
        assert float(away.mean()) < 0.25


def test_alpha_is_what_appendix_b_says():
    mapper = _shaken(PoseMapper(9, hidden=4, beta=0.02).double(), 0.4)
    pose = _poses(5).double()
    first, last = mapper.first, mapper.last
    for row, alpha in zip(pose.tolist(), mapper(pose).tolist()):
        hidden = [
            sum(w * x for w, x in zip(ws, row)) + b
            for ws, b in zip(first.weight.tolist(), first.bias.tolist())
        ]
        hidden = [float(h) if h > 0 else 0.01 * float(h) for h in hidden]
        out = [
            math.tanh(sum(w * h for w, h in zip(ws, hidden)) + float(b))
            for ws, b in zip(last.weight.tolist(), last.bias.tolist())
        ]
        raw = [math.log1p(math.exp(100 * (1 / 9 + o + 0.02))) / 100 - 0.02 for o in out]
        assert sum(raw) > SMALLEST_SUM
        assert alpha == pytest.approx([r / sum(raw) for r in raw], abs=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.02, 0.1])
def test_weights_stay_in_the_dilated_hull(beta):
    mapper = _shaken(PoseMapper(30, beta=beta), 1.5)
    raw = mapper.bounded(_poses(500)).detach()
    assert float(raw.min()) >= -beta - 1e-7
    assert float(raw.min()) < -beta + 0.01, "the bound is reached, or the test says nothing"
    # Well inside, the softplus is the identity: its error at x is log(1 + exp(-100 x)) / 100.
    residual = torch.tanh(mapper.last(torch.nn.functional.leaky_relu(mapper.first(_poses(500)), 0.01)))
    inside = residual > 0.1
    assert torch.allclose(raw[inside], residual[inside] + 1 / 30, atol=1e-5)
    alpha = mapper(_poses(500))
    total = raw.sum(1, keepdim=True).clamp_min(SMALLEST_SUM)
    assert bool((alpha >= -beta / total - 1e-6).all())


def test_a_sum_near_or_below_zero_does_no_harm():
    near = torch.tensor([[0.02, -0.02, 0.0], [-0.02, -0.02, -0.02], [1e-9, 0.0, 0.0], [0.5, 0.3, 0.3]])
    raw = near.clone().requires_grad_()
    alpha = normalised(raw)
    assert torch.allclose(alpha.sum(1), torch.ones(4), atol=1e-6)
    assert bool((alpha >= -0.02 / SMALLEST_SUM - 1e-6).all())
    assert torch.allclose(alpha[3], near[3] / 1.1)
    (alpha * torch.tensor([1.0, 2.0, -1.0])).sum().backward()
    assert raw.grad is not None
    assert bool(raw.grad.isfinite().all())
    assert float(raw.grad.abs().max()) < 3 / SMALLEST_SUM
    # No step where the guard begins.
    edge = torch.tensor([[0.06, 0.04, 0.0]], dtype=torch.float64)
    assert torch.allclose(normalised(edge * (1 - 1e-9)), normalised(edge * (1 + 1e-9)), atol=1e-7)


def test_gradient_is_finite_however_far_the_network_went():
    mapper = PoseMapper(12)
    with torch.no_grad():
        mapper.last.bias.fill_(-50.0)
        mapper.last.weight.mul_(1000)
    alpha = mapper(_poses())
    (alpha**2).sum().backward()
    assert bool(alpha.isfinite().all())
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in mapper.parameters())


def test_expression_rows_are_independent_networks():
    mapper = ExpressionMapper(5, rows=3, inputs=53, hidden=8, reach=2.0).double()
    face = torch.randn(4, 53, dtype=torch.float64)
    mapper.standardise_by(np.random.default_rng(0).normal(1.0, 2.0, (20, 53)).astype(np.float32))
    got = mapper(face)
    assert got.shape == (4, 3, 5)
    for row in range(3):
        standard = (face - mapper.mean) / mapper.deviation
        hidden = torch.nn.functional.leaky_relu(standard @ mapper.first[row] + mapper.first_bias[row], 0.01)
        wanted = 2.0 * torch.tanh(hidden @ mapper.last[row] + mapper.last_bias[row])
        assert torch.allclose(got[:, row], wanted)
    got[:, 1].sum().backward()
    assert mapper.last.grad is not None
    assert float(mapper.last.grad[0].abs().max()) == 0.0
    assert float(mapper.last.grad[1].abs().max()) > 0.0


def test_still_inputs_are_not_blown_up():
    mapper = ExpressionMapper(5)
    mapper.standardise_by(np.zeros((30, 53), np.float32))
    assert float(mapper.deviation.min()) >= 0.0199
    moving = np.tile(np.linspace(-3, 3, 31, dtype=np.float32)[:, None], (1, 53))
    mapper.standardise_by(moving)
    assert torch.allclose(mapper.deviation, torch.full((53,), float(moving[:, 0].std())))


def test_the_offset_moves_the_first_rows_only():
    mappers = _made()
    pose, face = _poses(4), torch.randn(4, 53)
    plain, moved = mappers.ws(pose, None), mappers.ws(pose, face)
    assert torch.allclose(moved[:, :3] - plain[:, :3], mappers.delta(face), atol=1e-6)
    assert torch.equal(moved[:, 3:], plain[:, 3:])
    alpha = mappers.alpha(pose)
    assert torch.allclose(plain, torch.einsum("bn,nrd->brd", alpha, mappers.pivots), atol=1e-6)
    one_hot = torch.eye(7)[2:3]
    assert torch.allclose(mappers.blended(one_hot)[0], mappers.pivots[2])


def test_neutral_coefficients_are_an_input_like_any_other():
    mappers = _made()
    mappers.expression.standardise_by(np.random.default_rng(1).normal(0.5, 1.0, (40, 53)).astype(np.float32))
    neutral = mappers.delta(torch.zeros(1, 53))
    mean = mappers.delta(mappers.expression.mean[None])
    assert float((neutral - mean).abs().max().detach()) > 1e-3, "zero means neutral, not the clip's mean"
    hidden = torch.nn.functional.leaky_relu(mappers.expression.first_bias, 0.01)
    at_mean = torch.tanh(hidden @ mappers.expression.last + mappers.expression.last_bias)[:, 0]
    assert torch.allclose(mean[0], at_mean, atol=1e-6)


def test_stored_mappers_are_the_same_mappers(tmp_path):
    mappers = _made(inputs=57)
    mappers.expression.standardise_by(np.random.default_rng(1).normal(0.5, 1.0, (40, 57)).astype(np.float32))
    mappers.pose.beta.fill_(0.05)
    mappers.expression.reach.fill_(3.0)
    save_file(mappers.state_dict(), tmp_path / "mappers.safetensors")
    again = Mappers.from_state(load_file(tmp_path / "mappers.safetensors"))
    pose, face = _poses(4), torch.randn(4, 57)
    assert torch.equal(again.ws(pose, face), mappers.ws(pose, face))


def test_mixed_precision_does_not_reach_the_styles():
    mappers, pose, face = _made(), _poses(4), torch.randn(4, 53)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mappers.ws(pose, face)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, mappers.ws(pose, face))


def test_pivots_must_fit():
    with pytest.raises(ValueError, match="expected"):
        Mappers(PoseMapper(4), ExpressionMapper(5), torch.zeros(3, 10, 5))
    with pytest.raises(ValueError, match="expected"):
        Mappers(PoseMapper(4), ExpressionMapper(5, rows=8), torch.zeros(4, 6, 5))


def test_inputs_are_pitch_then_yaw_in_radians():
    motion = HeadMotion.neutral(2, np.array([1.0, 0.0, 0.0]))
    motion.angles[:] = [90.0, 45.0, 10.0]
    motion.jaw[:, 0] = 0.3
    motion.expression[:, 0] = 2.0
    motion.eyelids[:] = 0.7
    motion.gaze[:] = [5.0, 6.0]
    pose, face = mapper_inputs(motion)
    assert np.allclose(pose, [[math.pi / 4, math.pi / 2]] * 2)
    assert face.shape == (2, 53)
    assert np.allclose(face[0, [0, 3]], [0.3, 2.0])
    _, with_eyes = mapper_inputs(motion, eyes=True)
    assert np.allclose(with_eyes[0, 53:], [0.7, 0.7, 5.0, 6.0])
