"""Pivotal tuning over all pivots at once (PVP eq. 5): the generator learns to show each of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.prior_settings import TuneSettings
from pipelines.training.loop import Batch, TrainReport, Validate, train
from pipelines.training.order import Indices
from pipelines.training.reporter import Repeating
from studio.domain.camera import Floats
from studio.domain.progress import Progress, silent

FFHQ_DISTANCE = 30.0
"""How far from a pivot FFHQ's generator is held, in the norm over all rows of W+; PTI's value."""


class Anchors(Protocol):
    """Latents away from the pivots, where the generator should stay as it was."""

    @property
    def distance(self) -> float:
        """How far from a pivot to hold the generator, in the norm over all rows."""

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """``[count, num_ws, w_dim]`` latents to walk towards; ``chance`` is a generator on the CPU."""


@dataclass(frozen=True)
class MappedAnchors:
    """Of a pretrained prior: truncated samples of its own mapping network."""

    mapping: Callable[[Tensor, float], Tensor]
    """``[B, z_dim]`` and truncation to ``[B, num_ws, w_dim]``."""
    z_dim: int
    """Numbers in z."""
    truncation: float = 0.5
    """1: plain samples, 0: the mean face. PTI: 0.5."""
    distance: float = FFHQ_DISTANCE
    """See :class:`Anchors`."""
    device: torch.device | str = "cpu"
    """Where the mapping network is."""

    @torch.no_grad()
    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """See :class:`Anchors`."""
        z = torch.randn(count, self.z_dim, generator=chance).to(self.device)
        return self.mapping(z, self.truncation)


class BlendedAnchors:
    """Of a prior made from scratch, which has no z: random blends of three pivots, pushed off their plane.

    The push is normal with ``spread`` times the pivots' own deviation in each number. The distance is 0.7 of
    the mean one between two pivots, about what 30 is between a pivot and truncated samples of FFHQ.
    """

    def __init__(self, pivots: Tensor, spread: float = 0.5) -> None:
        """``pivots`` ``[N, num_ws, w_dim]``."""
        self._pivots = pivots.detach()
        self._deviation = self._pivots.std(0, correction=0)
        self._spread = spread
        flat = self._pivots.flatten(1)
        count = len(flat)
        total = float(torch.cdist(flat, flat).sum()) / max(count * (count - 1), 1)
        self._distance = 0.7 * total or 1.0

    @property
    def distance(self) -> float:
        """See :class:`Anchors`."""
        return self._distance

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """See :class:`Anchors`."""
        places = torch.randint(len(self._pivots), (count, 3), generator=chance)
        weights = -torch.rand(count, 3, generator=chance).clamp_min(1e-7).log()
        weights = weights / weights.sum(1, keepdim=True)  # evenly over the triangle
        push = torch.randn(count, *self._pivots.shape[1:], generator=chance)
        blend = (weights.to(self._pivots)[..., None, None] * self._pivots[places]).sum(1)
        return blend + self._spread * self._deviation * push.to(self._pivots)


def held_latents(pivots: Tensor, anchors: Tensor, distance: float) -> Tensor:
    """``w_r = w_p + distance·(w_z − w_p)/‖w_z − w_p‖``, the norm over all rows together (PTI).

    Pivots and anchors ``[B, num_ws, w_dim]``.
    """
    way = anchors - pivots
    length = way.flatten(1).norm(dim=1).clamp_min(1e-8)
    return pivots + way * (distance / length)[:, None, None]


@dataclass(frozen=True)
class PivotPictures:
    """What the pivots look like, in the aligned crop; arrays may be memory-mapped."""

    latents: Tensor
    """``[N, num_ws, w_dim]``, fixed during tuning."""
    real: npt.NDArray[np.uint8]
    """``[N, R, R, 3]``."""
    guide: npt.NDArray[np.uint8] | None = None
    """``[N, R, R, 3]`` what a guided prior paints over."""
    person: npt.NDArray[np.uint8] | None = None
    """``[N, R, R]`` 255 on the person."""


class TuneBook(nn.Module):
    """Which images are done, which still take part, and whose turn it is.

    It is the training's order, and a module so that checkpoints hold it. An epoch is one round over the
    images that are neither done nor used up; at its end the done ones are measured again, since steps for
    others may have spoilt them.
    """

    def __init__(self, count: int, settings: TuneSettings) -> None:
        super().__init__()
        self._settings = settings
        self.recheck: Callable[[Indices], Tensor] | None = None
        """Measures the perceptual error ``[B]`` of images ``[B]``."""
        self.steps: Tensor
        self.error: Tensor
        self.skips: Tensor
        self._counted: Tensor
        self._round: Tensor
        self._epoch: Tensor
        self.register_buffer("steps", torch.zeros(count, dtype=torch.int64))
        self.register_buffer("error", torch.full((count,), torch.inf))
        self.register_buffer("skips", torch.zeros(count, dtype=torch.int64))
        self.register_buffer("_counted", torch.full((count,), -1, dtype=torch.int64))
        self.register_buffer("_round", torch.full((count,), -1, dtype=torch.int64))
        self.register_buffer("_epoch", torch.tensor([-1, 0]))

    @property
    def done(self) -> Tensor:
        """``[N]`` whether an image was below the threshold when last measured."""
        return self.error < self._settings.threshold

    @property
    def epochs(self) -> int:
        """Rounds begun."""
        return int(self._epoch[0]) + 1

    def __call__(self, step: int) -> Indices:
        """Images of a step; none when all are done or used up. Calling twice changes nothing."""
        # Not nn.Module's: this module is an order, it has no forward pass.
        queue = self._round[self._round >= 0]
        place = (step - int(self._epoch[1])) * self._settings.loop.batch
        if place >= len(queue):
            queue, place = self._next_round(step), 0
        return queue[place : place + self._settings.loop.batch].cpu().numpy().astype(np.int64)

    def note(self, step: int, images: Indices, error: Tensor) -> Tensor:
        """Take in errors ``[B]`` measured before a step's update.

        Returns:
            ``[B]`` whether each image takes part in the update: one below the threshold does not.
        """
        where = torch.as_tensor(images).to(self.error.device)
        error = error.detach().to(self.error)
        self.error[where] = error
        fresh = self._counted[where] != step  # a step repeated with less memory counts once
        self._counted[where] = step
        takes_part = error >= self._settings.threshold
        self.steps[where] += (fresh & takes_part).long()
        self.skips[where] += (fresh & ~takes_part).long()
        return takes_part

    def _next_round(self, step: int) -> Tensor:
        done = torch.nonzero(self.done)[:, 0]
        if self.recheck is not None and len(done):
            self.error[done] = self.recheck(done.cpu().numpy()).to(self.error)
        left = torch.nonzero(~self.done & (self.steps < self._settings.steps_per_image))[:, 0]
        epoch = int(self._epoch[0]) + 1
        order = np.random.default_rng([self._settings.loop.seed, epoch]).permutation(len(left))
        queue = left[torch.from_numpy(order).to(left.device)]
        self._round.fill_(-1)
        self._round[: len(queue)] = queue
        self._epoch.copy_(torch.tensor([epoch, step]))
        return queue


class Tuning:
    """Eq. 5 for a batch of pivots."""

    def __init__(
        self,
        generator: nn.Module,
        pictures: PivotPictures,
        perceptual: Callable[[Tensor, Tensor], Tensor],
        settings: TuneSettings,
        anchors: Anchors | None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            generator: a PersonalGenerator, untuned: a frozen copy of it is what locality compares with.
            pictures: N pivots.
            perceptual: pictures ``[B, 3, R, R]`` in -1..1, twice, to ``[B]``.
            settings: weights and limits.
            anchors: where the generator is held; None leaves locality out.
            alive: called between pictures that are only measured; may raise Interrupted.
        """
        self.generator, self.pictures = generator, pictures
        self.perceptual, self.settings, self.alive = perceptual, settings, alive
        self.anchors = anchors if settings.locality else None
        self.device = next(generator.parameters()).device
        self.latents = pictures.latents.detach().to(self.device)
        self.frozen = copy.deepcopy(generator).eval().requires_grad_(False) if self.anchors else None
        self.book = TuneBook(len(pictures.real), settings).to(self.device)
        self.book.recheck = self.measure

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch, as a training loop's step function."""
        s, images = self.settings, batch.indices
        guide = self._guide(images)
        real = as_pictures(self.pictures.real[images], self.device)
        latents = self.latents[torch.from_numpy(images).to(self.device)]
        shown = self._in_person(self.generator(latents, guide), real, images)
        error = self.perceptual(shown, real)
        takes_part = self.book.note(batch.step, images, error)
        part = takes_part.to(error)
        pixel = (shown - real).square().mean((1, 2, 3))
        if not bool(takes_part.any()):
            # Nothing to learn here; a way back through the generator would cost as much as learning.
            nothing = 0.0 * next(p for p in self.generator.parameters() if p.requires_grad).sum()
            return {"loss": nothing, "perceptual": error.mean(), "pixel": pixel.mean()}
        loss = (part * (s.perceptual * error + s.pixel * pixel)).mean()
        figures = {"perceptual": error.mean(), "pixel": pixel.mean()}
        if self.anchors is not None:
            chosen = torch.nonzero(takes_part)[: s.locality_samples, 0]
            held = self.locality(
                latents[chosen], None if guide is None else guide[chosen], batch.generator("cpu")
            )
            loss = loss + held
            figures["locality"] = held
        return {"loss": loss, **figures}

    def locality(self, pivots: Tensor, guide: Tensor | None, chance: torch.Generator) -> Tensor:
        """How far the tuned generator is from the original at held latents near ``pivots`` (weighted)."""
        assert self.anchors is not None
        assert self.frozen is not None
        anchors = self.anchors.draw(len(pivots), chance).to(pivots)
        latents = held_latents(pivots, anchors, self.anchors.distance)
        tuned = self.generator(latents, guide)
        with torch.no_grad():
            original = self.frozen(latents, guide)
        pixel = (tuned - original).square().mean()
        perceptual = self.perceptual(tuned, original).mean()
        return self.settings.locality_pixel * pixel + self.settings.locality_perceptual * perceptual

    @torch.no_grad()
    def measure(self, images: Indices) -> Tensor:
        """Perceptual errors ``[B]`` of pivots with the generator as it is now."""
        errors = []
        size = max(self.settings.loop.batch, 1)
        for first in range(0, len(images), size):
            self.alive()
            piece = images[first : first + size]
            real = as_pictures(self.pictures.real[piece], self.device)
            latents = self.latents[torch.from_numpy(piece).to(self.device)]
            shown = self._in_person(self.generator(latents, self._guide(piece)), real, piece)
            errors.append(self.perceptual(shown, real))
        return torch.cat(errors)

    def _guide(self, images: Indices) -> Tensor | None:
        guide = self.pictures.guide
        return None if guide is None else as_pictures(guide[images], self.device)

    def _in_person(self, shown: Tensor, real: Tensor, images: Indices) -> Tensor:
        """The picture with its background drawn towards the real one where the background counts less."""
        if self.pictures.person is None or self.settings.background >= 1.0:
            return shown
        person = torch.from_numpy(np.ascontiguousarray(self.pictures.person[images])).to(shown) / 255.0
        counts = person + (1.0 - person) * self.settings.background
        return real + counts[:, None] * (shown - real)


