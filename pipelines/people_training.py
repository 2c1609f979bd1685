"""What every training on people shares: who is learnt from, who judges it, and the loop around it.

A system brings a :class:`Teaching` (its networks, its losses, what it shows); :func:`train_on_people` reads
the corpus, gives it pictures and runs the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.people_loader import PeopleLoader
from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import Indices
from pipelines.training.reporter import Repeating
from pipelines.training.settings import LoopSettings
from studio.corpus.careful import CarefulReading
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import Pair, first_good
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted, Progress
from studio.head import HeadModel, builtin_head

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from pipelines.frame_settings import FrameSettings


VALIDATED_AT_ONCE = 8
"""Pairs that are looked at together in a validation."""
SHOWN = 4
"""Pairs on a preview sheet."""


class PeopleSettings(Protocol):
    """What every training's settings have."""

    @property
    def network(self) -> Any:
        """The network's settings; ``side`` is that of its pictures."""

    @property
    def frames(self) -> FrameSettings:
        """How pictures reach the training."""

    @property
    def loop(self) -> LoopSettings:
        """Minutes, batch, average and memory."""

    @property
    def validation_identities(self) -> int:
        """People by whom training is judged."""


@dataclass(frozen=True)
class TrainedPeople:
    """What training gave."""

    network: nn.Module
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


@dataclass(frozen=True)
class People:
    """What a training has to learn from."""

    learn: Sequence[CorpusClip]
    """Clips to learn from."""
    judge: Sequence[CorpusClip]
    """Clips of other people, to judge by."""
    loader: PeopleLoader
    """Gives their pictures."""
    careful: CarefulReading
    """Remembers what cannot be read."""
    model: HeadModel
    """The corpus' head model."""
    device: torch.device
    """What to compute on."""
    report_to: Repeating
    """Told that the training is alive, in long pauses."""
    alive: Callable[[], None]
    """Hears a wish to stop before the loop begins; may raise Interrupted."""
    trunk: Path | None
    """Trunk of the perceptual loss, where it can be had."""
    folder: Path
    """For checkpoints."""
    fabric: Fabric | None = None
    """See :func:`pipelines.training.loop.train`; for what is trained before the rest."""

    def everybody(self) -> Iterator[CorpusClip]:
        """All clips, with an ear for a wish to stop before each: what is prepared for a clip may take
        long."""
        return _heard([*self.learn, *self.judge], self.alive)


@dataclass(frozen=True)
class Looked:
    """B pairs, drawn."""

    picture: Tensor
    """``[B, 3, S, S]`` -1..1, what was drawn."""
    driving: Tensor
    """``[B, 3, S, S]`` what of."""
    loss: Tensor
    """How different they look, in training's own terms."""


class Teaching(Protocol):
    """Networks, losses and what they look at."""

    @property
    def network(self) -> nn.Module:
        """What is to be learnt; one of the modules."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything that is trained, by name."""

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """By the module's name."""

    @property
    def judged(self) -> Sequence[Pair]:
        """Pairs that it is judged by; none: it is not."""

    @property
    def pictures_compared(self) -> str:
        """How pictures are compared, a sentence."""

    def order(self, step: int) -> Indices:
        """Numbers of a step's examples."""

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's losses."""

    def judge(self) -> dict[str, float]:
        """How good it is on people who are not learnt from."""

    def sheet(self) -> npt.NDArray[np.uint8]:
        """A picture of what it can do now."""


def train_on_people(
    teach: Callable[[People], Teaching],
    clips: Sequence[CorpusClip],
    settings: PeopleSettings,
    folder: Path,
    progress: Progress,
    *,
    trunk: Path | None = None,
    model: HeadModel | None = None,
    device: torch.device | str = "cpu",
    fabric: Fabric | None = None,
    what: str = "training on people",
) -> TrainedPeople:
    """Train on the training side of a corpus.

    Args:
        teach: makes what is taught, once the people are known.
        clips: all of the corpus; held-out ones are never read.
        settings: the system's.
        folder: for checkpoints.
        progress: told at every step.
        trunk: of the perceptual loss, where it can be had.
        model: the corpus' head model; the built-in one when None.
        device: what to compute on, where there is no fabric.
        fabric: see :func:`pipelines.training.loop.train`.
        what: what progress calls it.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: nothing to learn from can be read, memory or disk used up, the training diverged.
    """
    report_to = Repeating(progress, what)
    device = fabric.device if fabric is not None else torch.device(device)
    # Before the loop, several processes cannot agree on a stop: what they would wait for comes in its first
    # step.
    alone = fabric is None or fabric.world_size == 1
    alive = report_to.again if alone else _nothing
    careful = CarefulReading(report_to.say)
    ours = careful.readable(clip for clip in _heard(clips, alive) if clip.split == "train")
    split = sides(ours, settings.validation_identities)
    learn, judge = split.learn, split.judge
    head = model or builtin_head()
    with PeopleLoader(
        [*learn, *judge],
        settings.network.side,
        settings.frames.memory_gigabytes * 1e9,
        settings.frames.workers,
        report_to.say,
        stopping=partial(_asked, report_to),
    ) as loader:
        people = People(learn, judge, loader, careful, head, device, report_to, alive, trunk, folder, fabric)
        teaching = teach(people)
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
    return TrainedPeople(
        network=teaching.network.eval(),
        loop=report,
        learnt_from=tuple(clip.name for clip in learn),
        judged_by=tuple(clip.name for clip in judge),
        lost=dict(careful.lost),
        pictures_compared=teaching.pictures_compared,
    )


def _heard(clips: Iterable[CorpusClip], alive: Callable[[], None]) -> Iterator[CorpusClip]:
    for clip in clips:
        alive()
        yield clip


def _asked(report_to: Repeating) -> bool:
    """Whether somebody has asked to stop, where that must not be raised."""
    try:
        report_to.again()
    except Interrupted:
        return True
    return False


def _nothing() -> None:
    pass


def validation_pairs(clips: Sequence[CorpusClip], count: int) -> list[Pair]:
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


def judged_pairs(
    pairs: Sequence[Pair], alive: Callable[[], None], look: Callable[[Sequence[Pair]], Looked]
) -> dict[str, float]:
    """How good a network is on pairs of people who are not learnt from: ``loss``, and ``psnr`` in dB.

    Args:
        pairs: some.
        alive: heard before each group of them; may raise Interrupted.
        look: draws a group.
    """
    sums = {"loss": 0.0, "psnr": 0.0}
    for first in range(0, len(pairs), VALIDATED_AT_ONCE):
        alive()
        group = pairs[first : first + VALIDATED_AT_ONCE]
        looked, share = look(group), len(group) / len(pairs)
        error = (looked.picture - looked.driving).square().mean((1, 2, 3)).clamp_min(1e-10)
        sums["loss"] += share * float(looked.loss)
        sums["psnr"] += share * float((10.0 * torch.log10(4.0 / error)).mean())
    return sums


def shown_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """A few pairs for a preview sheet, spread over all."""
    places = np.linspace(0, len(pairs) - 1, min(SHOWN, len(pairs))).round().astype(int)
    return [pairs[place] for place in np.unique(places).tolist()]
