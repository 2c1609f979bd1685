"""One-shot fine-tuning: a NOFA network learns one person's picture, in a minute or a few (paper, section 3.3,
equation 12).

It draws the picture's own frame. A network that may take the source's own colours could do that without
learning anything about the person, so these are hidden from every other example: the volume has to know.
Small changes of each example keep it from learning pixels by heart.
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

WHAT = "fitting the network to the picture"


@dataclass(frozen=True)
class FineTuned:
    """How it went."""

    loop: TrainReport
    """Curves, time, and why it ended."""
    before: Mapping[str, float]
    """How well the picture itself was drawn: ``psnr`` as avatars show it, ``psnr_planes`` without the
    source's own colours, dB."""
    after: Mapping[str, float]
    """The same, of the weights that are kept."""
    notes: tuple[str, ...]
    """Sentences for a person: what pictures were compared by and what was left out."""

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
    return FineTuned(report, before, after, tuning.said)


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

    def order(self, step: int) -> Indices:
        """The examples of a step: numbers without an end."""
        batch = self.settings.loop.batch
        return np.arange(step * batch, (step + 1) * batch, dtype=np.int64)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's losses."""
        chance = batch.generator(self.network.centre.device)
        numbers = batch.indices.tolist()
        terms: dict[str, Tensor] = {}
        for hidden in (False, True):
            some = [number for number in numbers if self._hides(number) is hidden]
            if not some:
                continue
            for name, value in self._taught(self.examples.at(some), hidden, chance).items():
                terms[name] = terms.get(name, 0.0) + value * (len(some) / len(numbers))
        return {"loss": torch.stack([*terms.values()]).sum(), **terms}

    def _hides(self, number: int) -> bool:
        """Whether the source's colours are hidden from an example: every other one."""
        return self.network.shape.seen_source and number % 2 == 1

    def _taught(self, pairs: NofaPairs, hidden: bool, chance: torch.Generator | None) -> dict[str, Tensor]:
        person, drawn = self._drawn(pairs, hidden, chance)
        return weighted(self._comparing.parts(drawn, person, pairs), self._weights)

    def _drawn(
        self, pairs: NofaPairs, hidden: bool, chance: torch.Generator | None = None
    ) -> tuple[Person, Drawn]:
        person = self.network.encode(pairs.source)
        if hidden and person.guide is not None:
            person = replace(person, guide=replace(person.guide, seen=False))
        warp = self.network.warp(pairs.identity, pairs.expression, pairs.moved)
        return person, self.network.draw(person, pairs.cameras, warp, chance)

    def judge(self) -> dict[str, float]:
        """On the picture itself, with and without the source's own colours."""
        pairs, figures = self.examples.plain(), {"loss": 0.0}
        for hidden in (False, True):
            self._alive()
            terms = self._taught(pairs, hidden, None)
            figures["loss"] += 0.5 * float(torch.stack([*terms.values()]).sum())
        return {**figures, **self.quality()}

    @torch.no_grad()
    def quality(self) -> dict[str, float]:
        """PSNR of the picture itself, dB: see :class:`FineTuned`."""
        pairs = self.examples.plain()
        found = {}
        for name, hidden in (("psnr", False), ("psnr_planes", True)):
            error = self._drawn(pairs, hidden)[1].picture.clamp(-1.0, 1.0) - pairs.driving
            found[name] = -10.0 * math.log10(max(float(error.square().mean()) / 4.0, 1e-10))
        return found

    def sheet(self) -> npt.NDArray[np.uint8]:
        """The picture, what is drawn of it with and without its own colours, and the resting face."""
        self._alive()
        pairs = self.examples.plain()
        rows = []
        for hidden in (False, True):
            person, drawn = self._drawn(pairs, hidden)
            rows.append(preview_sheet(pairs, drawn, self.network.draw(person, pairs.cameras)))
        width = max(row.shape[1] for row in rows)
        return np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])


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
