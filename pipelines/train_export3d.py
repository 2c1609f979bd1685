"""Train Export3D on people: expressions first, by contrast; then pairs of frames of one clip, of which one is
to be drawn from the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.export3d_batches import VolumeBatches, VolumePairs, face_numbers, volume_moments
from pipelines.export3d_preview import preview_sheet
from pipelines.export3d_training_settings import Export3DTrainingSettings
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
from pipelines.train_clebs import train_clebs
from pipelines.training.loop import Batch
from pipelines.training.order import Indices
from pipelines.training.randomness import randomness_kept, step_seed
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import Pair, SameClipPairs
from studio.domain.progress import Progress, silent
from studio.engines.export3d.expression import BasisScaling
from studio.engines.export3d.face_plane import face_counts, from_front
from studio.engines.export3d.losses import critic_loss, face_difference, reconstruction, verdict_loss
from studio.engines.export3d.network import Drawn, Export3DNetwork
from studio.head import HeadModel, builtin_head
from studio.head.expression_numbers import expression_numbers
from studio.networks.camera_discriminator import CameraDiscriminator
from studio.networks.perceptual import perceptual_loss
from studio.networks.precision import full_precision
from studio.networks.volume.camera_numbers import RADIUS, camera_numbers
from studio.networks.volume.face_places import places_that_count

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_RAYS = 8
"""Place of where samples lie among a step's random numbers."""


def train_export3d(
    clips: Sequence[CorpusClip],
    settings: Export3DTrainingSettings,
    folder: Path,
    progress: Progress = silent,
    *,
    trunk: Path | None = None,
    model: HeadModel | None = None,
    device: torch.device | str = "cpu",
    fabric: Fabric | None = None,
) -> TrainedPeople:
    """Train on the training side of a corpus; see :func:`pipelines.people_training.train_on_people`.

    Where expressions are learnt before (``clebs``), that takes its share of the minutes.
    """
    rest = settings.loop
    if settings.network.encoding == "clebs":
        rest = replace(rest, minutes=rest.minutes * (1.0 - settings.contrast.share))
    trained = train_on_people(
        partial(_Teaching, settings),
        clips,
        replace(settings, loop=rest),
        folder,
        progress,
        trunk=trunk,
        model=model,
        device=device,
        fabric=fabric,
    )
    network = trained.network
    assert isinstance(network, Export3DNetwork)
    if isinstance(network.expression, BasisScaling):
        head = model or builtin_head()
        learnt = [clip for clip in clips if clip.name in trained.learnt_from]
        seen = np.concatenate([expression_numbers(clip.motion, head)[clip.good] for clip in learnt])
        network.expression.measure(torch.from_numpy(seen).to(network.expression.usual.device))
    return trained


