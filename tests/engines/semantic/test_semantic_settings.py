"""Sizes of semantic networks: the paper's numbers, and shapes for every side, without computing."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn

from studio.engines.semantic.network import SemanticNetwork
from studio.engines.semantic.settings import CODE, FULL, SIZES, Side, Size, semantic_settings
from studio.networks.patch_discriminator import PatchDiscriminator


def millions(part: nn.Module) -> float:
    return sum(p.numel() for p in part.parameters()) / 1e6


def test_full_width_is_the_papers() -> None:
    assert semantic_settings("full", 256) == FULL
    with torch.device("meta"):
        # Spectral norm has no parameters of its own, and takes seconds to set up.
        told = SemanticNetwork(replace(FULL, spectral=False))
        untold = SemanticNetwork(replace(FULL, spectral=False, expression_code=False))
        critic = PatchDiscriminator(FULL.critic_first, FULL.critic_most, FULL.critic_layers, 1, False)
    assert millions(untold) == pytest.approx(101.1, rel=0.005)
    assert millions(untold.motion) == pytest.approx(43.6, rel=0.01)
    # The public decoder begins behind the two convolutions that gather the volume.
    gather = millions(untold.decoder.gather) + millions(untold.decoder.mix) + 2 * 256 / 1e6
    assert millions(untold.decoder) - gather == pytest.approx(55.36, rel=0.001)
    assert millions(critic) == pytest.approx(2.76, rel=0.005)
    # The code and how much of it is known are more channels for the first convolution of every condition.
    conditions = 2 * FULL.decoder_blocks + 3 * FULL.halvings
    more = (CODE + 1) * FULL.spade_hidden * 9 * conditions / 1e6
    assert millions(told) - millions(untold) == pytest.approx(more, rel=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", get_args(Side))
def test_every_size_draws_every_side(size: Size, side: Side) -> None:
    shape = replace(semantic_settings(size, side), spectral=False)
    volume = min(64 if size in ("middle", "full") else 32, side // 2)
    with torch.device("meta"):
        network = SemanticNetwork(shape)
        critic = PatchDiscriminator(
            shape.critic_first, shape.critic_most, shape.critic_layers, shape.critic_scales, False
        )
        source, keypoints = torch.zeros(2, shape.source_channels, side, side), torch.zeros(2, 16, 3)
        encoded = network.encode(source)
        drawn = network.draw(source, encoded, keypoints, keypoints, torch.zeros(2, 53))
        said = critic(drawn.picture)
    channels = shape.volume_channels + shape.person_mask
    assert encoded.shape == (2, channels, shape.volume_depth, volume, volume)
    assert drawn.picture.shape == (2, 3, side, side)
    assert drawn.volume.shape == encoded.shape
    assert drawn.flow.shape == (2, 3, shape.volume_depth, volume, volume)
    assert drawn.masks.shape == (2, 17, shape.volume_depth, volume, volume)
    assert drawn.occlusion.shape == (2, 1, volume, volume)
    assert (drawn.picture_flow is not None) == (drawn.share is not None) == shape.paint_over
    assert len(said) == shape.critic_scales
    assert min(said[-1].score.shape) >= 1


def test_full_width_has_the_papers_volume() -> None:
    assert (FULL.volume_channels, FULL.volume_depth, FULL.volume_side) == (32, 16, 64)
    assert FULL.halvings == 2
    assert FULL.decoder_blocks + FULL.halvings == 8  # eight blocks (paper, section 3.2)


def test_what_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="huge"):
        semantic_settings("huge", 256)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="100"):
        semantic_settings("full", 100)  # type: ignore[arg-type]
