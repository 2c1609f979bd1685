"""3-D convolutions by layers against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studio.networks.lone_volume import convolved, in_layers


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_same_as_torchs(kernel: int, batch: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(3, 4, kernel, padding=kernel // 2)
    x = torch.randn(batch, 3, 5, 7, 6)
    with torch.no_grad():
        assert torch.allclose(in_layers(conv, x), conv(x), atol=1e-5)
        assert torch.allclose(convolved(conv, x), conv(x), atol=1e-5)
    convolved(conv, x).sum().backward()
    assert conv.weight.grad is not None
