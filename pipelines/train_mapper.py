"""Train PVP's mappers: a plain start from given latents, then the whole objective through the prior."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.mapper_losses import (
    GuideSource,
    MapperBatch,
    MapperObjective,
    render_both,
)
from pipelines.prior_settings import MapperSettings
from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import Indices, ShuffledOrder
from pipelines.training.randomness import randomness_kept
from pipelines.training.reporter import Repeating
from pipelines.tune_generator import as_pictures
from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.engines.pvp.mappers import (
    EYE_INPUTS,
    FACE_INPUTS,
    ExpressionMapper,
    Mappers,
    PoseMapper,
    mapper_inputs,
)
from studio.networks.estimator import Estimator

Bytes = npt.NDArray[np.uint8]


class MapperMaterial(Protocol):
    """Good training frames in the aligned crop; what is used of the material of the build."""

    @property
    def real(self) -> Bytes:
        """``[T, R, R, 3]``."""

    @property
    def guide(self) -> Bytes | None:
        """``[T, R, R, 3]`` the warped rendering."""

    @property
    def mask(self) -> Bytes | None:
        """``[T, R, R]`` 255 on the person."""

    @property
    def keep(self) -> Bytes:
        """``[T, R, R]`` 255 outside of eyes and mouth."""

    @property
    def motion(self) -> HeadMotion:
        """Of the T frames."""

    @property
    def train(self) -> npt.NDArray[np.integer]:
        """Places of frames to learn from."""

    @property
    def validation(self) -> npt.NDArray[np.integer]:
        """Places of frames to judge by, cut from the training part of the clip in blocks."""


@dataclass(frozen=True)
class TrainedMappers:
    """What training gave."""

    mappers: Mappers
    """With the best weights, in evaluation mode."""
    loop: TrainReport
    """Curves of the training through the prior."""
    warm: TrainReport | None
    """Curves of the start from given latents; None without."""
    off: tuple[str, ...]
    """Sentences on what was left out."""


class MapperTraining:
    """Material, mappers and objective put together; the steps and the judgement of :func:`train_mapper`."""

    def __init__(
        self,
        generator: nn.Module,
        pivot_latents: Tensor,
        material: MapperMaterial,
        settings: MapperSettings,
        perceptual: Callable[[Tensor, Tensor], Tensor],
        estimator: Estimator | None = None,
        identity: Callable[[Tensor], Tensor] | None = None,
        guides: GuideSource | None = None,
        angles: Floats | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """See :func:`train_mapper`; ``alive`` is called between pictures that are only looked at, and may
        raise Interrupted."""
        if not len(material.train):
            raise Problem("There is no frame to train on: record a longer clip with the face in view.")
        self.generator, self.material, self.settings, self.guides = generator, material, settings, guides
        self.alive, self.device = alive, next(generator.parameters()).device
        self.pose, self.face = mapper_inputs(material.motion, settings.eyes)
        self.angles = material.motion.angles if angles is None else angles
        learnt = np.asarray(material.train)
        with randomness_kept():
            torch.manual_seed(settings.loop.seed)
            self.mappers = _mappers(pivot_latents, settings).to(self.device)
        self.mappers.expression.standardise_by(self.face[learnt])
        deviation = torch.from_numpy(self.face[learnt, :3].std(0)).to(self.device)
        self.objective = MapperObjective(perceptual, settings.losses, deviation, estimator, identity)
        judged = np.asarray(material.validation)
        places = np.linspace(0, len(judged) - 1, min(settings.validation_frames, len(judged)))
        self.judged = judged[np.unique(places.round().astype(np.int64))] if len(judged) else judged

    def batch(self, places: Indices) -> MapperBatch:
        """Frames of the material ``[B]`` as tensors."""
        material, device = self.material, self.device
        mask = material.mask
        wanted = mask is not None and self.settings.losses.background < 1.0
        return MapperBatch(
            pose=self._tensor(self.pose[places]),
            face=self._tensor(self.face[places]),
            angles=self._tensor(self.angles[places]),
            real=as_pictures(material.real[places], device),
            keep=self._share(material.keep[places]),
            person=self._share(mask[places]) if mask is not None and wanted else None,
            guide=None if material.guide is None else as_pictures(material.guide[places], device),
            indices=torch.from_numpy(np.asarray(places, np.int64)),
        )

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 15, as a training loop's step function."""
        frames = self.batch(batch.indices)
        asked = self.objective.asked(frames.face, batch.generator("cpu"))
        shown = render_both(self.mappers, self.generator, frames, asked, self.guides)
        terms = self.objective(frames, shown)
        return {"loss": terms.pop("total"), **terms}

    def judge(self) -> dict[str, float]:
        """On validation frames: weighted difference to the frame as ``loss``, its parts, and PSNR in dB."""
        sums: dict[str, float] = {}
        size = max(self.settings.loop.micro_batch or self.settings.loop.batch, 1)
        for first in range(0, len(self.judged), size):
            self.alive()
            frames = self.batch(self.judged[first : first + size])
            shown = render_both(self.mappers, self.generator, frames, None)
            terms = self.objective(frames, shown)
            squared = (shown.image.clamp(-1, 1) - frames.real).square().mean((1, 2, 3)).clamp_min(1e-10)
            figures: dict[str, Tensor] = {
                name: terms[name] for name in ("pixel", "perceptual", "identity") if name in terms
            }
            figures["loss"] = torch.stack(list(figures.values())).sum()
            figures["psnr"] = (10 * torch.log10(4.0 / squared)).mean()
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(frames.pose) / len(self.judged)
        return sums

    def picture(self) -> Bytes | None:
        """Validation frames above, renderings below: ``[2R, nR, 3]``."""
        places = self.judged if len(self.judged) else np.asarray(self.material.train)
        places = places[
            np.linspace(0, len(places) - 1, self.settings.preview_frames).round().astype(np.int64)
        ]
        rows = []
        for place in places:
            self.alive()
            frames = self.batch(np.array([place]))
            image = render_both(self.mappers, self.generator, frames, None).image
            both = torch.cat([frames.real, image.clamp(-1, 1)], 2)[0]
            rows.append(((both + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy())
        return np.concatenate(rows, 1)

    def warm(self, targets: Tensor, folder: Path, progress: Progress) -> TrainReport:
        """Regress the mappers onto latents ``[T, num_ws, w_dim]``; no picture is rendered.

        Errors are in units of the targets' own deviation in each row.
        """
        targets = targets.detach().to(self.device)
        learnt = np.asarray(self.material.train, np.int64)
        judged = np.asarray(self.material.validation, np.int64)
        spread = targets[torch.from_numpy(learnt)].std(0, correction=0)
        unit = spread.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)  # [num_ws, 1]

        def error(places: Indices) -> Tensor:
            ws = self.mappers.ws(self._tensor(self.pose[places]), self._tensor(self.face[places]))
            wanted = targets[torch.from_numpy(np.asarray(places, np.int64)).to(self.device)]
            return ((ws - wanted) / unit).square().mean()

        return train(
            modules={"mappers": self.mappers},
            optimisers=torch.optim.Adam(self.mappers.parameters(), self.settings.warm_rate),
            step=lambda batch: error(batch.indices),
            order=ShuffledOrder(learnt, self.settings.warm_loop.batch, self.settings.warm_loop.seed),
            settings=self.settings.warm_loop,
            folder=folder,
            what="starting the mappers",
            progress=progress,
            validate=(lambda: float(error(judged))) if len(judged) else None,
        )

    def _tensor(self, values: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)

    def _share(self, mask: Bytes) -> Tensor:
        """``[B, R, R]`` 0..255 to ``[B, 1, R, R]`` 0..1."""
        return torch.from_numpy(np.ascontiguousarray(mask)).to(self.device).float()[:, None] / 255.0


def train_mapper(
    generator: nn.Module,
    pivot_latents: Tensor,
    material: MapperMaterial,
    settings: MapperSettings,
    folder: Path,
    perceptual: Callable[[Tensor, Tensor], Tensor],
    estimator: Estimator | None = None,
    identity: Callable[[Tensor], Tensor] | None = None,
    targets: Tensor | None = None,
    guides: GuideSource | None = None,
    angles: Floats | None = None,
    progress: Progress = silent,
) -> TrainedMappers:
    """Train the mappers through a generator that stays as it is, going on from ``folder``.

    (The paper holds the generator fixed. Its public code lets the optimiser move the noise maps, too; here
    the weights that were tuned are the weights that are used.)

    Args:
        generator: a PersonalGenerator on the device to train on: styles and guide to pictures -1..1.
        pivot_latents: ``[N, num_ws, w_dim]``.
        material: frames in the aligned crop.
        settings: shape, weights, loops.
        folder: for checkpoints.
        perceptual: pictures ``[B, 3, R, R]`` in -1..1, twice, to ``[B]``.
        estimator: reads head parameters off renderings; None switches two terms off.
        identity: pictures to face embeddings; None switches the identity term off.
        targets: latents ``[T, num_ws, w_dim]`` of the material's frames, where the prior can give them: the
            mappers are started from them, which costs no rendering.
        guides: renders guides at perturbed expressions, for a guided prior.
        angles: ``[T, 3]`` degrees as the crop shows them and the estimator reads them; None: the motion's.
        progress: told at every step.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: no frames, or no memory or disk left, or the training diverged.
    """
    what = "training the mappers"
    report_to = Repeating(progress, what)
    with _frozen(generator, perceptual, estimator, identity):
        training = MapperTraining(
            generator,
            pivot_latents,
            material,
            settings,
            perceptual,
            estimator,
            identity,
            guides,
            angles,
            report_to.again,
        )
        for sentence in training.objective.off:
            report_to.say(sentence)
        warm = None
        if targets is not None and settings.warm_loop.steps:
            warm = training.warm(targets, folder / "start", progress)
        learnt = np.asarray(material.train, np.int64)
        report = train(
            modules={"mappers": training.mappers},
            optimisers=torch.optim.Adam(training.mappers.parameters(), settings.learning_rate),
            step=training.step,
            order=ShuffledOrder(learnt, settings.loop.batch, settings.loop.seed),
            settings=settings.loop,
            folder=folder / "mappers",
            what=what,
            progress=report_to,
            validate=training.judge if len(training.judged) else None,
            preview=training.picture,
        )
    return TrainedMappers(training.mappers, report, warm, training.objective.off)


def _mappers(pivot_latents: Tensor, settings: MapperSettings) -> Mappers:
    count, rows, width = pivot_latents.shape
    inputs = FACE_INPUTS + (EYE_INPUTS if settings.eyes else 0)
    spread = float(pivot_latents.std(0, correction=0).square().mean().sqrt())
    reach = settings.reach or 3.0 * spread or 1.0
    return Mappers(
        PoseMapper(count, settings.hidden, settings.beta),
        ExpressionMapper(width, min(settings.rows, rows), inputs, settings.hidden, reach),
        pivot_latents,
    )


@contextmanager
def _frozen(*networks: object) -> Iterator[None]:
    """Networks only looked through: evaluation mode, no gradients for their weights; as found afterwards."""
    modules = [network for network in networks if isinstance(network, nn.Module)]
    modes = [(part, part.training) for module in modules for part in module.modules()]
    asked = [p for module in modules for p in module.parameters() if p.requires_grad]
    for module in modules:
        module.eval()
    for parameter in asked:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)
        for part, mode in modes:
            part.training = mode
