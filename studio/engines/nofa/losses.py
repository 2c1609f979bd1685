"""What a NOFA network is taught by (paper, section 3.3).

Each part is a mean over the batch. Which parts a stage adds up, and with which weights, is in
:data:`STAGES`; the paper's own weights cannot be read any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.perceptual import PerceptualLoss

Stage = Literal["general", "teeth", "compensation", "fine_tuning"]
"""What is trained one after the other; fine-tuning is for one person."""
Embed = Callable[[Tensor], Tensor]
"""FFHQ-type aligned crops ``[B, 3, R, R]`` in -1..1 to who is in them, ``[B, E]`` of length one."""

MOUTH_SIDE = 64
"""Side of a mouth's crop, pixels."""
FACE_SIDE = 256
"""Side of a face's crop for the identity network, pixels."""
AROUND_LIPS = 0.5
"""How much larger than the lips a mouth's square is."""
CLOSEST = 0.25
"""A mouth's square is at least this share of the picture."""
LIKENESS = 0.1
"""Share of a canonical volume's mean and deviation that compensation should have: the paper's scale."""


@dataclass(frozen=True)
class Parts:
    """A number each; None where a stage has none."""

    squares: Tensor | None = None
    """Mean squared difference (equation 3)."""
    perceptual: Tensor | None = None
    """Perceptual difference (equation 3)."""
    mouth: Tensor | None = None
    """Both, of the mouth alone (equations 4 and 8)."""
    identity: Tensor | None = None
    """One less the cosine of who it is (equation 5)."""
    latent: Tensor | None = None
    """How far latents are from the average one (equation 6)."""
    distribution: Tensor | None = None
    """How unlike the canonical volume's distribution compensation's is (equation 10)."""
    raw: Tensor | None = None
    """Mean squared difference of raw pictures; the project's."""


@dataclass(frozen=True)
class Weights:
    """How much each part counts."""

    squares: float = 0.0
    """λ of squared differences."""
    perceptual: float = 0.0
    """λ of perceptual ones; e4e's, pSp's and TriPlaneNet's."""
    mouth: float = 0.0
    """λ of the mouth."""
    identity: float = 0.0
    """λ of identity."""
    latent: float = 0.0
    """λ of the latent regulariser."""
    distribution: float = 0.0
    """λ of the distribution regulariser."""
    raw: float = 0.0
    """λ of raw pictures."""


STAGES: Mapping[Stage, Weights] = {
    "general": Weights(1.0, 0.8, 1.0, 0.1, 0.005),
    "teeth": Weights(1.0, 0.8, 1.0, 0.1, 0.005),
    "compensation": Weights(1.0, 0.8, 0.0, 0.1, 0.0, 0.1),
    "fine_tuning": Weights(1.0, 0.8, 1.0, 0.1, 0.0, 0.1),
}
"""Equations 7, 8, 11 and 12."""


def weighted(parts: Parts, weights: Weights) -> dict[str, Tensor]:
    """What is there, by name, times its weight."""
    found = {field.name: getattr(parts, field.name) for field in fields(parts)}
    return {name: getattr(weights, name) * part for name, part in found.items() if part is not None}


def total(parts: Parts, weights: Weights) -> Tensor:
    """The weighted sum of what is there.

    Raises:
        ValueError: nothing is.
    """
    terms = [*weighted(parts, weights).values()]
    if not terms:
        raise ValueError("no part of a loss was given")
    return torch.stack(terms).sum()


