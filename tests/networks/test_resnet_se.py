"""ResNet-18 with channel attention: its size, and that attention weighs channels."""

from __future__ import annotations

import torch

from studio.networks.resnet_se import ResNetSe18, SeBlock


def test_it_has_eighteen_layers_and_the_size_of_the_published_one():
    with torch.device("meta"):
        network = ResNetSe18(1000)
    # The first layer, two in each of eight blocks, the last one; attention and shortcuts do not count.
    convolutions = [
        m for name, m in network.named_modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size[0] > 1
    ]
    assert len(convolutions) + 1 == 18
    # torchvision's ResNet-18 has 11,689,512; attention adds two layers and their biases a block.
    attention = sum(2 * c * (c // 16) + c // 16 + c for c in (64, 128, 256, 512)) * 2
    assert sum(p.numel() for p in network.parameters()) == 11_689_512 + attention


def test_pictures_of_any_size_become_rows():
    network = ResNetSe18(6, width=8).eval()
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 6)
    assert network(torch.rand(1, 3, 96, 32)).shape == (1, 6)


def test_a_channel_that_attention_closes_adds_nothing():
    torch.manual_seed(0)
    block = SeBlock(32, 32, 1).eval()
    x = torch.rand(1, 32, 5, 5)
    with torch.no_grad():
        last = block.attention[2]
        assert isinstance(last, torch.nn.Linear)
        last.weight.zero_()
        last.bias.fill_(-200.0)
        assert torch.equal(block(x), x)  # all of it is the way around
        last.bias.fill_(200.0)
        assert torch.allclose(block(x), (block.inner(x) + x).relu())
