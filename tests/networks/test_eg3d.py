"""EG3D against its slow twin, and what of it depends on what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from studio.networks.eg3d import Eg3dConfig, Eg3dGenerator
from tests.networks.little_eg3d import LITTLE, little_cameras, little_generator
from tests.networks.slow_eg3d import Look, slow_latents, slow_planes, slow_raw, slow_sharp

LOOK = Look(3, 2.25, 3.3, 1.0, 7, 5, 256.0)


def test_it_draws_what_its_slow_twin_draws():
    made, cameras = little_generator(), little_cameras()
    weights = made.state_dict()
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ws = made.latents(z, cameras)
        planes = made.planes(ws)
        drawn = made(z, cameras)
    slow_ws = slow_latents(weights, z, cameras, 4)
    assert torch.allclose(ws.double(), slow_ws, atol=1e-5)
    slow = slow_planes(weights, slow_ws, 8)
    assert torch.allclose(planes.double(), slow, atol=1e-4)
    raw, depth = slow_raw(weights, slow, cameras, LOOK)
    assert float(drawn.alpha.amin()) > 0.05
    assert torch.allclose(drawn.raw.double(), raw[:, :3], atol=1e-4)
    assert torch.allclose(drawn.depth[:, 0].double(), depth, atol=1e-4)
    sharp = slow_sharp(weights, raw, slow_ws, 4, 256.0)
    assert torch.allclose(drawn.picture.double(), sharp, atol=1e-4)


def test_the_published_size():
    with torch.device("meta"):
        made = Eg3dGenerator(Eg3dConfig())
        assert made.backbone.synthesis.num_ws == 14
        planes, kept = made.planes_and(torch.empty(1, 14, 512), 64)
        assert planes.shape == (1, 3, 32, 256, 256)
        assert kept is not None
        assert kept.shape == (1, 512, 64, 64)
        assert made.superresolution(torch.empty(1, 32, 64, 64), torch.empty(1, 512)).shape == (1, 3, 512, 512)

    def millions(module):
        return sum(value.numel() for value in module.parameters()) / 1e6

    assert millions(made.backbone.synthesis) == pytest.approx(28.21, abs=0.005)
    assert millions(made.superresolution) == pytest.approx(1.65, abs=0.005)
    weights = made.state_dict()
    assert tuple(weights["decoder.net.2.weight"].shape) == (33, 64)
    assert tuple(weights["backbone.mapping.fc0.weight"].shape) == (512, 1024)


def test_planes_are_drawn_once_for_all_cameras_and_a_warp_of_nothing_changes_nothing():
    made, cameras = little_generator(), little_cameras(3)
    ws = made.latents(torch.ones(1, 6), cameras[:1]).expand(3, -1, -1)
    with torch.no_grad():
        planes = made.planes(ws)
        plain = made.draw(planes, ws, made.beams(cameras))
        same = made.draw(planes, ws, made.beams(cameras), lambda points: points)
        moved = made.draw(planes, ws, made.beams(cameras), lambda points: points + 0.1)
    assert torch.equal(plain.picture, same.picture)
    assert not torch.allclose(plain.raw, moved.raw, atol=1e-2)


def test_a_warp_moves_what_is_seen():
    """Looking everything up a little further to the right shows it a little further to the left."""
    config = replace(LITTLE, raw_side=4, coarse_samples=24, fine_samples=0)
    made = little_generator(config)
    ws = torch.zeros(1, 4, 8)
    planes = made.planes(ws).detach()
    straight = torch.eye(4)
    straight[:3, :3], straight[2, 3] = torch.diag(torch.tensor([1.0, -1.0, -1.0])), 1000.0
    lens = torch.tensor([[1000.0, 0.0, 0.5], [0.0, 1000.0, 0.5], [0.0, 0.0, 1.0]])
    numbers = torch.cat([straight.flatten(), lens.flatten()])[None]
    far = replace(made.beams(numbers), near=torch.full((1, 16), 999.6), far=torch.full((1, 16), 1000.4))
    with torch.no_grad():
        plain = made.draw(planes, ws, far)
        pixel = torch.tensor([0.25, 0.0, 0.0])
        moved = made.draw(planes, ws, far, lambda points: points + pixel)
    assert torch.allclose(moved.raw[..., :3], plain.raw[..., 1:], atol=5e-3)
    assert not torch.allclose(plain.raw[..., :3], plain.raw[..., 1:], atol=5e-2)


def test_the_mapping_is_told_the_camera_unless_its_scale_is_nothing():
    z, cameras = torch.randn(1, 6).expand(2, -1), little_cameras()
    with torch.no_grad():
        told = little_generator().latents(z, cameras)
        blind = little_generator(replace(LITTLE, camera_scale=0.0)).latents(z, cameras)
        half = little_generator().latents(z, cameras, 0.5)
    assert not torch.allclose(told[0], told[1])
    assert torch.allclose(blind[0], blind[1], atol=1e-6)
    average = little_generator().backbone.mapping.w_avg
    assert torch.allclose(half, 0.5 * (told + average), atol=1e-6)


def test_the_average_latent_follows_what_training_notes():
    mapping = little_generator().backbone.mapping
    before = mapping.w_avg.clone()
    mapping.note(torch.ones(5, 8), 0.75)
    assert torch.allclose(mapping.w_avg, 0.75 * before + 0.25)


def test_all_parts_learn_and_chance_draws_other_pictures():
    made, cameras = little_generator().requires_grad_(True), little_cameras()
    chance = torch.Generator().manual_seed(0)
    z = torch.randn(2, 6)
    first = made(z, cameras, chance=chance)
    second = made(z, cameras, chance=chance)
    assert not torch.equal(first.raw, second.raw)
    (first.picture.square().mean() + first.alpha.mean()).backward()
    dead = [n for n, p in made.named_parameters() if p.grad is None and "noise_strength" not in n]
    assert not dead
    assert all(bool(torch.isfinite(p.grad).all()) for p in made.parameters() if p.grad is not None)


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not double"):
        Eg3dGenerator(replace(LITTLE, side=18))
