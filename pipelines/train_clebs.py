"""Learn a space of expressions without whose they are: CLeBS, what Export3D trains before all else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.export3d_batches import VolumeMoments
from pipelines.export3d_training_settings import ContrastSettings
from pipelines.people_training import People
from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import Indices
from pipelines.training.randomness import randomness_kept, step_seed
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import Contrast, PositiveWithNegatives
from studio.domain.problem import Problem
from studio.engines.export3d.expression import BasisScaling, ExpressionPictures, contrastive_loss
from studio.head.expression_numbers import mirrored_expression
from studio.networks.volume.lifted import face_from_front

JUDGED = 4
"""Groups of frames by which it is judged."""
JITTER = 0.3
"""Largest change of brightness, contrast and colours of each picture: light must not tell moments apart."""
_LIT, _FLIPPED, _BESIDE = 11, 12, 13
"""Places of these among a group's random numbers."""


def train_clebs(
    encoder: BasisScaling,
    people: People,
    moments: Mapping[str, VolumeMoments],
    settings: ContrastSettings,
    loop: LoopSettings,
) -> TrainReport:
    """Teach an expression encoder to tell which picture of a clip an expression belongs to.

    All frames of a group show one person, so nothing about the person helps. Afterwards the encoder holds the
    weights that told people apart best from whom it has not learnt.

    Args:
        encoder: taught in place.
        people: who is learnt from, and who judges.
        moments: of each clip, by name.
        settings: see :class:`ContrastSettings`.
        loop: of the whole training, of whose minutes it takes a share; what else it says holds here, too.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: no clip is long enough, memory or disk used up.
    """
    _check(people.learn, settings.frames)
    teaching = _Contrasting(encoder, people, moments, settings, loop.seed)
    budget = replace(
        loop,
        steps=settings.steps,
        minutes=settings.share * loop.minutes,
        batch=settings.clips,
        micro_batch=0,
        schedule=Schedule("cosine", warmup=0.02, hold=0.3, final=0.05),
        average_decay=min(loop.average_decay, 0.99),
        validate_steps=0 if loop.minutes else max(1, settings.steps // 20),
        validate_seconds=settings.share * loop.minutes * 6.0,  # ten times
        validate_start=False,
        patience=0,
    )
    return train(
        modules={"encoder": encoder, "pictures": teaching.pictures},
        optimisers=torch.optim.AdamW(
            [*encoder.parameters(), *teaching.pictures.parameters()],
            settings.learning_rate,
            weight_decay=settings.weight_decay,
        ),
        step=teaching.step,
        order=teaching.order,
        settings=budget,
        folder=people.folder / "clebs",
        what="learning expressions without appearance",
        progress=people.report_to,
        validate=teaching.judge if teaching.judged else None,
        fabric=people.fabric,
    )


class _Contrasting:
    """Groups of frames, and what they say about the encoder."""

    def __init__(
        self,
        encoder: BasisScaling,
        people: People,
        moments: Mapping[str, VolumeMoments],
        settings: ContrastSettings,
        seed: int,
    ) -> None:
        self._encoder, self._people, self._moments, self._settings = encoder, people, moments, settings
        self._seed = seed
        with randomness_kept():
            torch.manual_seed(step_seed(seed, _LIT))
            self.pictures = ExpressionPictures(encoder.basis.weight.shape[0], settings.width)
        self.pictures.to(people.device)
        others = settings.frames - 1
        self._groups = PositiveWithNegatives(people.learn, seed, others)
        long = [clip for clip in people.judge if clip.good_frames >= settings.frames]
        groups = PositiveWithNegatives(long, seed, others) if long else None
        self.judged = [] if groups is None else [groups.at(number) for number in range(JUDGED)]

    def order(self, step: int) -> Indices:
        """The groups of a step: numbers without an end."""
        count = self._settings.clips
        return np.arange(step * count, (step + 1) * count, dtype=np.int64)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's loss, and how many expressions found their picture."""
        numbers = batch.indices.tolist()
        groups = [self._group(number) for number in numbers]
        pictures = torch.stack([seen for _, seen in groups])
        flips = [np.random.default_rng([self._seed, _FLIPPED, number]).random() < 0.5 for number in numbers]
        pictures = torch.stack([seen.flip(-1) if flip else seen for seen, flip in zip(pictures, flips)])
        told = [self._told(group, flip) for (group, _), flip in zip(groups, flips)]
        chance = torch.Generator().manual_seed(step_seed(self._seed, _LIT, *numbers))
        loss, found = self._compared(_lit(pictures, chance), torch.stack(told))
        return {"loss": loss, "found": found}

    def _group(self, number: int) -> tuple[Contrast, Tensor]:
        """A group with its pictures; another in its place where they cannot be read."""

        def read(group: Contrast) -> tuple[Contrast, Tensor]:
            return group, self._seen(group, number)

        return self._people.careful.read(self._groups, number, read)

    def judge(self) -> dict[str, float]:
        """On people who are not learnt from."""
        losses = []
        for group in self.judged:
            self._people.report_to.again()
            seen, told = self._seen(group)[None], self._told(group, False)[None]
            losses.append([float(value) for value in self._compared(seen, told)])
        loss, found = np.mean(losses, 0)
        return {"loss": float(loss), "found": float(found)}

    def _compared(self, pictures: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, and share of expressions whose most similar picture is their own, of ``[C, M, …]``."""
        seen = self.pictures(pictures.flatten(0, 1)).unflatten(0, told.shape[:2])
        said = self._encoder(told.flatten(0, 1)).unflatten(0, told.shape[:2])
        with torch.no_grad():
            alike = functional.normalize(said.float(), dim=-1) @ functional.normalize(seen.float(), dim=-1).mT
            own = torch.arange(alike.shape[1], device=alike.device)
            found = (alike.argmax(-1) == own).float().mean()
        return contrastive_loss(seen, said, self._settings.temperature), found

    def _seen(self, group: Contrast, number: int | None = None) -> Tensor:
        """``[M, 3, s, s]`` the group's pictures, -1..1; looked at a little beside by the group's number."""
        frames = [group.positive, *group.negatives]
        pictures = self._people.loader.get([(group.clip.name, frame) for frame in frames])
        values = torch.from_numpy(pictures[..., :3]).to(self._people.device).permute(0, 3, 1, 2).float()
        side = min(self._settings.side, values.shape[2])
        if self._settings.from_front:
            moments = self._moments[group.clip.name]
            cameras = moments.cameras.take(frames)
            surface = torch.from_numpy(moments.surface)[None, None].expand(len(frames), -1, -1, -1)
            moved = None if number is None else self._beside(len(frames), number)
            return face_from_front(values / 127.5 - 1.0, cameras, surface.to(values), side, moved)
        if side != values.shape[2]:
            values = functional.interpolate(values, (side, side), mode="area")
        return values / 127.5 - 1.0

    def _beside(self, count: int, number: int) -> Tensor | None:
        """``[M, 2, 3]`` windows that are turned, larger or smaller, and shifted; None for straight ones."""
        most = self._settings.beside
        if most == 0.0:
            return None
        chance = torch.Generator().manual_seed(step_seed(self._seed, _BESIDE, number))
        turn, size, x, y = (torch.rand(4, count, generator=chance) * 2.0 - 1.0) * most
        c, s = (1.0 + size) * turn.cos(), (1.0 + size) * turn.sin()
        rows = [torch.stack([c, -s, x], -1), torch.stack([s, c, y], -1)]
        return torch.stack(rows, 1).to(self._people.device)

    def _told(self, group: Contrast, flip: bool) -> Tensor:
        """``[M, 57]`` the group's expressions."""
        numbers = self._moments[group.clip.name].expression[[group.positive, *group.negatives]]
        if flip:
            numbers = mirrored_expression(numbers, self._people.model)
        return torch.from_numpy(numbers).to(self._people.device)


def _lit(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """Pictures ``[C, M, 3, s, s]``, each in another light."""
    shape = (*pictures.shape[:2], 3, 1, 1)
    contrast, shift = ((torch.rand(shape, generator=chance) * 2.0 - 1.0).to(pictures) for _ in range(2))
    return (pictures * (1.0 + JITTER * contrast[:, :, :1]) + JITTER * shift).clamp(-1.0, 1.0)


def _check(clips: Sequence[CorpusClip], frames: int) -> None:
    """Raises Problem where no clip has frames enough to be told apart."""
    if not any(clip.good_frames >= frames for clip in clips):
        raise Problem(
            f"No clip to learn from has {frames} good frames, which telling expressions apart needs: prepare "
            "longer clips, or lower --training.contrast.frames."
        )
