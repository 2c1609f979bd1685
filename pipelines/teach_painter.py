"""Teach the prior that needs no weights: a painter that corrects what warping draws of one person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipelines.cut_material import Material
from pipelines.pvp_settings import PainterSettings
from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import Indices, ShuffledOrder
from pipelines.training.randomness import randomness_kept
from pipelines.training.reporter import Repeating
from pipelines.tune_generator import as_pictures
from studio.domain.motion import HeadMotion
from studio.domain.progress import Progress, silent
from studio.engines.pvp.mappers import ExpressionMapper, mapper_inputs
from studio.engines.pvp.painter import LinearLatents, Painter, PainterShape
from studio.networks.picture_losses import edges, weighted


@dataclass(frozen=True)
class Taught:
    """What teaching gave."""

    painter: Painter
    """With the best weights, in evaluation mode."""
    latents: Tensor
    """``[T, num_ws, w_dim]`` styles of the material's frames."""
    loop: TrainReport
    """Curves."""
    warped: dict[str, float]
    """The guides' own figures on the validation frames, to compare the best with."""


def teach_painter(
    material: Material,
    settings: PainterSettings,
    folder: Path,
    progress: Progress = silent,
    device: torch.device | str = "cpu",
) -> Taught:
    """Train a painter on a clip's material.

    Of every batch a share is made-up moments, whose target is what warping makes of all pivots: where nobody
    knows better, the painter learns to leave well alone. Styles come from a linear map of the tracked
    parameters with noise on them, so that what is close stays close.

    Args:
        material: crops and guides.
        settings: see :class:`PainterSettings`.
        folder: for checkpoints.
        progress: told at every step.
        device: what to compute on.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: memory or disk used up.
    """
    what = "teaching the painter"
    report_to = Repeating(progress, what)
    teaching = _Teaching(material, settings, device, report_to.again)
    warped = teaching.judge(corrected=False)
    learnt = np.asarray(material.train, np.int64)
    groups: list[dict[str, Any]] = [
        {"params": list(teaching.painter.parameters())},
        {"params": list(teaching.latents.parameters()), "weight_decay": settings.style_decay},
    ]
    report = train(
        modules={"painter": teaching.painter, "latents": teaching.latents},
        optimisers=torch.optim.Adam(groups, settings.learning_rate, betas=(0.9, 0.99)),
        step=teaching.step,
        order=ShuffledOrder(learnt, settings.loop.batch, settings.loop.seed),
        settings=settings.loop,
        folder=folder,
        what=what,
        progress=report_to,
        validate=teaching.judge if len(material.validation) else None,
        preview=teaching.picture,
    )
    with torch.no_grad():
        latents = teaching.latents(teaching.standard).clone()
    return Taught(teaching.painter, latents, report, warped)


