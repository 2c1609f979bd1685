"""What VGG19 feels at five depths: the trunk of perceptual losses (Johnson et al. 2016)."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.domain.problem import Problem

WIDTHS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
"""Channels of the convolutions up to the deepest that is looked at (Simonyan & Zisserman 2015, column E)."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of red, green and blue in 0..1: torchvision's weights expect them taken out."""


class Vgg19Features(nn.Module):
    """``relu1_1, relu2_1, relu3_1, relu4_1, relu5_1`` of pictures."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        inside = [3, *(width for widths in WIDTHS for width in widths)]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(inside, inside[1:]))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """``[B, 3, H, W]`` in -1..1, sides 16 or more, to five ``[B, C, h, w]``, fine to coarse."""
        x = (0.5 * picture + 0.5 - self.mean) / self.deviation
        felt, convs = [], iter(self.convs)
        for depth, widths in enumerate(WIDTHS):
            if depth:
                x = functional.max_pool2d(x, 2)
            for place in range(len(widths)):
                x = functional.relu(next(convs)(x))
                if place == 0:
                    felt.append(x)
        return felt


def load_vgg19(path: Path) -> Vgg19Features:
    """The trunk in torchvision's ``vgg19-dcbb9e9d.pth``, or the same tensors as safetensors.

    Raises:
        Problem: when the file is something else.
    """
    network = Vgg19Features()
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            stored = load_file(path)
        else:
            stored = torch.load(path, map_location="cpu", weights_only=True)
        # In torchvision's list rectifiers and poolings count as well.
        numbers = sorted(
            int(match[1]) for name in stored if (match := re.fullmatch(r"features\.(\d+)\.weight", name))
        )
        if len(numbers) != 16:
            raise ValueError(f"{len(numbers)} convolutions")
        for number, conv in zip(numbers, network.convs):
            conv.load_state_dict({part: stored[f"features.{number}.{part}"] for part in ("weight", "bias")})
    except Exception as error:
        raise Problem(
            f"{path.name} is not torchvision's VGG19 checkpoint ({error}); put the right file in its place, "
            "or remove it to train without."
        ) from error
    return network
