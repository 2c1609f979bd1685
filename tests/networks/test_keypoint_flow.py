"""What keypoints say about motion, against definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from studio.networks.keypoint_flow import (
    candidates,
    head_turn,
    nearness,
    picture_places,
    places,
    warp_picture,
    warp_volume,
    within_head,
)

BATCH, COUNT = 3, 8


def some_points(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-0.6, 0.6, (BATCH, COUNT, 3))).float()


def a_turn(degrees: float, growth: float) -> torch.Tensor:
    matrix = Rotation.from_euler("yxz", [degrees, -0.5 * degrees, 0.3 * degrees], degrees=True).as_matrix()
    return torch.from_numpy(growth * matrix).float()


def test_places_are_centres_from_left_top_far_to_right_bottom_near() -> None:
    grid = places((2, 4, 8), torch.zeros(1))
    assert grid.shape == (3, 2, 4, 8)
    assert grid[:, 0, 0, 0].tolist() == [-1 + 1 / 8, -1 + 1 / 4, -0.5]
    assert grid[:, 1, 3, 7].tolist() == [1 - 1 / 8, 1 - 1 / 4, 0.5]
    assert torch.equal(picture_places((4, 8), torch.zeros(1)), grid[:2, 0])


def test_no_flow_gives_back_volume_and_picture_to_the_last_bit() -> None:
    volume, picture = torch.randn(2, 3, 4, 8, 16), torch.randn(2, 3, 32, 16)
    assert torch.equal(warp_volume(volume, torch.zeros(2, 3, 4, 8, 16)), volume)
    assert torch.equal(warp_picture(picture, torch.zeros(2, 2, 32, 16)), picture)


def test_a_flow_of_whole_voxels_fetches_from_there() -> None:
    volume = torch.randn(1, 2, 4, 8, 8)
    flow = torch.zeros(1, 3, 4, 8, 8)
    flow[:, 0], flow[:, 1], flow[:, 2] = 2 * 2 / 8, -1 * 2 / 8, 1 * 2 / 4
    warped = warp_volume(volume, flow)
    assert torch.allclose(warped[:, :, :3, 1:, :6], volume[:, :, 1:, :7, 2:], atol=1e-6)
    # Beyond the sides is what is at them.
    assert torch.allclose(warped[:, :, 3, 1:, 7], volume[:, :, 3, :7, 7], atol=1e-6)


def test_a_head_that_turned_and_grew_is_found_again() -> None:
    driving, turn = some_points(), a_turn(35.0, 1.3)
    source = driving @ turn.mT + torch.tensor([0.3, -0.1, 0.2])
    found = head_turn(source, driving, torch.ones(BATCH, COUNT))
    assert torch.allclose(found, turn.expand(BATCH, 3, 3), atol=1e-3)


def test_points_without_weight_say_nothing_about_the_head() -> None:
    driving, turn = some_points(), a_turn(-20.0, 0.8)
    source = driving @ turn.mT
    source[:, 5:] += torch.randn(BATCH, COUNT - 5, 3)
    weights = torch.ones(BATCH, COUNT)
    weights[:, 5:] = 0.0
    assert torch.allclose(head_turn(source, driving, weights), turn.expand(BATCH, 3, 3), atol=1e-3)


def test_an_unmoved_head_has_exactly_no_turn() -> None:
    points = some_points()
    assert torch.equal(head_turn(points, points, torch.ones(BATCH, COUNT)), torch.eye(3).expand(BATCH, 3, 3))


def test_mirrored_points_are_no_reflection() -> None:
    points = some_points()
    found = head_turn(points * torch.tensor([-1.0, 1.0, 1.0]), points, torch.ones(BATCH, COUNT))
    assert (torch.linalg.det(found) > 0.0).all()


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_points_turn_no_further_than_they_say(count: int) -> None:
    driving = some_points()[:, :count]
    turn = Rotation.from_euler("z", 30, degrees=True).as_matrix()
    source = driving @ torch.from_numpy(turn).float().mT
    found = head_turn(source, driving, torch.ones(BATCH, count))
    assert torch.isfinite(found).all()
    if count == 1:
        assert torch.equal(found, torch.eye(3).expand(BATCH, 3, 3))
    else:
        arms = (driving[:, 1] - driving[:, 0])[..., None]
        assert torch.allclose(found @ arms, (source[:, 1] - source[:, 0])[..., None], atol=1e-2)
        # About the line through both nothing is known, so nothing is turned.
        across = torch.linalg.cross(arms[..., 0], (source[:, 1] - source[:, 0]))
        assert torch.allclose(found @ across[..., None], across[..., None], atol=1e-2)


def test_candidates_are_the_similarity_about_each_keypoint() -> None:
    grid, source, driving = places((2, 3, 4), torch.zeros(1)), some_points(1), some_points(2)
    turn = torch.stack([a_turn(d, 1.1) for d in (5.0, -40.0, 60.0)])
    flows = candidates(grid, source, driving, turn)
    assert flows.shape == (BATCH, COUNT + 1, 3, 2, 3, 4)
    assert not flows[:, 0].any()
    for b, k, z, y, x in [(0, 0, 0, 0, 0), (1, 3, 1, 2, 3), (2, 7, 0, 1, 2)]:
        place = grid[:, z, y, x]
        wanted = source[b, k] + turn[b] @ (place - driving[b, k]) - place
        assert torch.allclose(flows[b, k + 1, :, z, y, x], wanted, atol=1e-5)


def test_candidates_of_zeroth_order_only_shift() -> None:
    grid, source, driving = places((2, 3, 4), torch.zeros(1)), some_points(1), some_points(2)
    flows = candidates(grid, source, driving, None)
    wanted = (source - driving)[..., None, None, None].expand(BATCH, COUNT, 3, 2, 3, 4)
    assert torch.equal(flows[:, 1:], wanted)


def test_nearness_is_a_gaussian_about_each_keypoint() -> None:
    grid = places((4, 8, 8), torch.zeros(1))
    point = grid[:, 1, 2, 3][None, None]
    near = nearness(grid, point, 0.01)
    assert near.shape == (1, 1, 4, 8, 8)
    assert near[0, 0, 1, 2, 3] == 1.0
    assert near[0, 0, 1, 2, 5].item() == pytest.approx(np.exp(-0.5 * (2 * 2 / 8) ** 2 / 0.01), rel=1e-4)
    assert near[0, 0, 2, 2, 3].item() == pytest.approx(np.exp(-0.5 * 0.5**2 / 0.01), rel=1e-4)


def test_what_moves_within_the_head_is_what_its_own_pose_does_not_explain() -> None:
    driving, turn = some_points(), a_turn(25.0, 1.2)
    weights = torch.ones(BATCH, COUNT)
    weights[:, -1] = 0.0
    source = driving @ turn.mT + 0.1
    found = head_turn(source, driving, weights)
    assert within_head(source, driving, found, weights).abs().max() < 1e-3
    weights[:, -1] = 1e-6  # hardly counts for the head, but is known
    move = torch.tensor([0.02, -0.05, 0.01])
    source[:, -1] -= move
    within = within_head(source, driving, found, weights)
    assert torch.allclose(within[:, -1], move.expand(BATCH, 3), atol=1e-3)