def reconstruction(
    drawn: Tensor, wanted: Tensor, perceptual: PerceptualLoss, counts: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean squared and perceptual difference of pictures ``[B, 3, S, S]`` in -1..1 (equation 3).

    Args:
        drawn, wanted: the pictures.
        perceptual: what compares looks.
        counts: ``[B, 1, S, S]`` how much squares count at each place, 1 on average; None for all alike.
    """
    error = (drawn - wanted).square()
    squares = error.mean() if counts is None else (error * counts).mean()
    return squares, perceptual(drawn.clamp(-1.0, 1.0), wanted).mean()


def mouth(
    drawn: Tensor, wanted: Tensor, boxes: Tensor, perceptual: PerceptualLoss, weight: float = 0.8
) -> Tensor:
    """The same of mouths (equations 4 and 8), the perceptual part times ``weight``.

    Args:
        drawn: ``[B, 3, S, S]`` -1..1.
        wanted: the same; in teeth refinement what a restoration network made of ``drawn``.
        boxes: ``[B, 4]``, see :func:`mouth_boxes`.
        perceptual: what compares looks.
        weight: of it.
    """
    ours, theirs = aligned(torch.cat([drawn, wanted]), boxes.repeat(2, 1), MOUTH_SIDE).chunk(2)
    squares, looks = reconstruction(ours, theirs, perceptual)
    return squares + weight * looks


def identity(drawn: Tensor, wanted: Tensor, boxes: Tensor, embed: Embed) -> Tensor:
    """One less the cosine of who is in pictures (equation 5).

    Args:
        drawn: ``[B, 3, S, S]`` -1..1.
        wanted: the same.
        boxes: ``[B, 4]`` where FFHQ's alignment would cut the face out.
        embed: the identity network.
    """
    with torch.no_grad():
        known = embed(aligned(wanted, boxes, FACE_SIDE))
    return 1.0 - (embed(aligned(drawn, boxes, FACE_SIDE)) * known).sum(-1).mean()


def identity_network(
    weights: Path | None, cache: Path, device: torch.device | str = "cpu"
) -> tuple[Embed | None, str]:
    """ArcFace where the user owns it, and a sentence for the screen; without it that part is left out.

    Args:
        weights: ``model_ir_se50.pth``; None where it is absent.
        cache: folder for its conversion.
        device: where it goes.

    Raises:
        Problem: the file is damaged or another.
    """
    if weights is None:
        return None, (
            "Who it is takes no part in training, as ArcFace's weights are not on this machine; with them, "
            "people keep more of their own look."
        )
    from studio.networks.foreign import load_ir_se50

    network, _ = load_ir_se50(weights, cache)
    network.to(device)
    return network.identity_embedding, f"Who it is is compared by ArcFace ({weights.name})."


def latent(ws: Tensor, average: Tensor) -> Tensor:
    """Length of latents' way from the average one (equation 6).

    Args:
        ws: ``[B, rows, w_dim]``.
        average: ``[w_dim]``.
    """
    return (ws - average).flatten(1).norm(dim=1).mean()


def distribution(added: Tensor, planes: Tensor, scale: float = LIKENESS) -> Tensor:
    """How far mean and deviation of what compensation adds are from ``scale`` times those of the canonical
    volume, squared, over each feature of each plane (equation 10).

    Args:
        added: ``[B, 3, F, P, P]`` T_comp.
        planes: the same of T_can, which is not taught by it.
        scale: see :data:`LIKENESS`.
    """
    planes = planes.detach()
    apart = added.mean((3, 4)) - scale * planes.mean((3, 4))
    # The small number keeps the root's gradient finite where nothing is added yet.
    spread = (added.var((3, 4), unbiased=False) + 1e-12).sqrt()
    wider = spread - scale * planes.std((3, 4), unbiased=False)
    return apart.square().mean() + wider.square().mean()


def mouth_boxes(lips: Tensor, side: float) -> Tensor:
    """Upright squares around lips.

    Args:
        lips: ``[B, P, 2 or 3]`` landmarks of their outer edge, pixels of the picture.
        side: of the picture, pixels.

    Returns:
        ``[B, 4]`` left, top, right and bottom edge, continuous pixel coordinates.
    """
    low, high = lips[..., :2].amin(1), lips[..., :2].amax(1)
    half = 0.5 * ((high - low).amax(1) * (1.0 + AROUND_LIPS)).clamp_min(CLOSEST * side)
    middle = 0.5 * (low + high)
    return torch.cat([middle - half[:, None], middle + half[:, None]], 1)


def aligned(pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Windows of pictures at one size, with ROI align: four bilinear samples to a pixel, their mean.

    Args:
        pictures: ``[B, C, H, W]``.
        boxes: ``[B, 4]`` left, top, right and bottom edge, continuous pixel coordinates; what lies outside
            of the picture is its rim.
        side: of the windows.
    """
    height, width = pictures.shape[2:]
    part = (torch.arange(2 * side, device=pictures.device) + 0.5) / (2 * side)
    boxes = boxes.to(pictures)
    x = boxes[:, 0, None] + part * (boxes[:, 2] - boxes[:, 0])[:, None]
    y = boxes[:, 1, None] + part * (boxes[:, 3] - boxes[:, 1])[:, None]
    across = (x * (2.0 / width) - 1.0)[:, None, :].expand(-1, 2 * side, -1)
    down = (y * (2.0 / height) - 1.0)[:, :, None].expand(-1, -1, 2 * side)
    found = functional.grid_sample(
        pictures, torch.stack([across, down], -1), mode="bilinear", padding_mode="border", align_corners=False
    )
    return functional.avg_pool2d(found, 2)


def put_back(pictures: Tensor, windows: Tensor, boxes: Tensor) -> Tensor:
    """Pictures with windows of them, as :func:`aligned` cuts them out, in their places again.

    Args:
        pictures: ``[B, C, H, W]``.
        windows: ``[B, C, R, R]``.
        boxes: ``[B, 4]``.
    """
    height, width = pictures.shape[2:]
    x = torch.arange(width, device=pictures.device) + 0.5
    y = torch.arange(height, device=pictures.device) + 0.5
    boxes = boxes.to(pictures)
    across = (x - boxes[:, 0, None]) / (boxes[:, 2] - boxes[:, 0])[:, None] * 2.0 - 1.0
    down = (y - boxes[:, 1, None]) / (boxes[:, 3] - boxes[:, 1])[:, None] * 2.0 - 1.0
    grid = torch.stack(
        [across[:, None, :].expand(-1, height, -1), down[:, :, None].expand(-1, -1, width)], -1
    )
    found = functional.grid_sample(windows, grid, "bilinear", padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1.0).all(-1)[:, None]
    return torch.where(inside, found, pictures)
