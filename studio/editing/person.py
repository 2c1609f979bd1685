"""What methods see of a person's generator, whichever engine it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """B pictures of a person, before they are drawn."""

    ws: Tensor
    """``[B, num_ws, w_dim]``."""
    moments: Tensor
    """``[B]`` which of the person's moments each is drawn in, int64: a generator that paints over a guide
    shows another face in each; one that draws by itself ignores them."""

    def __len__(self) -> int:
        return len(self.ws)


class LatentPerson(Protocol):
    """A personal generator with what it usually draws. Pictures are ``[B, 3, R, R]`` RGB, about -1..1.

    Attributes:
        num_ws, w_dim: shape of a W+ latent.
        resolution: side R of the pictures.
        moments: how many moments there are to draw in.
        style_widths: channels of every layer, in the order of StyleSpace; they sum to C.
        style_rows: for every layer, the row of W+ from which its style comes.
        device: where the generator is.
    """

    num_ws: int
    w_dim: int
    resolution: int
    moments: int
    style_widths: tuple[int, ...]
    style_rows: tuple[int, ...]
    device: torch.device

    def sample(self, count: int, seed: int) -> Samples:
        """Latents as this person has them, over the clip's poses and expressions and a little around them;
        the same for the same seed."""

    def usual(self, count: int) -> Samples:
        """The clip's typical moments, the most typical one first, as the avatar draws them; at most
        ``moments``."""

    def styles(self, ws: Tensor) -> Tensor:
        """``[B, C]`` of ``[B, num_ws, w_dim]``. Has gradients."""

    def draw(self, ws: Tensor, moments: Tensor) -> Tensor:
        """Pictures of latents. Has gradients towards ``ws``."""

    def draw_styles(self, styles: Tensor, moments: Tensor) -> Tensor:
        """Pictures of styles ``[B, C]``. Has gradients towards ``styles``."""
