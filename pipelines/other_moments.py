"""Moments of a person of whom there is one picture, as a network should draw them while it learns that
picture by heart.

One picture says nothing about other sides, and a network that fits it changes these at random. So it is also
asked for moments that were never filmed: heads turned, faces with another expression. What it should draw
there is what it drew before it learnt, and on it, wherever the picture shows a place well, what the picture
corrects there. An error of the picture is so corrected from all sides, and all else stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pipelines.nofa_batches import NofaMoments, NofaPairs
from studio.domain.motion import HeadMotion
from studio.engines.nofa.deformation import FaceWarp
from studio.engines.nofa.losses import reconstruction
from studio.engines.nofa.network import NofaNetwork, enlarged
from studio.engines.nofa.source import Guide
from studio.head import HeadModel
from studio.head.expression_numbers import expression_numbers
from studio.networks.perceptual import PerceptualLoss
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.lifted import Lifted
from studio.networks.volume.rays import Cameras

ANGLES = (35.0, 18.0, 10.0)
"""Largest yaw, pitch and roll of made-up moments, degrees."""
EXPRESSES = 0.6
"""Deviation of made-up expressions, in usual ones of the head model."""
OPEN = 0.25
"""Most that a made-up jaw opens, radians."""
AT_ONCE = 4
"""Moments that are drawn together."""


def made_up(motion: HeadMotion, model: HeadModel, count: int, seed: int) -> HeadMotion:
    """Moments of somebody: heads turned anyhow; of faces half have the picture's own expression, as far as
    chance says, half another one, and some have their eyes closed.

    Args:
        motion: of the picture, one frame. Its camera stays.
        model: the head model of it.
        count: how many.
        seed: of chance.
    """
    random = np.random.default_rng(seed)
    own = motion.take(np.zeros(count, np.intp))
    other = random.random((count, 1)) < 0.5
    expression = own.expression * random.random((count, 1))
    expression += other * EXPRESSES * random.normal(size=expression.shape) * model.expression_deviation
    jaw = own.jaw.copy()
    jaw[:, 0] = np.where(random.random(count) < 0.5, jaw[:, 0], OPEN * random.random(count))
    closed = random.random((count, 1))
    eyelids = np.where(random.random((count, 1)) < 0.4, closed, own.eyelids)
    return replace(
        own,
        angles=(random.uniform(-1.0, 1.0, (count, 3)) * ANGLES).astype(np.float32),
        expression=expression.astype(np.float32),
        jaw=jaw.astype(np.float32),
        eyelids=eyelids.astype(np.float32),
    )


class OtherMoments:
    """A person's, and what should be drawn of them."""

    def __init__(
        self,
        network: NofaNetwork,
        own: NofaPairs,
        moments: NofaMoments,
        model: HeadModel,
        count: int,
        seed: int,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            network: before it learns.
            own: the picture itself as an example.
            moments: what it tells, one frame.
            model: the head model of these.
            count: how many moments are made up.
            seed: of these.
            alive: called now and then.
        """
        device = own.driving.device
        self.motion = motion = made_up(moments.motion, model, count, seed)
        """What they are; cameras in pixels of the network's pictures."""
        moved = moments.maps.to_canonical(motion) if network.shape.motion_prior else None
        self._network, self._own = network, own
        self._expression = torch.from_numpy(expression_numbers(motion, model)).to(device)
        self._moved = None if moved is None else torch.from_numpy(moved).to(device)
        self._cameras = cameras_of(motion, np.array([1.0, 0.0, 0.0, 0.0]), device=device)
        self.wanted = self._corrected(alive)
        """``[count, 3, S, S]`` about -1..1: what should be drawn."""

    def __len__(self) -> int:
        return len(self._expression)

    def loss(
        self, numbers: Sequence[int], looks: PerceptualLoss, weight: float, chance: torch.Generator | None
    ) -> Tensor:
        """How far the network is from what should be drawn: squares and looks (equation 3).

        Args:
            numbers: of moments.
            looks: compares how pictures look.
            weight: of that beside squares.
            chance: where samples along rays lie.
        """
        rows = list(numbers)
        warp, cameras = self.at(rows)
        drawn = self._network.draw(self._network.encode(self._own.source), cameras, warp, chance).picture
        squares, perceptual = reconstruction(drawn, self.wanted[rows], looks)
        return squares + weight * perceptual

    def at(self, numbers: Sequence[int]) -> tuple[FaceWarp, Cameras]:
        """Warps and cameras of some of them, for :meth:`~studio.engines.nofa.network.NofaNetwork.draw`."""
        rows = list(numbers)
        moved = None if self._moved is None else self._moved[rows]
        identity = self._own.identity.expand(len(rows), -1)
        return self._network.warp(identity, self._expression[rows], moved), self._cameras.take(rows)

    @torch.no_grad()
    def _corrected(self, alive: Callable[[], None]) -> Tensor:
        """What the network draws, and on it what the picture corrects."""
        network, own = self._network, self._own
        person = network.encode(own.source)
        warp = network.warp(own.identity, own.expression, own.moved)
        error = own.driving - network.draw(person, own.cameras, warp).picture
        wanted = []
        for first in range(0, len(self), AT_ONCE):
            alive()
            warp, cameras = self.at(range(first, min(first + AT_ONCE, len(self))))
            drawn = network.draw(person, cameras, warp)
            picture = drawn.picture
            if person.guide is not None:
                times = network.shape.side // network.shape.raw_side
                guide, depth = _with_colours(person.guide, error), enlarged(drawn.depth, times)
                correction, seen = network.carried(guide, cameras, depth, warp)
                picture = picture + correction * seen * enlarged(drawn.alpha, times)
            wanted.append(picture.clamp(-1.0, 1.0))
        return torch.cat(wanted)


def _with_colours(guide: Guide, maps: Tensor) -> Guide:
    """A guide that sees something else in the place of the source's colours, ``[B, 3, S, S]``, everywhere."""
    assert guide.lifted is not None
    return replace(
        guide,
        lifted=Lifted(torch.cat([maps, guide.lifted.maps[:, 3:]], 1), guide.lifted.cameras),
        smooth=None,
    )
