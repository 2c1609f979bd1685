"""Train NOFA on people: a prior first, then canonical volumes and expressions, then what those left out.

One loop goes through all stages; which one a step belongs to is said by the share of the budget that is used
up, so that a training stops and goes on anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.nofa_batches import NofaBatches, NofaPairs, clip_moments
from pipelines.nofa_comparing import Comparing
from pipelines.nofa_preview import preview_sheet
from pipelines.nofa_teachers import Teachers, take_prior, teachers_of
from pipelines.nofa_training_settings import NofaTrainingSettings, StageSettings
from pipelines.pair_batches import Changes, PairPictures
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
from pipelines.train_nofa_prior import PriorGame
from pipelines.training.batch import Batch
from pipelines.training.order import Indices
from pipelines.training.randomness import randomness_kept, step_seed
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import OwnFrames, Pair, SameClipPairs
from studio.domain.progress import Progress, silent
from studio.engines.nofa import losses
from studio.engines.nofa.network import Drawn, NofaNetwork, Person
from studio.engines.nofa.source import Source
from studio.head import HeadModel
from studio.networks.perceptual import perceptual_loss
from studio.networks.volume.face_places import places_that_count

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Stage = Literal["prior", "general", "teeth", "compensation"]
_RAYS, _LATENTS = 8, 9
"""Places of where samples lie, and of random people, among a step's random numbers."""
TERMS = (*(field.name for field in fields(losses.Parts)), "verdict", "critic", "smooth")
"""Every step's figures; those that a stage has not are 0."""


def train_nofa(
    clips: Sequence[CorpusClip],
    settings: NofaTrainingSettings,
    folder: Path,
    progress: Progress = silent,
    *,
    trunk: Path | None = None,
    teachers: Mapping[str, Path] | None = None,
    model: HeadModel | None = None,
    device: torch.device | str = "cpu",
    fabric: Fabric | None = None,
) -> TrainedPeople:
    """Train on the training side of a corpus; see :func:`pipelines.people_training.train_on_people`.

    Args:
        teachers: the user's own networks by their entries of the assets' manifest, as far as they are there:
            ``arcface`` compares who people are, ``gfpgan`` restores teeth. What is missing is left out, and
            the result says so.
    """
    return train_on_people(
        partial(_Teaching, settings, dict(teachers or {})),
        clips,
        settings,
        folder,
        progress,
        trunk=trunk,
        model=model,
        device=device,
        fabric=fabric,
    )


def stage_at(share: float, stages: StageSettings, with_teeth: bool, with_compensation: bool) -> Stage:
    """Which stage a step belongs to when ``share`` of the budget is used up."""
    ends: list[tuple[Stage, float]] = [("prior", stages.prior), ("general", stages.prior + stages.general)]
    if with_teeth:
        ends.append(("teeth", ends[-1][1] + stages.teeth))
    for stage, end in ends:
        if share < end:
            return stage
    return "compensation" if with_compensation else "general"


