"""Layer normalisation whose scale and shift a condition says (Peebles & Xie 2023, DiT)."""

from __future__ import annotations

from torch import Tensor, nn


class AdaptiveLayerNorm(nn.Module):
    """``σ(c) · LN(x) + μ(c)`` (Ki et al. 2024, equation 5: EAdaLN, where the condition is an expression).

    σ and μ are one linear layer each, made in one. It begins neutral: σ is 1 and μ is 0 for every condition,
    so that it equals layer normalisation exactly.
    """

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.told = nn.Linear(condition, 2 * width)
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens ``[B, N, width]`` and conditions ``[B, condition]`` to ``[B, N, width]``."""
        more, shift = self.told(condition)[:, None].chunk(2, -1)
        out: Tensor = (1.0 + more) * self.norm(x) + shift
        return out
