"""StyleCLIP's latent mapper as it is run: W+ to an offset of W+ (Patashnik et al. 2021, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

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
    out = torch.zeros_like(ws)
    for group, (first, past) in enumerate(groups):
        x = ws[:, first:past]
        x = x * (x.square().mean(-1, keepdim=True) + EPSILON).rsqrt()
        for layer in range(weights.shape[1]):
            x = functional.leaky_relu(x, SLOPE) if layer else x
            x = functional.linear(x, weights[group, layer], biases[group, layer])
        out[:, first:past] = scale * x
    return out


def map_offset(effect: LatentMap, ws: Tensor) -> Tensor:
    """The same of an edit's effect; for many calls keep the tensors and call :func:`mapped`."""
    weights, biases = (torch.as_tensor(x).to(ws) for x in (effect.weights, effect.biases))
    return mapped(ws, effect.groups, weights, biases, effect.scale)
