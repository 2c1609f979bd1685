"""Pictures as CLIP looks at them: brought to its size by the filter it was trained with, whole or as crops.

A picture is resampled along rows and columns by two matrices, which is what bicubic filtering with a low-pass
is (Pillow's, and PyTorch's with ``antialias``). Written so, a crop of any place and size costs no more than
the whole picture, and it has gradients on every device.

Crops that change with every step keep an optimisation from finding noise that means something to CLIP alone:
what must hold for every crop is something that is seen.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHARPNESS = -0.5
"""Of the cubic kernel (Keys 1981), as in Pillow."""
REACH = 2.0
"""Half the width of that kernel, in pixels."""


def looked_at(pictures: Tensor, side: int, windows: Tensor | None = None) -> Tensor:
    """Windows of pictures at another size.

    Args:
        pictures: ``[B, 3, R, R]``.
        side: of what is returned.
        windows: ``[B, 3]`` left and top edge and side of a window, each as a share of R; None for the whole.

    Returns:
        ``[B, 3, side, side]``. Has gradients towards the pictures.
    """
    if windows is None:
        windows = pictures.new_tensor([[0.0, 0.0, 1.0]])
    windows = windows.to(pictures)
    rows = resampling(pictures.shape[2], side, windows[:, 1], windows[:, 2])
    columns = resampling(pictures.shape[3], side, windows[:, 0], windows[:, 2])
    return rows[:, None] @ pictures @ columns[:, None].transpose(2, 3)


def resampling(inputs: int, outputs: int, start: Tensor, length: Tensor) -> Tensor:
    """Weights of the pixels of a line for those of a window of it.

    Args:
        inputs, outputs: pixels of the line and of the window.
        start, length: ``[B]`` where the window begins and how long it is, as shares of the line.

    Returns:
        ``[B, outputs, inputs]``; every row sums to 1.
    """
    step = length * (inputs / outputs)
    places = torch.arange(outputs, dtype=start.dtype, device=start.device) + 0.5
    centres = start[:, None] * inputs + places * step[:, None]
    pixels = torch.arange(inputs, dtype=start.dtype, device=start.device) + 0.5
    # Where the picture shrinks, the kernel widens with it: a low-pass.
    away = (pixels - centres[..., None]) / step.clamp_min(1.0)[:, None, None]
    weights = _cubic(away.abs())
    return weights / weights.sum(-1, keepdim=True)


def _cubic(x: Tensor) -> Tensor:
    a = SHARPNESS
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    return torch.where(x < 1.0, near, torch.where(x < REACH, far, torch.zeros_like(x)))


def random_windows(count: int, smallest: float, chance: torch.Generator) -> Tensor:
    """``[count, 3]`` squares within pictures: of a side from ``smallest`` to 1, anywhere; see
    :func:`looked_at`.

    Args:
        chance: a generator of the CPU.
    """
    draws = torch.rand(count, 3, generator=chance)
    side = smallest + (1.0 - smallest) * draws[:, 2]
    return torch.stack([*(draws[:, :2].T * (1.0 - side)), side], 1)