class _Teaching:
    """Networks, losses and what they look at."""

    def __init__(self, settings: Export3DTrainingSettings, people: People) -> None:
        """``settings``: those of the whole training."""
        self.settings, self._alive = settings, people.report_to.again
        device, shape = people.device, settings.network
        self._device = device
        moments = {clip.name: volume_moments(clip, people.model, shape.side) for clip in people.everybody()}
        with randomness_kept():
            torch.manual_seed(settings.loop.seed)
            self.network = Export3DNetwork(shape).to(device)
            self.critic = _critic(settings, device)
        self.looks = perceptual_loss(people.trunk).to(device)
        if shape.encoding == "clebs":
            assert isinstance(self.network.expression, BasisScaling)
            train_clebs(self.network.expression, people, moments, settings.contrast, settings.loop)
            expressions = [moments[clip.name].expression[clip.good] for clip in people.learn]
            self.network.expression.level(torch.from_numpy(np.concatenate(expressions)).to(device))
            self.network.expression.requires_grad_(False)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        faces = [] if self.network.face is None else [*self.network.face.parameters()]
        own = {id(values) for values in faces}
        learnt = [v for v in self.network.parameters() if v.requires_grad and id(v) not in own]
        groups: list[dict[str, Any]] = [{"params": learnt}]
        if faces:
            groups.append({"params": faces, "lr": settings.face_rate})
        self.optimisers = {"network": torch.optim.Adam(groups, settings.learning_rate)}
        if self.critic is not None:
            self.modules["critic"] = self.critic
            self.optimisers["critic"] = torch.optim.Adam(self.critic.parameters(), settings.critic_rate)
        pairs = SameClipPairs(people.learn, settings.loop.seed)
        changes = Changes(settings.flip, settings.jitter, settings.zoom)
        pictures = PairPictures(pairs, people.loader, people.careful, changes, shape.background, device)
        self._batches = VolumeBatches(pictures, moments, people.model, shape.side)
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
        settings, numbers = self.settings, batch.indices.tolist()
        for further in range(1, settings.frames.ahead + 1):
            later = [number + further * settings.loop.batch for number in numbers]
            self._batches.ahead([*later, *self._face_numbers(later)])
        pairs = self._batches.at(numbers)
        chance = torch.Generator(pairs.source.device)
        chance.manual_seed(step_seed(settings.loop.seed, _RAYS, *numbers))
        drawn = self._drawn(pairs, chance)
        terms = self._compared(drawn, pairs)
        if settings.face_weight > 0.0 and settings.face_pairs and self.network.face is not None:
            terms |= self._faces(numbers)
        loss = torch.stack([*terms.values()]).sum()
        if self.critic is not None:
            zero = loss.detach() * 0.0
            verdict, critic = zero, zero
            if batch.share >= settings.critic_from:
                verdict, critic = self._judged(self.critic, drawn.picture, pairs)
                loss = loss + settings.critic_weight * verdict + critic
            terms |= {"verdict": verdict, "critic": critic}
        return {"loss": loss, **terms}

    def _drawn(self, pairs: VolumePairs, chance: torch.Generator | None = None) -> Drawn:
        asked = (pairs.source, pairs.expression, pairs.cameras, pairs.source_cameras, pairs.surface)
        drawn: Drawn = self.network(*asked, chance, pairs.shown)
        return drawn

    def _compared(self, drawn: Drawn, pairs: VolumePairs) -> dict[str, Tensor]:
        """Equation 13: squared and perceived differences, raw and final."""
        settings, counts = self.settings, None
        if settings.eyes_and_mouth > 0.0:
            counts = places_that_count(pairs.cameras, settings.network.side, settings.eyes_and_mouth)
        parts = reconstruction(drawn, pairs.driving, self.looks, counts)
        squares, looks = settings.squared_weight, settings.looks_weight
        return {
            "squares_raw": squares * parts.raw_squares,
            "squares": squares * parts.squares,
            "looks_raw": looks * parts.raw_perceptual,
            "looks": looks * parts.perceptual,
        }

    def _face_numbers(self, numbers: Sequence[int]) -> list[int]:
        """Of the pairs that teach the face's plane alone; none where nothing is compared there."""
        settings = self.settings
        if self.network.face is None or settings.face_weight == 0.0:
            return []
        return face_numbers(numbers, settings.face_pairs, settings.loop.batch)

    def _faces(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """How the faces that are painted for some pairs differ from the driving frames'."""
        faces, shape = self._face_numbers(numbers), self.settings.network
        if not faces:  # fewer than pairs: others of the step's have them
            nothing = torch.zeros((), device=self._device)
            return {"face_squares": nothing, "face_looks": nothing}
        pairs = self._batches.at(faces)
        told = (pairs.source, pairs.expression, pairs.source_cameras, pairs.surface, pairs.shown)
        painted, skin = self.network.painted_face(*told)
        with full_precision(painted):
            wanted = from_front(pairs.driving, pairs.cameras, skin, shape.face_plane)
            counts = face_counts(skin, pairs.cameras, shape.face_plane)
            squares, looks = face_difference(painted, wanted, counts, self.looks)
        weight = self.settings.face_weight
        return {
            "face_squares": weight * self.settings.face_squares * self.settings.squared_weight * squares,
            "face_looks": weight * self.settings.looks_weight * looks,
        }

    def _judged(self, critic: nn.Module, picture: Tensor, pairs: VolumePairs) -> tuple[Tensor, Tensor]:
        """The discriminator's verdict, and what it learns itself.

        All in one backward: for the first its weights are taken for given, for the other the picture is.
        """
        cameras = camera_numbers(pairs.cameras, self.settings.network.side, RADIUS)
        critic.requires_grad_(False)
        verdict = verdict_loss(critic(picture, cameras))
        critic.requires_grad_(True)
        return verdict, critic_loss(critic(pairs.driving, cameras), critic(picture.detach(), cameras))

    # How good it is

    def judge(self) -> dict[str, float]:
        """On pairs of people who are not learnt from; see :func:`~pipelines.people_training.judged_pairs`."""

        def look(group: Sequence[Pair]) -> Looked:
            pairs = self._batches.fixed(group)
            drawn = self._drawn(pairs)
            loss = torch.stack([*self._compared(drawn, pairs).values()]).sum()
            return Looked(drawn.picture, pairs.driving, loss)

        return judged_pairs(self.judged, self._alive, look)

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Source, driving frame, what is drawn and how, for some pairs."""
        self._alive()
        pairs = self._batches.fixed(shown_pairs(self._shown))
        return preview_sheet(pairs, self._drawn(pairs))


def _critic(settings: Export3DTrainingSettings, device: torch.device) -> CameraDiscriminator | None:
    if settings.critic_weight <= 0.0 or settings.critic_from >= 1.0:
        return None
    shape = settings.network
    return CameraDiscriminator(shape.side, shape.critic_first, shape.critic_most).to(device)
