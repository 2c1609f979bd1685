"""Train a semantic network on people: pairs of frames of one clip, of which one is to be drawn from the
other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.pair_batches import Changes, PairBatch, PairBatches
from pipelines.people_loader import PeopleLoader
from pipelines.people_moments import moments_of
from pipelines.semantic_preview import preview_sheet
from pipelines.semantic_training_settings import SemanticTrainingSettings
from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import Indices
from pipelines.training.randomness import randomness_kept, step_seed
from pipelines.training.reporter import Repeating
from studio.corpus.careful import CarefulReading
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import Pair, SameClipPairs, first_good
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.engines.semantic.losses import (
    appearance_loss,
    critic_loss,
    feature_rows,
    matching_loss,
    places_that_count,
    verdict_loss,
)
from studio.engines.semantic.network import Kept, SemanticNetwork, SemanticOutput
from studio.engines.semantic.settings import SemanticSettings
from studio.head import HeadModel, builtin_head
from studio.networks.keypoint_losses import equivariance_loss, spread_loss
from studio.networks.patch_discriminator import PatchDiscriminator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

VALIDATED_AT_ONCE = 8
"""Pairs that are looked at together in a validation."""
SHOWN = 4
"""Pairs on the preview sheet."""
_DROPPED, _MOVED = 6, 7
"""Places of what is dropped, and of how pictures are moved, among a pair's random numbers."""


@dataclass(frozen=True)
class TrainedSemantic:
    """What training gave."""

    network: SemanticNetwork
    """With the best weights, in evaluation mode."""
    loop: TrainReport
    """Curves."""
    learnt_from: tuple[str, ...]
    """Names of the clips that were learnt from."""
    judged_by: tuple[str, ...]
    """Names of the clips that decided which weights are kept."""
    lost: dict[str, str]
    """Clips that could not be read, and why."""
    pictures_compared: str
    """How pictures were compared, a sentence."""


@dataclass(frozen=True)
class Sides:
    """Clips of the corpus' training side, by people."""

    learn: tuple[CorpusClip, ...]
    """To learn from."""
    judge: tuple[CorpusClip, ...]
    """To judge the training by, of other people."""


def sides(clips: Sequence[CorpusClip], identities: int) -> Sides:
    """Take some people out of the training side, by whom the training is judged.

    They are spread evenly from those who hold still to those who move most, because whoever holds still is
    drawn well by anything. Held-out clips are passed over unread: nothing about them may decide anything.

    Args:
        clips: readable ones of a corpus' training side.
        identities: people to judge by; 0 for none.

    Raises:
        Problem: there would be nobody left to learn from.
    """
    restless: dict[str, float] = {}
    for clip in clips:
        spread = float(clip.motion.angles[clip.good].std(0).sum()) if clip.good.any() else 0.0
        restless[clip.identity] = max(spread, restless.get(clip.identity, 0.0))
    if len(restless) <= identities:
        raise Problem(
            f"The corpus has {len(restless)} people to learn from, of whom {identities} would judge "
            "the training by: prepare more people, or give --training.validation-identities 0."
        )
    people = sorted(restless, key=lambda identity: (restless[identity], identity))
    chosen = {people[int((place + 0.5) * len(people) / identities)] for place in range(identities)}
    return Sides(
        tuple(clip for clip in clips if clip.identity not in chosen),
        tuple(clip for clip in clips if clip.identity in chosen),
    )


