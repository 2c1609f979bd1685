"""A discriminator that is told where a picture is seen from."""

from __future__ import annotations

import torch

from studio.networks.camera_discriminator import CameraDiscriminator


def test_the_camera_has_a_say_and_so_has_the_picture():
    torch.manual_seed(0)
    critic = CameraDiscriminator(32, 4, 16)
    pictures, cameras = torch.randn(4, 3, 32, 32), torch.randn(4, 25)
    logits = critic(pictures, cameras)
    assert logits.shape == (4,)
    assert (critic(pictures, cameras.flip(0)) - logits).abs().min() > 1e-5
    assert (critic(pictures.flip(0), cameras) - logits).abs().min() > 1e-5


def test_it_learns_which_picture_belongs_to_which_camera():
    """Bright pictures from the left, dark ones from the right: neither alone says what is real."""
    torch.manual_seed(1)
    critic = CameraDiscriminator(16, 4, 16, numbers=2)
    optimiser = torch.optim.Adam(critic.parameters(), lr=3e-3)
    for _ in range(60):
        side = torch.randint(0, 2, (16,)) * 2.0 - 1.0
        told = torch.stack([side, torch.ones(16)], -1)
        light = torch.randint(0, 2, (16,)) * 2.0 - 1.0
        pictures = 0.5 * light[:, None, None, None] + 0.1 * torch.randn(16, 3, 16, 16)
        loss = torch.nn.functional.softplus(-critic(pictures, told) * side * light).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.2


def test_pictures_that_are_all_alike_are_known_by_it():
    """The spread within a batch is among what it sees."""
    torch.manual_seed(2)
    critic = CameraDiscriminator(16, 4, 16, numbers=2)
    one, told = torch.randn(1, 3, 16, 16), torch.randn(1, 2).expand(4, 2)
    alike, varied = one.expand(4, -1, -1, -1), torch.cat([one, torch.randn(3, 3, 16, 16)])
    assert (critic(alike, told)[0] - critic(varied, told)[0]).abs() > 1e-5
    assert torch.isfinite(critic(one, told[:1])).all()
