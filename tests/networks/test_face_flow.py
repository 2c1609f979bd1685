"""The face's flow against closed forms and a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.networks.face_flow import BEYOND, NEAR, SHARPNESS, WITHIN, face_flow
from studio.networks.keypoint_flow import picture_places

SIDE = 24


@pytest.fixture
def driving() -> torch.Tensor:
    chance = torch.Generator().manual_seed(0)
    return torch.rand(2, 40, 3, generator=chance) * 0.8 - 0.4


def affine(points: torch.Tensor) -> torch.Tensor:
    """Some affine map of the picture's plane."""
    matrix = torch.tensor([[1.1, 0.2], [-0.1, 0.9]])
    moved = points[..., :2] @ matrix.mT + torch.tensor([0.05, -0.1])
    return torch.cat([moved, points[..., 2:]], -1)


def test_points_that_do_not_move_make_no_flow(driving):
    flow = face_flow(driving, driving, SIDE).flow
    assert torch.equal(flow, torch.zeros(2, 2, SIDE, SIDE))


def test_one_example_that_does_not_move_stays_while_another_moves(driving):
    source = driving.clone()
    source[1] += 0.1
    made = face_flow(source, driving, SIDE)
    flow, faith = made.flow, made.faith
    assert torch.equal(flow[0], torch.zeros(2, SIDE, SIDE))
    assert torch.allclose(flow[1].where(faith[1] > 0, 0.1), torch.tensor(0.1), atol=1e-5)


def test_an_affine_motion_is_carried_everywhere_exactly(driving):
    made = face_flow(affine(driving), driving, SIDE)
    flow, faith = made.flow, made.faith
    places = picture_places((SIDE, SIDE), driving)
    wanted = affine(places.permute(1, 2, 0)).permute(2, 0, 1)[:2] - places
    assert (faith > 0.0).float().mean() > 0.2
    error = ((flow - wanted) * (faith > 0.0)).abs().max()
    assert float(error) < 1e-4


def test_at_a_point_the_flow_is_the_points_own(driving):
    # Points at the very centres of pixels, far apart: nobody else has a say there.
    centres = torch.tensor([[5, 5], [5, 17], [17, 5], [17, 17], [11, 11]])
    driving = torch.cat([(2.0 * centres + 1.0) / SIDE - 1.0, torch.zeros(5, 1)], 1)[None]
    shift = torch.tensor([[0.1, 0.0], [0.0, 0.1], [-0.1, 0.05], [0.02, -0.1], [0.05, 0.05]])
    source = driving.clone()
    source[..., :2] += shift
    made = face_flow(source, driving, SIDE)
    flow, faith = made.flow, made.faith
    for (x, y), wanted in zip(centres.tolist(), shift):
        assert torch.allclose(flow[0, :, y, x], wanted, atol=1e-3)
        assert float(faith[0, 0, y, x]) == 1.0


def test_it_is_believed_near_the_face_alone(driving):
    faith = face_flow(driving, driving, SIDE).faith
    places = picture_places((SIDE, SIDE), driving).flatten(1).mT
    distance = torch.cdist(places[None], driving[..., :2]).amin(2).unflatten(1, (SIDE, SIDE))
    assert (faith[:, 0][distance < WITHIN] == 1.0).all()
    assert (faith[:, 0][distance > BEYOND] == 0.0).all()
    between = (distance > WITHIN + 0.01) & (distance < BEYOND - 0.01)
    assert ((faith[:, 0][between] > 0.0) & (faith[:, 0][between] < 1.0)).all()


def slow(source: np.ndarray, driving: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The flow at one place, written as its definition."""
    terms = np.concatenate([driving[:, :2], np.ones((len(driving), 1))], 1)
    shift = source[:, :2] - driving[:, :2]
    fitted = np.linalg.lstsq(terms, shift, rcond=None)[0]
    left = shift - terms @ fitted
    total, weights = np.zeros(2), 0.0
    for point, rest in zip(driving[:, :2], left):
        weight = (((place - point) ** 2).sum() + NEAR**2) ** -SHARPNESS
        total, weights = total + weight * rest, weights + weight
    return np.array([*place, 1.0]) @ fitted + total / weights


def test_it_agrees_with_its_definition(driving):
    chance = torch.Generator().manual_seed(1)
    source = driving + 0.1 * torch.randn(driving.shape, generator=chance)
    made = face_flow(source, driving, SIDE)
    flow, faith = made.flow, made.faith
    places = picture_places((SIDE, SIDE), driving)
    for example, row, column in ((0, 12, 12), (1, 8, 14), (1, 15, 10)):
        assert float(faith[example, 0, row, column]) > 0.0
        one = slow(
            source[example].double().numpy(),
            driving[example].double().numpy(),
            places[:, row, column].double().numpy(),
        )
        assert np.allclose(flow[example, :, row, column].numpy(), one, atol=1e-4)


def test_a_face_beyond_the_picture_does_no_harm(driving):
    made = face_flow(driving + 3.0, driving + 3.1, SIDE)
    flow, faith = made.flow, made.faith
    assert torch.isfinite(flow).all()
    assert float(faith.max()) == 0.0