class _Teaching:
    """Networks, losses and what they look at."""

    def __init__(self, settings: NofaTrainingSettings, weights: Mapping[str, Path], people: People) -> None:
        self.settings, self._alive = settings, people.report_to.again
        device, shape = people.device, settings.network
        moments = {clip.name: clip_moments(clip, people.model, shape) for clip in people.everybody()}
        self._teachers: Teachers = teachers_of(weights, people.folder, device)
        with randomness_kept():
            torch.manual_seed(settings.loop.seed)
            self.network = NofaNetwork(shape).to(device)
            self.game = PriorGame(settings, device) if settings.stages.prior > 0.0 else None
        if settings.prior.read_from:
            take_prior(self.network, Path(settings.prior.read_from), people.folder)
        self.looks = perceptual_loss(people.trunk).to(device)
        self.comparing = Comparing(self.looks, self.network, self._teachers)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.optimisers = {"network": _optimiser(self.network, settings)}
        if self.game is not None:
            self.modules["critic"] = self.game.critic
            self.optimisers["critic"] = self.game.optimiser
        self._parts: dict[str, nn.Module | None] = {
            "prior": self.network.prior,
            "encoder": self.network.encoder,
            "field": self.network.field,
            "compensation": self.network.compensation,
            "share": None if self.network.guided is None else self.network.guided.share,
        }
        pairs = SameClipPairs(people.learn, settings.loop.seed)
        changes = Changes(settings.flip, settings.jitter, settings.zoom)

        def batches(examples: SameClipPairs) -> NofaBatches:
            outlined = shape.guided
            pictures = PairPictures(examples, people.loader, people.careful, changes, outlined, device)
            return NofaBatches(pictures, moments, people.model, shape)

        self._batches = batches(pairs)
        self._last = self._batches
        if settings.compensation_shows == "itself":
            self._last = batches(OwnFrames(people.learn, settings.loop.seed))
        self.judged = validation_pairs(people.judge, settings.validation_pairs)
        self._shown = self.judged or [pairs.at(number) for number in range(SHOWN)]
        self._stage: Stage = "general"

    @property
    def pictures_compared(self) -> str:
        """How pictures are compared, and what was left out."""
        return " ".join([self.looks.sentence, *self._teachers.said])

    def order(self, step: int) -> Indices:
        """The pairs of a step: numbers without an end."""
        batch = self.settings.loop.batch
        return np.arange(step * batch, (step + 1) * batch, dtype=np.int64)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's losses."""
        settings, numbers = self.settings, batch.indices.tolist()
        self._stage = stage_at(
            batch.share,
            settings.stages,
            self._teachers.restore is not None,
            self.network.compensation is not None,
        )
        batches = self._last if self._stage == "compensation" else self._batches
        for further in range(1, settings.frames.ahead + 1):
            batches.ahead([number + further * settings.loop.batch for number in numbers])
        pairs = batches.at(numbers)
        chance = torch.Generator(pairs.driving.device)
        chance.manual_seed(step_seed(settings.loop.seed, _RAYS, *numbers))
        self._learning(_learns(self._stage, settings))
        if self._stage == "prior":
            assert self.game is not None
            drawing = torch.Generator().manual_seed(step_seed(settings.loop.seed, _LATENTS, *numbers))
            terms = self.game.play(self.network, pairs, batch.step, drawing, chance)
        else:
            terms = self._taught(pairs, self._stage, chance)
        loss = torch.stack([*terms.values()]).sum()
        nothing = loss.detach() * 0.0
        return {"loss": loss, **{name: terms.get(name, nothing) for name in TERMS}}

    def _learning(self, names: Sequence[str]) -> None:
        """Which parts learn; the others stay as they are."""
        for name, part in self._parts.items():
            if part is not None:
                part.requires_grad_(name in names)

    def _taught(self, pairs: NofaPairs, stage: Stage, chance: torch.Generator) -> dict[str, Tensor]:
        person = self._person(pairs.source, stage)
        drawn = self._drawn(person, pairs, chance)
        return self._terms(drawn, person, pairs, stage)

    def _person(self, source: Source, stage: Stage) -> Person:
        return self.network.encode(source, compensated=stage == "compensation")

    def _drawn(self, person: Person, pairs: NofaPairs, chance: torch.Generator | None = None) -> Drawn:
        warp = self.network.warp(pairs.identity, pairs.expression, pairs.moved)
        return self.network.draw(person, pairs.cameras, warp, chance)

    def _terms(self, drawn: Drawn, person: Person, pairs: NofaPairs, stage: Stage) -> dict[str, Tensor]:
        """The stage's losses, weighted."""
        settings, counts = self.settings, None
        if settings.eyes_and_mouth > 0.0:
            counts = places_that_count(pairs.cameras, settings.network.side, settings.eyes_and_mouth)
        parts = self.comparing.parts(drawn, person, pairs, counts)
        if stage == "teeth":
            restored = self.comparing.restored(drawn.picture, pairs)
            parts = replace(parts, mouth=losses.mouth(drawn.picture, restored, pairs.mouths, self.looks))
        if stage == "compensation":
            parts = replace(parts, mouth=None, latent=None)
        assert stage != "prior"
        weights = replace(losses.STAGES[stage], perceptual=settings.looks_weight, raw=settings.raw_weight)
        return losses.weighted(parts, weights)

    # How good it is

    def judge(self) -> dict[str, float]:
        """On pairs of people who are not learnt from; see :func:`~pipelines.people_training.judged_pairs`."""
        stage: Stage = "general" if self._stage == "prior" else self._stage

        def look(group: Sequence[Pair]) -> Looked:
            pairs = self._batches.fixed(group)
            drawn = self._drawn(self._person(pairs.source, stage), pairs)
            squares, looks = losses.reconstruction(drawn.picture, pairs.driving, self.looks)
            return Looked(drawn.picture, pairs.driving, squares + self.settings.looks_weight * looks)

        return judged_pairs(self.judged, self._alive, look)

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Source, driving frame, what is drawn and how, for some pairs."""
        self._alive()
        pairs = self._batches.fixed(shown_pairs(self._shown))
        if self._stage == "prior":
            assert self.game is not None
            return self.game.sheet(self.network, pairs)
        person = self._person(pairs.source, self._stage)
        canonical = self.network.draw(person, pairs.cameras)
        return preview_sheet(pairs, self._drawn(person, pairs), canonical)


_LEARNS: Mapping[Stage, tuple[str, ...]] = {
    "prior": ("prior",),
    "general": ("prior", "encoder"),
    "teeth": ("prior", "encoder"),
    "compensation": ("compensation", "share"),
}
"""Parts that learn in a stage (section 3.3: teeth leave the field alone, compensation all the rest), but for
the field, which learns in one of them."""


def _learns(stage: Stage, settings: NofaTrainingSettings) -> tuple[str, ...]:
    return (*_LEARNS[stage], "field") if stage == settings.field_learns else _LEARNS[stage]


def _optimiser(network: NofaNetwork, settings: NofaTrainingSettings) -> torch.optim.Optimizer:
    field = {*network.field.parameters()}
    others = [values for values in network.parameters() if values not in field]
    rate = settings.learning_rate
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": [*field], "lr": rate * settings.field_rate},
    ]
    return torch.optim.Adam(groups, rate)
