"""StyleCLIP's latent mapper as it is run: W+ to an offset of W+ (Patashnik et al. 2021, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from studio.domain.edits import LatentMap
from studio.networks.stylegan2 import EPSILON, SLOPE


def mapped(
    ws: Tensor, groups: Sequence[tuple[int, int]], weights: Tensor, biases: Tensor, scale: float
) -> Tensor:
    """The offset ``M(w⁺)``. Has gradients towards the latents, weights and biases.

    Every row of a group goes by itself through the group's network: normalised to a mean square of 1 over its
    own numbers, then the layers, with a leaky rectifier of slope 0.2 behind all but the last.

    Args:
        ws: ``[B, num_ws, w_dim]``.
        groups, weights, biases, scale: those of :class:`~studio.domain.edits.LatentMap`.

    Returns:
        ``[B, num_ws, w_dim]``, zero in rows of no group.
    """
    count, rows, width = ws.shape
    there, back = _places(tuple((int(a), int(b)) for a, b in groups), rows, ws.device)
    x = ws if there is None else ws.index_select(1, there)
    x = x * (x.square().mean(-1, keepdim=True) + EPSILON).rsqrt()
    # All groups at once, because live it is the number of products that costs.
    x = x.reshape(count, len(groups), -1, width).transpose(0, 1).reshape(len(groups), -1, width)
    for layer in range(weights.shape[1]):
        x = functional.leaky_relu(x, SLOPE) if layer else x
        x = torch.baddbmm(biases[:, layer, None], x, weights[:, layer].transpose(1, 2))
    x = scale * x.reshape(len(groups), count, -1, width).transpose(0, 1).reshape(count, -1, width)
    if back is None:
        return x
    return torch.cat([x, x.new_zeros(count, 1, width)], 1).index_select(1, back)


def map_offset(effect: LatentMap, ws: Tensor) -> Tensor:
    """The same of an edit's effect; for many calls keep the tensors and call :func:`mapped`."""
    weights, biases = (torch.as_tensor(x).to(ws) for x in (effect.weights, effect.biases))
    return mapped(ws, effect.groups, weights, biases, effect.scale)


@lru_cache(maxsize=64)
def _places(
    groups: tuple[tuple[int, int], ...], rows: int, device: torch.device
) -> tuple[Tensor | None, Tensor | None]:
    """Rows in the order of groups, each group as long as the longest by having its last row again; and for
    every row its place there, one past the last for rows of no group. None and None where that is the order
    they are in."""
    longest = max(past - first for first, past in groups)
    there = [min(first + k, past - 1) for first, past in groups for k in range(longest)]
    if there == list(range(rows)):
        return None, None
    back = [len(there)] * rows
    for group, (first, past) in enumerate(groups):
        back[first:past] = range(group * longest, group * longest + past - first)
    with torch.inference_mode(False):  # kept, and what was made for rendering could not be trained with
        return torch.tensor(there, device=device), torch.tensor(back, device=device)
