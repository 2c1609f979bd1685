"""One-shot fine-tuning: a NOFA network learns one person's picture, in a minute or a few (paper, section 3.3,
equation 12).

It draws the picture's own frame, a little different each time, which keeps it from learning pixels by heart;
and other moments, which nobody filmed (:mod:`pipelines.other_moments`), so that all else keeps its look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.nofa_avatar_settings import FineTuneSettings
from pipelines.nofa_batches import NofaPairs
from pipelines.nofa_comparing import Comparing
from pipelines.nofa_preview import preview_sheet
from pipelines.nofa_teachers import ARCFACE, NO_TEETH, teachers_of
from pipelines.one_picture import OnePicture
from pipelines.other_moments import OtherMoments
from pipelines.own_examples import OwnExamples
from pipelines.pair_batches import Changes
from pipelines.training.batch import Batch
from pipelines.training.loop import TrainReport, train
from pipelines.training.order import Indices
from pipelines.training.reporter import Repeating
from studio.domain.progress import Progress, silent
from studio.engines.nofa.losses import STAGES, Weights, weighted
from studio.engines.nofa.network import Drawn, NofaNetwork, Person
from studio.engines.nofa.own_weights import FIGURE, optimised_parts
from studio.head import HeadModel
from studio.networks.perceptual import perceptual_loss

HELD = 3
"""Moments without a picture that a step asks for."""
JUDGED = 6
"""As many of them say whether weights are better than others."""
WHAT = "fitting the network to the picture"


@dataclass(frozen=True)
class FineTuned:
    """How it went."""

    loop: TrainReport
    """Curves, time, and why it ended."""
    before: Mapping[str, float]
    """How well the picture itself was drawn: ``psnr``, dB."""
    after: Mapping[str, float]
    """The same, of the weights that are kept."""
    notes: tuple[str, ...]
    """Sentences for a person: what it brought, what pictures were compared by and what was left out."""

    def figures(self, settings: FineTuneSettings) -> dict[str, Any]:
        """For an avatar's card."""
        return {
            FIGURE: settings.optimise,
            "fine_tuning_minutes": self.loop.seconds / 60.0,
            "fine_tuning_steps": self.loop.steps,
            **{f"{name}_before": value for name, value in self.before.items()},
            **{f"{name}_after": value for name, value in self.after.items()},
        }


def fine_tune(
    network: NofaNetwork,
    person: OnePicture,
    model: HeadModel,
    settings: FineTuneSettings,
    folder: Path,
    progress: Progress = silent,
    *,
    trunk: Path | None = None,
    teachers: Mapping[str, Path] | None = None,
    device: torch.device | str = "cpu",
) -> FineTuned:
    """Fine-tune a network in place for one picture, going on from ``folder``.

    Args:
        network: the base model's, not tuned, also where this goes on. Only what is to be optimised changes.
        person: the picture, at least as large as the network's.
        model: the head model that was fitted to it.
        settings: what is optimised and how.
        folder: for checkpoints.
        progress: told at every step.
        trunk: of the perceptual loss, where the user owns it.
        teachers: the user's own networks, by their entries in the manifest; of these ``identity-arcface``
            takes part and says who it is.
        device: what to compute on.

    Raises:
        Problem: the network has no such part; memory or disk used up.
        Interrupted: asked to stop; the checkpoint is written.
    """
    report_to = Repeating(progress, WHAT)
    parts = optimised_parts(network.to(device).eval(), settings.optimise)
    with _only(network, parts):
        tuning = _FineTuning(
            network, person, model, settings, folder, report_to.again, trunk, teachers or {}, device
        )
        before = tuning.quality()
        learnt = [values for part in parts.values() for values in part.parameters()]
        report = train(
            modules=parts,
            optimisers=torch.optim.Adam(learnt, settings.learning_rate),
            step=tuning.step,
            order=tuning.order,
            settings=settings.loop,
            folder=folder,
            what=WHAT,
            progress=report_to,
            validate=tuning.judge,
            preview=tuning.sheet,
        )
        after = tuning.quality()
    brought = (
        f"Fitting to the picture ended after {report.steps} steps; the picture itself is drawn with "
        f"{after['psnr']:.1f} dB instead of {before['psnr']:.1f}."
    )
    return FineTuned(report, before, after, (brought, *tuning.said))


