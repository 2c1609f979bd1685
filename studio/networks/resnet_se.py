"""ResNet-18 with channel attention: a picture to a row of numbers (He et al. 2016; Hu et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn

STAGES = (2, 2, 2, 2)
"""Blocks in each stage: 18 layers with the first and the last."""
SQUEEZE = 16
"""The channels over this are those between the two layers of a channel attention."""


class SeBlock(nn.Module):
    """Two 3×3 convolutions whose channels are weighed by what the picture has of them, and a way around.

    The attention comes before the sum, as in SE-ResNet. Its layers are linear ones, and the way around takes
    every other place before its convolution instead of striding in it: the same numbers. As convolutions of
    single pixels both had gradients, where there is AVX2 alone, that depended on what lay beside in memory.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        narrow = max(1, outputs // SQUEEZE)
        self.attention = nn.Sequential(
            nn.Linear(outputs, narrow), nn.ReLU(), nn.Linear(narrow, outputs), nn.Sigmoid()
        )
        self.stride = stride
        self.around: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.around = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs, h, w]`` to ``[B, outputs, ⌈h / stride⌉, ⌈w / stride⌉]``."""
        inner = self.inner(x)
        weighed = inner * self.attention(inner.mean((2, 3)))[:, :, None, None]
        out: Tensor = (weighed + self.around(x[:, :, :: self.stride, :: self.stride])).relu()
        return out


class ResNetSe18(nn.Module):
    """Pictures ``[B, 3, H, W]`` in -1..1, any size from 32, to ``[B, outputs]``."""

    def __init__(self, outputs: int, width: int = 64) -> None:
        """
        Args:
            outputs: numbers for each picture.
            width: channels of the first stage; they double with each further one. 64: the published one.
        """
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks, before = [], width
        for stage, count in enumerate(STAGES):
            for step in range(count):
                blocks.append(SeBlock(before, width << stage, 2 if stage and not step else 1))
                before = width << stage
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(before, outputs)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        features: Tensor = self.blocks(self.stem(pictures)).mean((2, 3))
        out: Tensor = self.last(features)
        return out
