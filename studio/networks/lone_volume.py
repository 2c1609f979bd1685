"""3-D convolutions of one volume at a time, as a picture is drawn live.

torch hands those of a batch of one to a path that is four times slower on processors than what it uses for
larger ones. As 2-D convolutions of all layers at once, with their neighbours as further channels, they take
the fast one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolved(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """What ``conv(x)`` is, for an odd cube that keeps the size; ``[B, C, D, h, w]``."""
    lone = len(x) == 1 and x.device.type == "cpu" and not torch.is_grad_enabled()
    return in_layers(conv, x) if lone and conv.kernel_size[0] > 1 else conv(x)


def in_layers(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """The same, by 2-D convolutions."""
    kernel, depth = conv.kernel_size[0], x.shape[2]
    reach = kernel // 2
    wide = functional.pad(x, (0, 0, 0, 0, reach, reach))
    layers = torch.cat([wide[:, :, shift : shift + depth] for shift in range(kernel)], 1).transpose(1, 2)
    weight = conv.weight.transpose(1, 2).flatten(1, 2)
    drawn = functional.conv2d(layers.flatten(0, 1), weight, conv.bias, padding=reach)
    return drawn.view(len(x), depth, *drawn.shape[1:]).transpose(1, 2)
