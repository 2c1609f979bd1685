"""Directions that stay at right angles while they are learnt: the Q of a weight's QR decomposition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from studio.networks.precision import full_precision


class OrthonormalBasis(nn.Module):
    """n orthonormal directions in d dimensions (Wang et al. 2022, LIA; Ki et al. 2024, equation 2).

    What is learnt is any ``[d, n]`` matrix. Q alone is only defined up to the sign of each column, and which
    sign a library returns may jump from one step to the next; here the diagonal of R is made positive, so Q
    is a smooth function of the weight and a direction never turns round.
    """

    def __init__(self, dimensions: int, directions: int) -> None:
        """ValueError when there cannot be so many directions."""
        super().__init__()
        if not 0 < directions <= dimensions:
            raise ValueError(f"{directions} directions at right angles in {dimensions} dimensions")
        self.weight = nn.Parameter(torch.randn(dimensions, directions) / dimensions**0.5)

    def forward(self) -> Tensor:
        """``[d, n]``, its columns orthonormal, in float32 at least, whatever autocast says."""
        with full_precision(self.weight):
            q, r = torch.linalg.qr(self.weight.to(torch.promote_types(self.weight.dtype, torch.float32)))
            diagonal = r.diagonal()
            return q * torch.where(diagonal < 0, -1.0, 1.0).to(q.dtype)
