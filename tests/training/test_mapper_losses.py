"""Every term of eq. 15 on hand-made inputs with known answers."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from pipelines.mapper_losses import (
    MapperBatch,
    MapperObjective,
    Perturbed,
    Renderings,
    colour_consistency,
    expression_matching,
    identity_loss,
    perturbed,
    pose_consistency,
    render_both,
)
from pipelines.prior_settings import MapperLossSettings
from studio.engines.pvp.mappers import ExpressionMapper, Mappers, PoseMapper
from studio.networks.estimator import EstimatorReading

SIDE = 8
FULL = EstimatorReading(torch.ones(50), torch.ones(3), torch.ones(3))


def _batch(count: int = 2, inputs: int = 53) -> MapperBatch:
    torch.manual_seed(5)
    return MapperBatch(
        pose=torch.rand(count, 2) - 0.5,
        face=torch.randn(count, inputs),
        angles=torch.rand(count, 3) * 20,
        real=torch.rand(count, 3, SIDE, SIDE) * 2 - 1,
        keep=torch.ones(count, 1, SIDE, SIDE),
    )


def _l1(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().mean((1, 2, 3))


class _Estimator:
    reliability = FULL

    def __call__(self, images: Tensor) -> EstimatorReading:
        return EstimatorReading.split(images.flatten(1)[:, :56])


class _Paint(torch.nn.Module):
    """Styles to pictures: every number of the latent shows somewhere."""

    def __init__(self, size: int) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.weight = torch.nn.Parameter(torch.randn(size, 3 * SIDE * SIDE) / size)
        self.seen: list[tuple[Tensor, Tensor | None]] = []

    def forward(self, ws: Tensor, guide: Tensor | None) -> Tensor:
        self.seen.append((ws.detach(), guide))
        return (ws.flatten(1) @ self.weight).reshape(-1, 3, SIDE, SIDE)


def _mappers(inputs: int = 53) -> Mappers:
    torch.manual_seed(0)
    return Mappers(PoseMapper(4, 8), ExpressionMapper(5, 2, inputs, 8), torch.randn(4, 3, 5))


def _objective(**changes: float) -> MapperObjective:
    settings = dataclasses.replace(MapperLossSettings(), **changes)
    return MapperObjective(_l1, settings, torch.tensor([0.1, 0.02, 0.0]))


def test_weights_are_the_public_codes():
    s = MapperLossSettings()
    assert (s.pixel, s.perceptual, s.identity, s.expression) == (10, 10, 0.5, 0.1)
    assert (s.pose, s.colour, s.offset, s.perturbation) == (0.1, 1, 0.5, 0.5)


def test_pixel_and_perceptual_and_offset_are_weighted_means():
    batch = _batch()
    terms = _objective()(batch, Renderings(batch.real + 0.25, torch.full((2, 8, 5), 0.5)))
    assert float(terms["pixel"]) == pytest.approx(10 * 0.25**2, rel=1e-5)
    assert float(terms["perceptual"]) == pytest.approx(10 * 0.25, rel=1e-5)
    assert float(terms["offset"]) == pytest.approx(0.5 * 0.25)
    assert float(terms["total"]) == pytest.approx(sum(float(v) for k, v in terms.items() if k != "total"))
    assert set(terms) == {"pixel", "perceptual", "offset", "total"}


def test_the_offset_of_both_renderings_is_regularised():
    batch = _batch()
    asked = Perturbed(batch.face)
    shown = Renderings(batch.real, torch.full((2, 8, 5), 0.5), batch.real, torch.full((2, 8, 5), 2.0), asked)
    assert float(_objective()(batch, shown)["offset"]) == pytest.approx(0.5 * (0.25 + 4.0))


def test_the_background_counts_as_asked():
    person = torch.zeros(2, 1, SIDE, SIDE)
    person[..., : SIDE // 2] = 1.0
    batch = dataclasses.replace(_batch(), person=person)
    image = batch.real + torch.where(person > 0, 0.1, 0.4)
    shown = Renderings(image, torch.zeros(2, 8, 5))
    for background in (0.0, 0.5, 1.0):
        got = _objective(background=background)(batch, shown)["pixel"]
        assert float(got) == pytest.approx(10 * (0.1**2 + (background * 0.4) ** 2) / 2, rel=1e-4)


def test_identity_is_one_minus_cosine():
    def embed(pictures: Tensor) -> Tensor:
        return pictures[:, :2, 0, 0]

    image, real = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    image[0, :2, 0, 0], real[0, :2, 0, 0] = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    image[1, :2, 0, 0], real[1, :2, 0, 0] = torch.tensor([2.0, 2.0]), torch.tensor([1.0, 1.0])
    assert float(identity_loss(embed, image, real)) == pytest.approx(0.5)


def test_absent_networks_are_said_not_hidden():
    sentences = _objective().off
    assert any("ArcFace" in s for s in sentences)
    assert any("estimator" in s for s in sentences)
    assert _objective(identity=0, expression=0, pose=0).off == ()


def test_expression_matching_closed_form():
    asked = Perturbed(torch.zeros(1, 53))
    reading = EstimatorReading(torch.full((1, 50), 0.5), torch.tensor([[0.2, 0.04, 0.04]]), torch.zeros(1, 3))
    unit = torch.tensor([0.1, 0.04, 0.0])  # the third axis stands still: errors are in units of 0.02
    got = expression_matching(reading, asked, unit, FULL)
    assert float(got) == pytest.approx(0.25 + (4.0 + 1.0 + 4.0) / 3)
    doubted = EstimatorReading(
        torch.tensor([1.0] * 25 + [0.0] * 25), torch.tensor([0.5, 0.0, 0.0]), torch.ones(3)
    )
    assert float(expression_matching(reading, asked, unit, doubted)) == pytest.approx(0.125 + 2.0 / 3)


def test_pose_consistency_is_in_squared_radians():
    tracked = torch.tensor([[10.0, 0.0, 0.0]])
    reading = EstimatorReading(torch.zeros(1, 50), torch.zeros(1, 3), torch.tensor([[40.0, 0.0, 60.0]]))
    both = (math.radians(30) ** 2 + math.radians(60) ** 2) / 3
    assert float(pose_consistency(reading, tracked, FULL)) == pytest.approx(both, rel=1e-5)
    no_roll = EstimatorReading(torch.ones(50), torch.ones(3), torch.tensor([1.0, 1.0, 0.0]))
    assert float(pose_consistency(reading, tracked, no_roll)) == pytest.approx(math.radians(30) ** 2 / 3)


def test_changing_only_eyes_and_mouth_costs_no_colour_consistency():
    keep = torch.ones(2, 1, SIDE, SIDE)
    keep[:, :, 2:4, 2:6] = 0.0
    image = torch.rand(2, 3, SIDE, SIDE)
    second = image.clone()
    second[:, :, 2:4, 2:6] += 1.0
    assert float(colour_consistency(image, second, keep)) == 0.0
    second[:, :, 6, 6] += 1.0
    assert float(colour_consistency(image, second, keep)) == pytest.approx(1 / SIDE**2)
    soft = torch.full((2, 1, SIDE, SIDE), 0.5)
    assert float(colour_consistency(image, image + 1.0, soft)) == pytest.approx(0.25)


def test_the_perturbation_has_the_asked_size_and_leaves_the_eyes():
    face = torch.zeros(4000, 57)
    face[:, 53:] = 7.0
    asked = perturbed(face, torch.tensor([0.1, 0.02, 0.0]), 0.5, torch.Generator().manual_seed(0))
    assert torch.allclose(asked.expression.std(0), torch.full((50,), 0.5), rtol=0.1)
    assert torch.allclose(asked.jaw.std(0), torch.tensor([0.05, 0.01, 0.0]), rtol=0.1)
    assert torch.equal(asked.face[:, 53:], face[:, 53:])
    again = perturbed(face, torch.tensor([0.1, 0.02, 0.0]), 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(asked.face, again.face)


def test_the_second_rendering_has_the_same_pose_and_another_expression():
    mappers, paint, batch = _mappers(), _Paint(15), _batch()
    asked = _objective().asked(batch.face, torch.Generator().manual_seed(1))
    assert asked is not None
    shown = render_both(mappers, paint, batch, asked)
    (first, _), (second, _) = paint.seen
    assert torch.equal(first[:, 2:], second[:, 2:]), "rows beyond the offset are the pose's alone"
    blend = mappers.ws(batch.pose, None)
    assert torch.allclose(first[:, :2] - mappers.delta(batch.face), blend[:, :2], atol=1e-6)
    assert torch.allclose(second[:, :2] - mappers.delta(asked.face), blend[:, :2], atol=1e-6)
    assert shown.second is not None
    assert float((shown.second - shown.image).abs().max().detach()) > 1e-4


def test_the_guide_follows_the_asked_expression_when_someone_renders_it():
    mappers, paint = _mappers(), _Paint(15)
    guide = torch.zeros(2, 3, SIDE, SIDE)
    batch = dataclasses.replace(_batch(), guide=guide)
    asked = _objective().asked(batch.face)
    render_both(mappers, paint, batch, asked, guides=lambda b, p: torch.full_like(guide, float(len(p.face))))
    render_both(mappers, paint, batch, asked)
    guides = [g for _, g in paint.seen]
    assert [float(g.mean()) for g in guides if g is not None] == [0.0, 2.0, 0.0, 0.0]


def test_no_second_rendering_where_no_term_looks_at_it():
    batch = _batch()
    assert _objective(colour=0).asked(batch.face) is None
    assert _objective(perturbation=0).asked(batch.face) is None
    assert _objective().asked(batch.face) is not None


def test_whole_objective_trains_the_mappers_through_the_estimator():
    mappers, paint, batch = _mappers(), _Paint(15), _batch()
    paint.requires_grad_(False)

    objective = MapperObjective(
        _l1, MapperLossSettings(), torch.ones(3), _Estimator(), identity=lambda p: p.flatten(1)[:, :9]
    )
    assert objective.off == ()
    terms = objective(batch, render_both(mappers, paint, batch, objective.asked(batch.face)))
    names = {field.name for field in dataclasses.fields(MapperLossSettings)} - {"perturbation", "background"}
    assert set(terms) == names | {"total"}
    terms["expression"].backward()
    assert mappers.expression.last.grad is not None
    assert float(mappers.expression.last.grad.abs().max()) > 0
