"""From densities along rays to what the eye sees (Mildenhall et al. 2020, eqs. 3-5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Composite:
    """What N rays see."""

    values: Tensor
    """``[..., C]`` values seen, already multiplied by how much is seen of them."""
    alpha: Tensor
    """``[...]`` 0..1, how much of the ray ends inside."""
    depth: Tensor
    """``[...]`` mean depth of what is seen, whatever passes through counted as seen at the last sample."""
    weights: Tensor
    """``[..., S]`` how much each sample is seen; they sum to alpha."""


def visibility(density: Tensor, lengths: Tensor) -> Tensor:
    """How much each sample is seen: ``[..., S]`` weights.

    Args:
        density: ``[..., S]`` per metre, not negative, first sample nearest to the viewer.
        lengths: ``[..., S]`` metres of the ray for which each sample stands.
    """
    optical = density * lengths
    # The sum of what comes before, not of all less the own part: that forgets thin fog before a wall.
    before = torch.cat([torch.zeros_like(optical[..., :1]), optical[..., :-1].cumsum(-1)], -1)
    return torch.exp(-before) * -torch.expm1(-optical)


def composite(density: Tensor, lengths: Tensor, values: Tensor, depth: Tensor) -> Composite:
    """Values seen along rays.

    Args:
        density: ``[..., S]`` per metre.
        lengths: ``[..., S]`` metres of the ray for which each sample stands: what ``lengths_of`` says times
            ``Rays.length``.
        values: ``[..., S, C]`` at the samples.
        depth: ``[..., S]`` of the samples, growing.
    """
    weights = visibility(density, lengths)
    alpha = weights.sum(-1)
    seen = (weights[..., None] * values).sum(-2)
    mean = (weights * depth).sum(-1) + (1.0 - alpha) * depth[..., -1]
    return Composite(seen, alpha, mean, weights)


def stratified(
    enter: Tensor, leave: Tensor, count: int, chance: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Depths ``[..., count]`` in equal parts of a span, each at a random place of its part (its middle
    without ``chance``), and the parts' edges ``[..., count + 1]``."""
    part = torch.linspace(0.0, 1.0, count + 1, device=enter.device, dtype=enter.dtype)
    width = (leave - enter).clamp_min(0.0)[..., None]
    edges = enter[..., None] + width * part
    if chance is None:
        place = torch.full_like(edges[..., :-1], 0.5)
    else:
        place = torch.rand((*enter.shape, count), generator=chance, device=enter.device, dtype=enter.dtype)
    return edges[..., :-1] + place * (edges[..., 1:] - edges[..., :-1]), edges


def important(edges: Tensor, weights: Tensor, count: int, chance: torch.Generator | None) -> Tensor:
    """Depths ``[..., count]``, ascending, where weights are.

    They are drawn from the piecewise constant distribution that has ``weights`` ``[..., S]`` between
    ``edges`` ``[..., S + 1]``, one from each of ``count`` equally likely parts (its middle without
    ``chance``). Where there is no weight at all they spread over the whole span. No gradient goes through
    the weights.
    """
    share = weights.detach() + 1e-5
    share = (share / share.sum(-1, keepdim=True)).to(edges.dtype)
    reached = torch.cat([torch.zeros_like(share[..., :1]), share.cumsum(-1)], -1)
    at = torch.arange(count, device=edges.device, dtype=edges.dtype).expand(*share.shape[:-1], count)
    if chance is None:
        at = (at + 0.5) / count
    else:
        at = (at + torch.rand(at.shape, generator=chance, device=edges.device, dtype=edges.dtype)) / count
    place = torch.searchsorted(reached, at.contiguous(), right=True).clamp(1, share.shape[-1])
    low, high = reached.gather(-1, place - 1), reached.gather(-1, place)
    start, end = edges.gather(-1, place - 1), edges.gather(-1, place)
    return start + (end - start) * ((at - low) / (high - low).clamp_min(1e-9)).clamp(0.0, 1.0)


def lengths_of(depth: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """``[..., S]`` how much depth each sample stands for: from half-way to the sample before to half-way to
    the one after, within ``[enter, leave]`` (``[...]``); together the whole span."""
    middle = 0.5 * (depth[..., 1:] + depth[..., :-1])
    edges = torch.cat([enter[..., None], middle, leave[..., None]], -1)
    return (edges[..., 1:] - edges[..., :-1]).clamp_min(0.0)