class _FineTuning:
    """One person's examples and losses."""

    def __init__(
        self,
        network: NofaNetwork,
        person: OnePicture,
        model: HeadModel,
        settings: FineTuneSettings,
        folder: Path,
        alive: Callable[[], None],
        trunk: Path | None,
        weights: Mapping[str, Path],
        device: torch.device | str,
    ) -> None:
        self.network, self.settings, self._alive = network, settings, alive
        changes = Changes(settings.flip, settings.jitter, settings.zoom)
        self.examples = OwnExamples(person, model, network.shape, changes, settings.loop.seed, device)
        looks = perceptual_loss(trunk).to(device)
        # Teeth belong to the training on people.
        known = {name: path for name, path in weights.items() if name == ARCFACE}
        teachers = teachers_of(known, folder / "converted", device)
        self.said = (looks.sentence, *(said for said in teachers.said if said != NO_TEETH))
        self._comparing = Comparing(looks, network, teachers)
        self._weights = _weights(settings)
        self._others: OtherMoments | None = None
        if settings.held > 0.0:
            own, moments, seed = self.examples.plain(), self.examples.moments, settings.loop.seed
            self._others = OtherMoments(network, own, moments, model, settings.moments, seed, alive)

    def order(self, step: int) -> Indices:
        """The examples of a step: numbers without an end."""
        batch = self.settings.loop.batch
        return np.arange(step * batch, (step + 1) * batch, dtype=np.int64)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's losses."""
        chance = batch.generator(self.network.centre.device)
        numbers = batch.indices.tolist()
        terms = self._taught(self.examples.at(numbers), chance)
        if self._others is not None:
            first = HELD * numbers[0] // len(numbers)
            terms["held"] = self._held([(first + at) % len(self._others) for at in range(HELD)], chance)
        return {"loss": torch.stack([*terms.values()]).sum(), **terms}

    def _taught(self, pairs: NofaPairs, chance: torch.Generator | None) -> dict[str, Tensor]:
        person, drawn = self._drawn(pairs, chance)
        return weighted(self._comparing.parts(drawn, person, pairs), self._weights)

    def _held(self, moments: Sequence[int], chance: torch.Generator | None) -> Tensor:
        assert self._others is not None
        looks, settings = self._comparing.looks, self.settings
        return settings.held * self._others.loss(moments, looks, settings.looks_weight, chance)

    def _drawn(self, pairs: NofaPairs, chance: torch.Generator | None = None) -> tuple[Person, Drawn]:
        person = self.network.encode(pairs.source)
        warp = self.network.warp(pairs.identity, pairs.expression, pairs.moved)
        return person, self.network.draw(person, pairs.cameras, warp, chance)

    def judge(self) -> dict[str, float]:
        """On the picture itself, and on some of the other moments."""
        self._alive()
        terms = self._taught(self.examples.plain(), None)
        if self._others is not None:
            self._alive()
            terms["held"] = self._held(range(min(JUDGED, len(self._others))), None)
        return {"loss": float(torch.stack([*terms.values()]).sum()), **self.quality()}

    @torch.no_grad()
    def quality(self) -> dict[str, float]:
        """PSNR of the picture itself, dB: see :class:`FineTuned`."""
        pairs = self.examples.plain()
        error = self._drawn(pairs)[1].picture.clamp(-1.0, 1.0) - pairs.driving
        return {"psnr": -10.0 * math.log10(max(float(error.square().mean()) / 4.0, 1e-10))}

    def sheet(self) -> npt.NDArray[np.uint8]:
        """The picture, what is drawn of it, and the resting face."""
        self._alive()
        pairs = self.examples.plain()
        person, drawn = self._drawn(pairs)
        return preview_sheet(pairs, drawn, self.network.draw(person, pairs.cameras))


def _weights(settings: FineTuneSettings) -> Weights:
    weights = replace(STAGES["fine_tuning"], perceptual=settings.looks_weight)
    # How compensation is spread says nothing about a generator that learns.
    return weights if settings.optimise == "compensation" else replace(weights, distribution=0.0)


@contextmanager
def _only(network: nn.Module, parts: Mapping[str, nn.Module]) -> Iterator[None]:
    """Only some parts learn; afterwards all that learnt before does again."""
    learning: Sequence[nn.Parameter] = [values for values in network.parameters() if values.requires_grad]
    network.requires_grad_(False)
    for part in parts.values():
        part.requires_grad_(True)
    try:
        yield
    finally:
        network.requires_grad_(False)
        for values in learning:
            values.requires_grad_(True)
