"""Expressions as few directions, and the contrast that teaches them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from studio.engines.export3d.expression import (
    BasisScaling,
    DirectExpression,
    ExpressionPictures,
    contrastive_loss,
    expression_encoder,
)
from studio.engines.export3d.settings import Export3DSettings


def test_a_representation_is_its_coefficients_times_orthonormal_directions():
    torch.manual_seed(0)
    scaling = BasisScaling(10, 256, 32)
    optimiser = torch.optim.Adam(scaling.parameters(), 1e-2)
    expression = torch.randn(6, 57)
    for _ in range(20):
        optimiser.zero_grad()
        (scaling(expression) - torch.randn(6, 256)).square().sum().backward()
        optimiser.step()
    with torch.no_grad():
        basis, scales, made = scaling.basis(), scaling.scales(expression), scaling(expression)
    assert (basis.mT @ basis - torch.eye(10)).abs().max() < 1e-5
    slow = sum(scales[:, i : i + 1] * basis[:, i] for i in range(10))
    assert torch.allclose(made, slow, atol=1e-5)
    # Directions at right angles: coefficients can be read back, and lengths are those of the coefficients.
    assert torch.allclose(made @ basis, scales, atol=1e-4)
    assert torch.allclose(made.norm(dim=1), scales.norm(dim=1), rtol=1e-4)


def test_a_slider_moves_along_its_own_direction_alone():
    torch.manual_seed(1)
    scaling = BasisScaling(4, 16, 8)
    scales = torch.randn(1, 4)
    more = scales.clone()
    more[0, 2] += 3.0
    with torch.no_grad():
        way = scaling.from_scales(more) - scaling.from_scales(scales)
        assert torch.allclose(way[0], 3.0 * scaling.basis()[:, 2], atol=1e-5)


def test_settings_choose_the_encoder():
    assert isinstance(expression_encoder(Export3DSettings(encoding="direct")), DirectExpression)
    for encoding in ("clebs", "lebs"):
        made = expression_encoder(Export3DSettings(encoding=encoding, directions=25))
        assert isinstance(made, BasisScaling)
        assert made.scales(torch.zeros(2, 57)).shape == (2, 25)


def slow_contrast(pictures, expressions, temperature: float, own: bool) -> float:
    """Equation 1, sample by sample."""
    losses = []
    for clip in range(len(pictures)):
        for k in range(len(pictures[clip])):
            told = expressions[clip, k]

            def likeness(j: int, clip: int = clip, told=told) -> float:
                seen = pictures[clip, j]
                cosine = float(seen @ told / np.linalg.norm(seen) / np.linalg.norm(told))
                return math.exp(cosine / temperature)

            others = sum(likeness(j) for j in range(len(pictures[clip])) if own or j != k)
            losses.append(-math.log(likeness(k) / others))
    return float(np.mean(losses))


@pytest.mark.parametrize("own", [True, False])
def test_the_contrast_is_the_papers_equation(own):
    random = np.random.default_rng(2)
    pictures, expressions = random.normal(size=(2, 3, 33, 5))[:, :2]
    loss = contrastive_loss(torch.tensor(pictures), torch.tensor(expressions), own=own)
    assert abs(float(loss) - slow_contrast(pictures, expressions, 0.07, own)) < 1e-3


def test_perfect_and_undecided_pairs_have_known_losses():
    exact = torch.eye(33)[None]
    # Own likeness e^(1/τ), 32 others 1.
    assert abs(float(contrastive_loss(exact, exact)) - math.log1p(32 * math.exp(-1 / 0.07))) < 1e-5
    same = torch.ones(1, 33, 4)
    assert abs(float(contrastive_loss(same, same)) - math.log(33)) < 1e-5
    assert abs(float(contrastive_loss(same, same, own=False)) - math.log(32)) < 1e-5
    # Lengths do not count, and as printed the equation has no lower bound at 0.
    assert torch.allclose(contrastive_loss(5 * exact, 2 * exact), contrastive_loss(exact, exact))
    assert float(contrastive_loss(exact, exact, own=False)) < -10.0


def test_clips_are_not_mixed():
    torch.manual_seed(3)
    pictures, expressions = torch.randn(2, 5, 6), torch.randn(2, 5, 6)
    apart = [contrastive_loss(pictures[i : i + 1], expressions[i : i + 1]) for i in range(2)]
    assert torch.allclose(contrastive_loss(pictures, expressions), torch.stack(apart).mean())


def test_pictures_teach_expressions_what_they_have_in_common():
    """Five numbers say what is seen, 52 are noise of the same size: coefficients learn to tell them apart."""
    torch.manual_seed(4)
    scaling = BasisScaling(5, 16, 32)
    shown = torch.nn.Linear(5, 16)
    optimiser = torch.optim.Adam([*scaling.parameters(), *shown.parameters()], 3e-3)

    def batch():
        expression = torch.randn(4, 33, 57)
        seen = shown(expression[..., :5])
        return seen, scaling(expression.flatten(0, 1)).unflatten(0, (4, 33))

    first = contrastive_loss(*batch()).item()
    for _ in range(150):
        optimiser.zero_grad()
        contrastive_loss(*batch()).backward()
        optimiser.step()
    assert contrastive_loss(*batch()).item() < 0.4 * first


def test_the_image_encoder_looks_at_colours_alone():
    torch.manual_seed(5)
    encoder = ExpressionPictures(12, width=8).eval()
    pictures = torch.rand(2, 4, 64, 64)
    assert encoder(pictures).shape == (2, 12)
    assert torch.equal(encoder(pictures), encoder(pictures[:, :3]))


def test_representations_can_be_brought_to_size_and_keep_their_directions() -> None:
    torch.manual_seed(2)
    encoder = BasisScaling(4, 12, 8)
    numbers = torch.randn(50, 57)
    before = encoder(numbers)
    encoder.level(numbers)
    after = encoder(numbers)
    assert after.var(0).mean().item() == pytest.approx(1.0, rel=1e-4)
    assert torch.allclose(after * encoder.size, before, atol=1e-6)
    basis = encoder.basis()
    assert torch.allclose(basis.mT @ basis, torch.eye(4), atol=1e-5)
    encoder.level(numbers)  # again changes nothing
    assert torch.allclose(encoder(numbers), after, atol=1e-5)
