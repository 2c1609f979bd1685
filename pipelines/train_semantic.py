"""Train a semantic network on people: pairs of frames of one clip, of which one is to be drawn from the
other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.pair_batches import Changes, PairPictures
from pipelines.people_moments import moments_of
from pipelines.people_training import (
    SHOWN,
    Looked,
    People,
    TrainedPeople,
    judged_pairs,
    shown_pairs,
    train_on_people,
    validation_pairs,
)
from pipelines.semantic_batches import PairBatch, PairBatches
from pipelines.semantic_preview import preview_sheet
from pipelines.semantic_training_settings import SemanticTrainingSettings
from pipelines.training.loop import Batch
from pipelines.training.order import Indices
from pipelines.training.randomness import randomness_kept, step_seed
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import Pair, SameClipPairs
from studio.domain.progress import Progress, silent
from studio.engines.semantic.losses import (
    critic_loss,
    feature_rows,
    matching_loss,
    places_that_count,
    verdict_loss,
)
from studio.engines.semantic.network import Kept, SemanticNetwork, SemanticOutput
from studio.engines.semantic.settings import SemanticSettings
from studio.head import HeadModel
from studio.networks.appearance_loss import appearance_loss
from studio.networks.keypoint_losses import equivariance_loss, spread_loss
from studio.networks.patch_discriminator import PatchDiscriminator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_DROPPED, _MOVED = 6, 7
"""Places of what is dropped, and of how pictures are moved, among a pair's random numbers."""


def train_semantic(
    clips: Sequence[CorpusClip],
    settings: SemanticTrainingSettings,
    folder: Path,
    progress: Progress = silent,
    *,
    trunk: Path | None = None,
    model: HeadModel | None = None,
    device: torch.device | str = "cpu",
    fabric: Fabric | None = None,
) -> TrainedPeople:
    """Train on the training side of a corpus; see :func:`pipelines.people_training.train_on_people`."""
    return train_on_people(
        partial(_Teaching, settings),
        clips,
        settings,
        folder,
        progress,
        trunk=trunk,
        model=model,
        device=device,
        fabric=fabric,
    )