@dataclass(frozen=True)
class Tuned:
    """How the tuning went."""

    before: Floats
    """``[N]`` perceptual error of each pivot before it."""
    after: Floats
    """``[N]`` and after it."""
    steps: npt.NDArray[np.int64]
    """``[N]`` updates that each pivot took part in."""
    skips: npt.NDArray[np.int64]
    """``[N]`` times that it was found below the threshold and left alone."""
    epochs: int
    """Rounds over the pivots."""
    loop: TrainReport
    """Curves, time, and why it ended: ``done`` when all pivots were below the threshold or used up."""


def tune_generator(
    generator: nn.Module,
    pictures: PivotPictures,
    perceptual: Callable[[Tensor, Tensor], Tensor],
    settings: TuneSettings,
    folder: Path,
    anchors: Anchors | None = None,
    validate: Validate | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Tune a generator in place until it shows every pivot, going on from ``folder``.

    Args:
        generator: a PersonalGenerator (styles ``[B, num_ws, w_dim]`` and guide to pictures), untuned also
            when the tuning is resumed. All its parameters that ask for gradients are trained.
        pictures: the pivots and their fixed latents.
        perceptual: pictures ``[B, 3, R, R]`` in -1..1, twice, to ``[B]``; the threshold is in its units.
        settings: weights, limits and the loop's.
        folder: for checkpoints.
        anchors: where the generator is held; by default blends of the pivots, for a prior without z.
        validate: how well frames that are no pivots are shown, lower is better; the best weights are kept.
        progress: told at every step.
    """
    if settings.locality and anchors is None:
        anchors = BlendedAnchors(pictures.latents)
    what = "tuning the generator"
    report_to = Repeating(progress, what)
    with _evaluating(perceptual):
        tuning = Tuning(generator, pictures, perceptual, settings, anchors, report_to.again)
        everything = np.arange(len(pictures.real))
        before = tuning.measure(everything)
        rounds = -(-len(everything) // settings.loop.batch)
        loop = replace(settings.loop, steps=min(settings.loop.steps, settings.steps_per_image * rounds))
        trained = [p for p in generator.parameters() if p.requires_grad]
        report = train(
            modules={"generator": generator, "book": tuning.book},
            optimisers=torch.optim.Adam(trained, settings.learning_rate),
            step=tuning.step,
            order=tuning.book,
            settings=loop,
            folder=folder,
            what=what,
            progress=report_to,
            validate=validate,
        )
        after = tuning.measure(everything)
    return Tuned(
        before=before.cpu().numpy().astype(np.float32),
        after=after.cpu().numpy().astype(np.float32),
        steps=tuning.book.steps.cpu().numpy(),
        skips=tuning.book.skips.cpu().numpy(),
        epochs=tuning.book.epochs,
        loop=report,
    )


def as_pictures(pictures: npt.NDArray[np.uint8], device: torch.device | str) -> Tensor:
    """``[B, H, W, 3]`` 0..255 to ``[B, 3, H, W]`` float32 in -1..1 on ``device``."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return tensor.permute(0, 3, 1, 2).float() / 127.5 - 1.0


@contextmanager
def _evaluating(perceptual: object) -> Iterator[None]:
    """A perceptual network's weights ask for no gradients while it is only looked through."""
    if not isinstance(perceptual, nn.Module):
        yield
        return
    asked = [p for p in perceptual.parameters() if p.requires_grad]
    for parameter in asked:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)