class _Teaching:
    def __init__(
        self,
        material: Material,
        settings: PainterSettings,
        device: torch.device | str,
        alive: Callable[[], None],
    ) -> None:
        """``alive`` is called between the batches of a judgement and may raise Interrupted."""
        self.material, self.settings, self.device, self.alive = material, settings, device, alive
        shape = PainterShape(material.resolution, settings.w_dim, settings.channel_base, settings.channel_max)
        parameters, made = _parameters(material.motion), _parameters(material.made_motion)
        with randomness_kept():
            torch.manual_seed(settings.loop.seed)
            self.painter = Painter(shape).to(device).to(memory_format=torch.channels_last)
            self.latents = LinearLatents(parameters.shape[1], shape).to(device)
        learnt = parameters[np.asarray(material.train)]
        self.latents.mean.copy_(torch.from_numpy(learnt.mean(0)))
        self.latents.deviation.copy_(torch.from_numpy(_deviation(learnt)))
        self.standard = self.latents.standard(torch.from_numpy(parameters).to(device))
        self.made_standard = self.latents.standard(torch.from_numpy(made).to(device))

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's losses."""
        chance = batch.random()
        count = len(batch.indices)
        made = chance.random(count) < (self.settings.made_share if len(self.material.made_targets) else 0.0)
        guide, real, inside, standard = self._gather(batch.indices, made, chance)
        noise = torch.from_numpy(chance.normal(size=standard.shape).astype(np.float32)).to(self.device)
        ws = self.latents(standard + self.settings.style_noise * noise)
        colour, flow = self.painter.correction(ws, guide)
        shown = self.painter.corrected(guide, colour, flow)
        terms = {
            "pixel": weighted((shown - real).abs(), inside),
            "edges": edges(shown - real, inside),
            "restraint": colour.abs().mean() + 10.0 * flow.abs().mean(),
        }
        weights = (1.0, self.settings.edges, self.settings.restraint)
        loss = torch.stack([w * t for w, t in zip(weights, terms.values(), strict=True)]).sum()
        return {"loss": loss, **terms}

    def judge(self, corrected: bool = True) -> dict[str, float]:
        """On validation frames with their first guides: the loss without restraint, and PSNR in dB."""
        places = np.asarray(self.material.validation, np.int64)
        places = places[
            np.unique(
                np.linspace(0, len(places) - 1, min(len(places), self.settings.validation_frames))
                .round()
                .astype(int)
            )
        ]
        sums = {"loss": 0.0, "psnr": 0.0}
        with torch.no_grad():
            for first in range(0, len(places), self.settings.loop.batch):
                self.alive()
                some = places[first : first + self.settings.loop.batch]
                guide, real, inside = self._frames(some, 0)
                shown = self.painter(self.latents(self.standard[some]), guide) if corrected else guide
                error = shown.clamp(-1, 1) - real
                loss = weighted(error.abs(), inside) + self.settings.edges * edges(error, inside)
                share = inside.mean((1, 2, 3)).clamp_min(1e-3)
                squared = (error.square() * inside).mean((1, 2, 3)) / share
                psnr = (10 * torch.log10(4.0 / squared.clamp_min(1e-10))).mean()
                for name, value in (("loss", loss), ("psnr", psnr)):
                    sums[name] += float(value) * len(some) / len(places)
        return sums

    def picture(self) -> npt.NDArray[np.uint8]:
        """Validation frames above, guides in the middle, corrected guides below."""
        places = np.asarray(
            self.material.validation if len(self.material.validation) else self.material.train
        )
        places = places[np.linspace(0, len(places) - 1, 4).round().astype(int)]
        guide, real, _ = self._frames(places, 0)
        shown = self.painter(self.latents(self.standard[places]), guide)
        rows = torch.cat([real, guide, shown.clamp(-1, 1)], 2)
        sheet: npt.NDArray[np.uint8] = ((rows + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        return np.concatenate(list(sheet), 1)

    def _frames(self, places: npt.NDArray[np.integer], version: int) -> tuple[Tensor, Tensor, Tensor]:
        material = self.material
        guide = as_pictures(material.guides[version][places], self.device)
        real = as_pictures(material.real[places], self.device)
        inside = torch.from_numpy(material.inside[places]).to(self.device)[:, None].float() / 255.0
        return guide, real, inside

    def _gather(
        self, indices: Indices, made: npt.NDArray[np.bool_], chance: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Guides, targets, weights and standard parameters of a batch, shifted by some pixels."""
        material = self.material
        versions = chance.integers(len(material.guides), size=len(indices))
        others = chance.integers(max(len(material.made_targets), 1), size=len(indices))
        guides, reals, insides, standards = [], [], [], []
        for place, version, other, invented in zip(indices, versions, others, made, strict=True):
            if invented:
                guides.append(material.made_guides[other])
                reals.append(material.made_targets[other])
                insides.append(np.full(reals[-1].shape[:2], 255, np.uint8))
                standards.append(self.made_standard[other])
            else:
                guides.append(material.guides[version][place])
                reals.append(material.real[place])
                insides.append(material.inside[place])
                standards.append(self.standard[place])
        guide, real = as_pictures(np.stack(guides), self.device), as_pictures(np.stack(reals), self.device)
        inside = torch.from_numpy(np.stack(insides)).to(self.device)[:, None].float() / 255.0
        reach = max(1, material.resolution // 32)
        shift = tuple(int(s) for s in chance.integers(-reach, reach + 1, 2))
        guide, real, inside = (torch.roll(x, shift, (2, 3)) for x in (guide, real, inside))
        return guide, real, _without_seam(inside, shift), torch.stack(standards)


def _parameters(motion: HeadMotion) -> npt.NDArray[np.float32]:
    pose, face = mapper_inputs(motion, eyes=True)
    return np.concatenate([pose, face], 1)


def _deviation(parameters: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Deviation of each parameter over the clip, never less than what is worth calling a movement."""
    mapper = ExpressionMapper(1, rows=1, inputs=parameters.shape[1] - 2, hidden=1)
    mapper.standardise_by(parameters[:, 2:])
    pose = np.maximum(parameters[:, :2].std(0), np.deg2rad(2.0))
    return np.concatenate([pose, mapper.deviation.numpy()]).astype(np.float32)


def _without_seam(inside: Tensor, shift: tuple[int, ...]) -> Tensor:
    """What a shift brought round from the other side does not count."""
    inside = inside.clone()
    for axis, moved in zip((2, 3), shift, strict=True):
        side = inside.shape[axis]
        seam = slice(0, moved) if moved > 0 else slice(side + moved, side)
        if moved:
            inside[(slice(None),) * axis + (seam,)] = 0.0
    return inside