class _Teaching:
    """Networks, losses and what they look at."""

    def __init__(self, settings: SemanticTrainingSettings, people: People) -> None:
        self.settings, self.device, self._alive = settings, people.device, people.report_to.again
        device, model = people.device, people.model
        shape = self.shape = settings.network
        with randomness_kept():
            torch.manual_seed(settings.loop.seed)
            self.network = SemanticNetwork(shape).to(device)
            self.network.recompute(settings.loop.recompute)
            self.critic = _critic(settings, device)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.optimisers = {"network": _adam(self.network, settings.learning_rate)}
        if self.critic is not None:
            self.modules["critic"] = self.critic
            self.optimisers["critic"] = _adam(self.critic, settings.learning_rate)
        self.looks = appearance_loss(people.trunk).to(device)
        pairs = SameClipPairs(people.learn, settings.loop.seed)
        moments = {clip.name: moments_of(clip, model) for clip in people.everybody()}
        changes = Changes(settings.flip, settings.jitter, settings.zoom)
        pictures = PairPictures(pairs, people.loader, people.careful, changes, shape.person_mask, device)
        self._batches = PairBatches(pictures, moments, model)
        self.judged = validation_pairs(people.judge, settings.validation_pairs)
        self._shown = self.judged or [pairs.at(number) for number in range(SHOWN)]

    @property
    def pictures_compared(self) -> str:
        """How pictures are compared, a sentence."""
        return self.looks.sentence

    def order(self, step: int) -> Indices:
        """The pairs of a step: numbers without an end."""
        batch = self.settings.loop.batch
        return np.arange(step * batch, (step + 1) * batch, dtype=np.int64)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's losses."""
        settings = self.settings
        numbers = batch.indices.tolist()
        for further in range(1, settings.frames.ahead + 1):
            self._batches.ahead([number + further * settings.loop.batch for number in numbers])
        pairs = self._batches.at(numbers)
        out = self._drawn(pairs, _dropped(self.shape, settings.loop.seed, numbers))
        terms = self._looks(out, pairs) | self._own_keypoints(out, pairs, numbers)
        loss = torch.stack([*terms.values()]).sum()
        if self.critic is not None and batch.share >= settings.critic_from:
            verdict, matching, critic = self._judged(self.critic, out.picture, pairs.driving)
            loss = loss + settings.critic_weight * verdict + settings.features_weight * matching + critic
            terms |= {"verdict": verdict, "matching": matching, "critic": critic}
        elif self.critic is not None:
            zero = loss.detach() * 0.0
            terms |= {"verdict": zero, "matching": zero, "critic": zero}
        return {"loss": loss, **terms}

    def _drawn(self, pairs: PairBatch, kept: Kept | None = None) -> SemanticOutput:
        points: tuple[Tensor | None, Tensor | None] = (pairs.source_keypoints, pairs.driving_keypoints)
        if self.network.detector is not None:
            points = (None, None)
        out: SemanticOutput = self.network(pairs.source, *points, pairs.code, kept, driving=pairs.driving)
        return out

    def _looks(self, out: SemanticOutput, pairs: PairBatch) -> dict[str, Tensor]:
        settings = self.settings
        counts = None
        if settings.eyes_and_mouth > 0.0:
            rows = feature_rows(self.shape.keypoints)
            counts = places_that_count(
                pairs.driving_keypoints, rows, self.shape.side, settings.eyes_and_mouth
            )
        terms = {"looks": settings.perceptual_weight * self.looks(out.picture, pairs.driving, counts)}
        if settings.warped_weight > 0.0 and out.warped is not None:
            terms["warped"] = settings.warped_weight * self.looks(out.warped, pairs.driving, counts)
        return terms

    def _own_keypoints(
        self, out: SemanticOutput, pairs: PairBatch, numbers: Sequence[int]
    ) -> dict[str, Tensor]:
        """What keypoints are taught that the network finds by itself; nothing for the head model's."""
        weight = self.settings.own_keypoints_weight
        if self.network.detector is None:
            return {}
        chance = torch.Generator().manual_seed(step_seed(self.settings.loop.seed, _MOVED, *numbers))
        moved = equivariance_loss(self.network.detect, pairs.driving, out.driving_keypoints, chance)
        spread = spread_loss(out.driving_keypoints) + spread_loss(out.source_keypoints)
        return {"moved": weight * moved, "spread": weight * spread}

    @staticmethod
    def _judged(critic: nn.Module, drawn: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The discriminator's verdict, its features' difference, and what it learns itself.

        All in one backward: for the first two its weights are taken for given, for the last the picture is.
        """
        critic.requires_grad_(False)
        said_real, said = critic(real), critic(drawn)
        verdict, matching = verdict_loss(said), matching_loss(said_real, said)
        critic.requires_grad_(True)
        return verdict, matching, critic_loss(critic(real), critic(drawn.detach()))

    # How good it is

    def judge(self) -> dict[str, float]:
        """On pairs of people who are not learnt from; see :func:`~pipelines.people_training.judged_pairs`."""

        def look(group: Sequence[Pair]) -> Looked:
            pairs = self._batches.fixed(group)
            out = self._drawn(pairs)
            loss = torch.stack([*self._looks(out, pairs).values()]).sum()
            return Looked(out.picture, pairs.driving, loss)

        return judged_pairs(self.judged, self._alive, look)

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Source, driving frame, what is drawn and how, for some pairs."""
        self._alive()
        pairs = self._batches.fixed(shown_pairs(self._shown))
        return preview_sheet(pairs, self._drawn(pairs))


def _critic(settings: SemanticTrainingSettings, device: torch.device) -> PatchDiscriminator | None:
    wanted = settings.critic_weight > 0.0 or settings.features_weight > 0.0
    if not wanted or settings.critic_from >= 1.0:
        return None
    shape = settings.network
    critic = PatchDiscriminator(
        shape.critic_first, shape.critic_most, shape.critic_layers, shape.critic_scales
    )
    return critic.to(device)


def _adam(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), rate, betas=(0.5, 0.999))


def _dropped(shape: SemanticSettings, seed: int, numbers: Sequence[int]) -> Kept:
    """What each pair loses, by its number alone: however a batch is cut and shared out, it is the same."""
    drawn = [
        Kept.drawn(shape, 1, torch.Generator().manual_seed(step_seed(seed, _DROPPED, number)))
        for number in numbers
    ]
    faces = [one.face for one in drawn if one.face is not None]
    return Kept(
        torch.cat([one.code for one in drawn]),
        torch.cat([one.keypoints for one in drawn]),
        torch.cat(faces) if faces else None,
    )
