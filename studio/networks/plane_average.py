"""A tri-plane of everybody, kept as a moving average of all that were made (Ki et al. 2024, equation 12)."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn


class PlaneAverage(nn.Module):
    """Adds the average so far to planes, and in training takes their mean in afterwards.

    ``T ← T + E`` and ``E ← δ E + (1 − δ) T̄`` with E of the step before and E⁰ = 0. T̄ is the batch's mean of
    planes as they were generated, before E is added: with E in it, nothing would ever leave the average and
    it would grow without end. In evaluation nothing changes. In several processes T̄ is over all of them.
    """

    average: Tensor
    """``[3, F, P, P]``"""

    def __init__(self, features: int, side: int, keep: float) -> None:
        """
        Args:
            features: of a plane.
            side: of a plane.
            keep: δ, share of the average that stays at each step; 1 for no average at all.
        """
        super().__init__()
        self.keep = keep
        self.register_buffer("average", torch.zeros(3, features, side, side))

    def forward(self, planes: Tensor) -> Tensor:
        """``[B, 3, F, P, P]`` to the same."""
        whole = planes + self.average.to(planes.dtype)
        if self.training and self.keep < 1.0:
            with torch.no_grad():
                mean = planes.detach().float().mean(0)
                if distributed.is_available() and distributed.is_initialized():
                    distributed.all_reduce(mean)
                    mean /= distributed.get_world_size()
                # A new tensor: the sum above may still be on its way back.
                self.average = torch.lerp(mean, self.average, self.keep)
        return whole