def train_semantic(
    clips: Sequence[CorpusClip],
    settings: SemanticTrainingSettings,
    folder: Path,
    progress: Progress = silent,
    *,
    vgg19: Path | None = None,
    model: HeadModel | None = None,
    device: torch.device | str = "cpu",
    fabric: Fabric | None = None,
) -> TrainedSemantic:
    """Train on the training side of a corpus.

    Args:
        clips: all of the corpus; held-out ones are never read.
        settings: see :class:`SemanticTrainingSettings`.
        folder: for checkpoints.
        progress: told at every step.
        vgg19: trunk of the perceptual loss, where it can be had.
        model: the corpus' head model; the built-in one when None.
        device: what to compute on, where there is no fabric.
        fabric: see :func:`pipelines.training.loop.train`.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: nothing to learn from can be read, memory or disk used up, the training diverged.
    """
    what = "training on people"
    report_to = Repeating(progress, what)
    device = fabric.device if fabric is not None else torch.device(device)
    careful = CarefulReading(report_to.say)
    ours = careful.readable(clip for clip in clips if clip.split == "train")
    split = sides(ours, settings.validation_identities)
    learn, judge = split.learn, split.judge
    used = [*learn, *judge]
    head = model or builtin_head()
    with PeopleLoader(
        used,
        settings.network.side,
        settings.frames.memory_gigabytes * 1e9,
        settings.frames.workers,
        report_to.say,
    ) as loader:
        teaching = _Teaching(settings, learn, judge, loader, careful, head, device, report_to, vgg19)
        report = train(
            modules=teaching.modules,
            optimisers=teaching.optimisers,
            step=teaching.step,
            order=teaching.order,
            settings=settings.loop,
            folder=folder,
            what=what,
            progress=report_to,
            validate=teaching.judge if teaching.judged else None,
            preview=teaching.sheet,
            fabric=fabric,
        )
    return TrainedSemantic(
        network=teaching.network.eval(),
        loop=report,
        learnt_from=tuple(clip.name for clip in learn),
        judged_by=tuple(clip.name for clip in judge),
        lost=dict(careful.lost),
        pictures_compared=teaching.looks.sentence,
    )


class _Teaching:
    """Networks, losses and what they look at."""

    def __init__(
        self,
        settings: SemanticTrainingSettings,
        learn: Sequence[CorpusClip],
        judge: Sequence[CorpusClip],
        loader: PeopleLoader,
        careful: CarefulReading,
        model: HeadModel,
        device: torch.device,
        report_to: Repeating,
        vgg19: Path | None,
    ) -> None:
        self.settings, self.device, self._alive = settings, device, report_to.again
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
        self.looks = appearance_loss(vgg19).to(device)
        pairs = SameClipPairs(learn, settings.loop.seed)
        moments = {clip.name: moments_of(clip, model) for clip in [*learn, *judge]}
        changes = Changes(settings.flip, settings.jitter, settings.zoom)
        self._batches = PairBatches(
            pairs, moments, loader, careful, model, changes, shape.person_mask, device
        )
        self.judged = _validation_pairs(judge, settings.validation_pairs)
        self._shown = self.judged or [pairs.at(number) for number in range(SHOWN)]

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
        """On pairs of people who are not learnt from: how different pictures look, and PSNR in dB."""
        sums = {"loss": 0.0, "psnr": 0.0}
        for first in range(0, len(self.judged), VALIDATED_AT_ONCE):
            self._alive()
            pairs = self._batches.fixed(self.judged[first : first + VALIDATED_AT_ONCE])
            out = self._drawn(pairs)
            share = len(pairs.source) / len(self.judged)
            error = (out.picture - pairs.driving).square().mean((1, 2, 3)).clamp_min(1e-10)
            sums["loss"] += share * float(torch.stack([*self._looks(out, pairs).values()]).sum())
            sums["psnr"] += share * float((10.0 * torch.log10(4.0 / error)).mean())
        return sums

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Source, driving frame, what is drawn and how, for some pairs."""
        self._alive()
        places = np.linspace(0, len(self._shown) - 1, min(SHOWN, len(self._shown))).round().astype(int)
        pairs = self._batches.fixed([self._shown[place] for place in np.unique(places).tolist()])
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


def _validation_pairs(clips: Sequence[CorpusClip], count: int) -> list[Pair]:
    """Each clip's first good frame as the picture, driven by frames spread over the clip: as in
    evaluation."""
    found: list[Pair] = []
    for place, clip in enumerate(clips):
        many = count * (place + 1) // len(clips) - count * place // len(clips)
        good = np.flatnonzero(clip.good)
        source, others = first_good(clip), good[1:]
        if len(others):
            spread = np.linspace(0, len(others) - 1, min(many, len(others))).round().astype(int)
            found += [Pair(clip, source, int(others[at])) for at in np.unique(spread).tolist()]
    return found
