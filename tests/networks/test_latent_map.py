"""A mapper against its definition, number by number."""

from __future__ import annotations

import math

import numpy as np
import torch

from studio.domain.edits import LatentMap
from studio.networks.latent_map import map_offset, mapped


def effect(scale: float = 0.3) -> LatentMap:
    """Two groups of 2 and 3 rows, three layers, 5 numbers a row; row 2 belongs to nobody."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 3, 5, 5)).astype(np.float32)
    return LatentMap(((0, 2), (3, 6)), weights, rng.normal(size=(2, 3, 5)).astype(np.float32), scale)


def slowly(made: LatentMap, row: list[float], group: int) -> list[float]:
    length = math.sqrt(sum(x * x for x in row) / len(row) + 1e-8)
    x = [value / length for value in row]
    for layer, (weight, bias) in enumerate(zip(made.weights[group], made.biases[group], strict=True)):
        if layer:
            x = [value if value > 0 else 0.2 * value for value in x]
        x = [
            float(b) + sum(float(w) * v for w, v in zip(ws, x, strict=True))
            for ws, b in zip(weight, bias, strict=True)
        ]
    return [made.scale * value for value in x]


def test_a_mapper_is_what_its_definition_says():
    made = effect()
    ws = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1))
    got = map_offset(made, ws)
    assert got.shape == ws.shape
    for picture in range(2):
        for group, rows in enumerate(((0, 1), (3, 4, 5))):
            for row in rows:
                wanted = slowly(made, ws[picture, row].tolist(), group)
                assert np.allclose(got[picture, row], wanted, atol=1e-5)
    assert bool((got[:, [2, 6]] == 0).all())


def test_groups_that_hold_every_row_in_order_are_no_special_case():
    made = effect()
    ws = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(1))
    whole = LatentMap(((0, 3), (3, 6)), made.weights, made.biases, made.scale)
    got = map_offset(whole, ws)
    for picture in range(3):
        for row in range(6):
            assert np.allclose(
                got[picture, row], slowly(whole, ws[picture, row].tolist(), row // 3), atol=1e-5
            )
    with torch.inference_mode():  # places that were found there must do for training, too
        map_offset(LatentMap(((1, 2), (4, 6)), made.weights, made.biases), ws)
    latent = ws.requires_grad_()
    map_offset(LatentMap(((1, 2), (4, 6)), made.weights, made.biases), latent).sum().backward()
    assert latent.grad is not None


def test_its_length_is_taken_off_a_latent_and_its_weights_can_be_learnt():
    made = effect()
    ws = torch.randn(1, 6, 5, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(map_offset(made, 7.0 * ws), map_offset(made, ws), atol=1e-5)
    weights, biases = (torch.tensor(x, requires_grad=True) for x in (made.weights, made.biases))
    latent = ws.clone().requires_grad_()
    mapped(latent, made.groups, weights, biases, made.scale).square().sum().backward()
    for leaf in (weights, biases, latent):
        assert leaf.grad is not None
        assert float(leaf.grad.abs().max()) > 0.0
