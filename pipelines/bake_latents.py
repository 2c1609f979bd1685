"""Edits of latents made part of a PVP avatar's networks, so that they cost nothing when it is shown.

A direction of W or W+ goes into the pivots: blending weights sum to one, so the blend moves by the direction,
to rounding. A direction of StyleSpace goes into the affine layers' biases. Both are exact. A latent mapper
moves every latent another way: pivots move as it moves them, and pivots and expression mapper are then fitted
to what it makes of the clip's poses and expressions and of what lies around them. No picture is drawn for
that, and what is left of the difference is measured on pictures afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor, nn

from pipelines.edit_person import PvpPerson
from pipelines.training_frames import validation_blocks
from studio.domain.edits import Effect, LatentMap, LatentShift, StyleShift
from studio.domain.motion import HeadMotion
from studio.domain.progress import Progress, silent
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.mappers import Mappers, mapper_inputs, within_range
from studio.engines.pvp.painter import Painter
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.latent_map import map_offset
from studio.networks.stylegan2 import SynthesisNetwork

Change = tuple[Effect, float]
"""An effect and how much of it."""
LOOKS = 12
"""How often a fit is judged; the best is kept."""
JUDGED, BLOCKS = 0.2, 4
"""Share of the frames that a fit is judged by, and in how many runs of the clip they lie."""
STRAY = 0.5
"""How far faces are moved away from the clip's while a mapper is fitted, in the clip's own deviations: as far
as when the expression mapper was trained, because sliders will ask for such faces."""


@dataclass(frozen=True)
class FitSettings:
    """How a latent mapper is trained into an avatar."""

    steps: Annotated[int, Ge(1)] = 600
    """Steps of Adam; some seconds for latents of 64 numbers, half a minute for 512."""
    batch: Annotated[int, Ge(1)] = 64
    """Poses and expressions in a step, drawn apart from each other."""
    pivot_rate: float = 0.05
    """Learning rate of the pivots, as a share of how far the edits move latents."""
    mapper_rate: float = 2e-3
    """Learning rate of the expression mapper, four times what it was trained with, because here latents and
    not pictures say where to go. Both rates fall along a cosine."""
    seed: Annotated[int, Ge(0)] = 0
    """The random seed."""


def latents_baked(
    parts: PvpParts,
    changes: Sequence[Change],
    motion: HeadMotion,
    settings: FitSettings | None = None,
    progress: Progress = silent,
    device: torch.device | str = "cpu",
) -> tuple[PvpParts, dict[str, Any]]:
    """An avatar that shows latent edits without having them.

    Args:
        parts: the avatar; left as it is.
        changes: latent effects that fit it, in the stack's order.
        motion: T good frames of its clip, which a latent mapper is fitted over.
        settings: see :class:`FitSettings`.
        progress: told at every step; may raise Interrupted.
        device: where to fit and to draw.

    Returns:
        The avatar, and what was measured where a latent mapper was fitted, else nothing: ``fit`` the share of
        the latents' change that is missing, on frames that were not fitted; ``levels`` the mean difference of
        pictures to the edited ones and ``changed`` that of the edited to the plain ones, levels of 255.
    """
    generator = copy.deepcopy(parts.generator)
    assert isinstance(generator, Painter | PretrainedGenerator)
    bias = style_shift(changes, parts)
    _move_biases(generator.synthesis, bias)
    mappers = copy.deepcopy(parts.mappers).eval()
    mappers.pivots.copy_(edited_latents(changes, mappers.pivots))
    baked = replace(parts, generator=generator, mappers=mappers)
    if not any(isinstance(effect, LatentMap) and strength for effect, strength in changes):
        return baked, {}
    fit = _Fit(parts, changes, motion, settings or FitSettings(), torch.device(device))
    baked = replace(baked, mappers=fit.run(mappers, progress))
    judged = motion.take(fit.judged)
    return baked, {"fit": fit.missing, **_measured(parts, baked, changes, bias, judged, torch.device(device))}


def edited_latents(changes: Sequence[Change], ws: Tensor) -> Tensor:
    """``[B, num_ws, w_dim]`` what effects make of latents, one after the other."""
    for effect, strength in changes:
        if isinstance(effect, LatentShift):
            ws = ws + strength * torch.as_tensor(effect.rows).to(ws)
        elif isinstance(effect, LatentMap):
            ws = ws + strength * map_offset(effect, ws)
    return ws


def style_shift(changes: Sequence[Change], parts: PvpParts) -> Tensor:
    """``[C]`` what effects add in StyleSpace."""
    network: Any = parts.generator
    widths = _widths(network.synthesis)
    total = torch.zeros(sum(widths))
    for effect, strength in changes:
        if isinstance(effect, StyleShift):
            total = total + strength * torch.as_tensor(effect.channels, dtype=torch.float32)
    return total


class _Fit:
    """Fitting pivots and expression mapper to edited latents."""

    def __init__(
        self,
        parts: PvpParts,
        changes: Sequence[Change],
        motion: HeadMotion,
        settings: FitSettings,
        device: torch.device,
    ) -> None:
        self._changes, self._settings, self._device = changes, settings, device
        self._plain = copy.deepcopy(parts.mappers).to(device).eval().requires_grad_(False)
        eyes = self._plain.expression.inputs > 53
        seen = mapper_inputs(within_range(motion, parts.pose_range), eyes)
        self._pose, self._face = (torch.from_numpy(x).to(device) for x in seen)
        self.judged = validation_blocks(len(motion), JUDGED, BLOCKS) if len(motion) > 1 else np.zeros(1, int)
        left = np.setdiff1d(np.arange(len(motion)), self.judged)
        self._learnt = torch.from_numpy(left if len(left) else self.judged).to(device)
        self.missing = 0.0

    def run(self, start: Mappers, progress: Progress) -> Mappers:
        """Mappers fitted from a start; of all looks the best are kept."""
        settings = self._settings
        mappers = copy.deepcopy(start).to(self._device)
        pivots = nn.Parameter(mappers.pivots.clone())
        mappers.pose.requires_grad_(False)
        judged = self._pose[self.judged], self._face[self.judged]
        size = float((self._wanted(*judged) - self._plain.ws(*judged)).square().mean().sqrt()) or 1.0
        optimiser = torch.optim.Adam(
            [
                {"params": [pivots], "lr": settings.pivot_rate * size},
                {"params": list(mappers.expression.parameters()), "lr": settings.mapper_rate},
            ]
        )
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
        chance = torch.Generator().manual_seed(settings.seed)
        best, self.missing = copy.deepcopy(mappers), self._error(mappers, pivots, judged, size)
        for step in range(settings.steps):
            progress(step, settings.steps, "Training the edit into the avatar")
            asked = self._drawn(chance)
            optimiser.zero_grad()
            off = (_blended(mappers, pivots, *asked) - self._wanted(*asked)) / size
            torch.autograd.backward(off.square().mean())
            optimiser.step()
            falling.step()
            if (step + 1) % max(1, settings.steps // LOOKS) == 0 or step + 1 == settings.steps:
                missing = self._error(mappers, pivots, judged, size)
                if missing < self.missing:
                    best, self.missing = copy.deepcopy(mappers), missing
                    best.pivots.copy_(pivots.detach())
        progress(settings.steps, settings.steps, "Training the edit into the avatar")
        return best.cpu().eval().requires_grad_(True)

    def _drawn(self, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """Poses between those of two frames, and the face of a third that is changed a little: the avatar
        will be asked for poses and faces apart from each other."""
        count = self._settings.batch
        one, other, face = (
            self._learnt[torch.randint(len(self._learnt), (count,), generator=chance)] for _ in range(3)
        )
        share = torch.rand(count, 1, generator=chance).to(self._device)
        noise = torch.randn(count, self._face.shape[1], generator=chance).to(self._device)
        pose = self._pose[one].lerp(self._pose[other], share)
        return pose, self._face[face] + STRAY * self._plain.expression.deviation * noise

    @torch.no_grad()
    def _wanted(self, pose: Tensor, face: Tensor) -> Tensor:
        return edited_latents(self._changes, self._plain.ws(pose, face))

    @torch.no_grad()
    def _error(self, mappers: Mappers, pivots: Tensor, asked: tuple[Tensor, Tensor], size: float) -> float:
        off = _blended(mappers, pivots, *asked) - self._wanted(*asked)
        return float(off.square().mean().sqrt()) / size


def _blended(mappers: Mappers, pivots: Tensor, pose: Tensor, face: Tensor) -> Tensor:
    """``[B, num_ws, w_dim]`` as :meth:`Mappers.ws`, of other pivots ``[N, num_ws, w_dim]``."""
    ws = torch.einsum("bn,nrd->brd", mappers.alpha(pose), pivots)
    delta = mappers.delta(face)
    return torch.cat([ws[:, : delta.shape[1]] + delta, ws[:, delta.shape[1] :]], 1)


@torch.no_grad()
def _measured(
    parts: PvpParts,
    baked: PvpParts,
    changes: Sequence[Change],
    bias: Tensor,
    motion: HeadMotion,
    device: torch.device,
) -> dict[str, float]:
    """Mean differences of pictures in typical ones of these frames, levels of 255."""
    person, copied = (PvpPerson(one, motion, device) for one in (parts, baked))
    usual, again = person.usual(person.moments), copied.usual(copied.moments)
    plain = person.draw(usual.ws, usual.moments)
    edited = edited_latents(changes, usual.ws)
    wanted = person.draw_styles(person.styles(edited) + bias.to(device), usual.moments)
    shown = copied.draw(again.ws, again.moments)
    levels = 127.5 * torch.stack(
        [(x.clamp(-1, 1) - wanted.clamp(-1, 1)).abs().mean() for x in (shown, plain)]
    )
    return {"levels": float(levels[0]), "changed": float(levels[1])}


def _widths(network: SynthesisNetwork) -> list[int]:
    return [len(layer.affine.weight) for block in network.blocks() for layer in block.layers]


@torch.no_grad()
def _move_biases(network: SynthesisNetwork, shift: Tensor) -> None:
    layers = [layer for block in network.blocks() for layer in block.layers]
    for layer, own in zip(layers, torch.split(shift, _widths(network)), strict=True):
        layer.affine.bias.add_(own.to(layer.affine.bias) / layer.affine.bias_gain)
