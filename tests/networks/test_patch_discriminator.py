"""The discriminator of patches: its size, what it sees, what it hands on."""

from __future__ import annotations

import torch

from studio.networks.patch_discriminator import PatchDiscriminator


def test_it_is_as_large_as_the_public_one() -> None:
    with torch.device("meta"):
        part = PatchDiscriminator(64, 512, 4, 1)
    assert abs(sum(p.numel() for p in part.parameters()) / 2.76e6 - 1.0) < 0.005


def test_every_resolution_judges_patches_and_shows_its_features() -> None:
    torch.manual_seed(0)
    part = PatchDiscriminator(4, 8, 4, 2)
    said = part(torch.randn(2, 3, 128, 128))
    assert [one.score.shape for one in said] == [(2, 1, 10, 10), (2, 1, 2, 2)]
    assert [len(one.features) for one in said] == [4, 4]
    assert said[0].features[0].shape == (2, 4, 62, 62)


def test_the_second_resolution_does_not_see_what_cancels_in_two_by_two() -> None:
    torch.manual_seed(0)
    part = PatchDiscriminator(4, 8, 3, 2)
    checks = torch.ones(1, 3, 64, 64)
    checks[..., ::2, ::2] = checks[..., 1::2, 1::2] = -1.0
    fine, coarse = part(checks)
    blank_fine, blank_coarse = part(torch.zeros(1, 3, 64, 64))
    assert torch.allclose(coarse.score, blank_coarse.score, atol=1e-6)
    assert not torch.allclose(fine.features[0], blank_fine.features[0], atol=1e-3)
