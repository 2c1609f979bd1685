"""Pairs of frames, and frames of one clip, as what one step of Export3D learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipelines.one_picture import motion_at
from pipelines.pair_batches import PairPictures, ShownPairs
from pipelines.pair_cameras import pair_cameras, together
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import Pair
from studio.domain.camera import Floats
from studio.head import HeadModel
from studio.head.expression_numbers import expression_numbers, mirrored_expression
from studio.networks.volume.head_surface import surface_of
from studio.networks.volume.rays import Cameras
from studio.one_picture.driving import frames_of


@dataclass(frozen=True)
class VolumeMoments:
    """A clip's T frames as numbers."""

    expression: Floats
    """``[T, 57]``, see :func:`studio.head.expression_numbers.expression_numbers`."""
    cameras: Cameras
    """T, in pixels of the network's pictures."""
    surface: Floats
    """``[G, G]`` of the clip's own person."""


@dataclass(frozen=True)
class VolumePairs:
    """B pairs of frames."""

    source: Tensor
    """``[B, 3, S, S]`` -1..1, or ``[B, 4, S, S]`` with the person's outline."""
    driving: Tensor
    """``[B, 3, S, S]`` -1..1: what is to be drawn."""
    expression: Tensor
    """``[B, 57]`` of the driving frame."""
    shown: Tensor
    """``[B, 57]`` of the source frame."""
    source_cameras: Cameras
    """B."""
    cameras: Cameras
    """B, of the driving frames."""
    surface: Tensor
    """``[B, 1, G, G]`` of the sources' people."""


def volume_moments(clip: CorpusClip, model: HeadModel, side: int) -> VolumeMoments:
    """What a corpus' clip tells a network for pictures of a side. Raises Unreadable."""
    motion = motion_at(clip, side)
    return VolumeMoments(
        expression_numbers(motion, model),
        frames_of(motion, model).cameras,
        surface_of(model, clip.coefficients, clip.offset),
    )


class VolumeBatches:
    """Numbers of pairs to tensors."""

    def __init__(
        self, pictures: PairPictures, moments: Mapping[str, VolumeMoments], model: HeadModel, side: int
    ) -> None:
        """
        Args:
            pictures: gives the pictures.
            moments: of each clip, by name.
            model: the head model of the moments.
            side: of the pictures, pixels.
        """
        self._pictures, self._moments, self._model, self._side = pictures, moments, model, side

    def at(self, numbers: Sequence[int]) -> VolumePairs:
        """The pairs with some numbers. Raises Problem when no clip can be read at all."""
        return self._batch(self._pictures.at(numbers))

    def ahead(self, numbers: Sequence[int]) -> None:
        """Have the pictures of some numbers decoded, which will be asked for soon."""
        self._pictures.ahead(numbers)

    def fixed(self, pairs: Sequence[Pair]) -> VolumePairs:
        """Given pairs as they are. Raises Unreadable."""
        return self._batch(self._pictures.fixed(pairs))

    def _batch(self, shown: ShownPairs) -> VolumePairs:
        device = shown.source.device
        expressions, surfaces, sources, drivings = [], [], [], []
        for pair, change in zip(shown.pairs, shown.changes):
            moments = self._moments[pair.clip.name]
            numbers, surface = moments.expression[[pair.source, pair.driving]], moments.surface
            cameras = pair_cameras(moments.cameras, pair, change, self._side)
            if change.flip:
                numbers, surface = mirrored_expression(numbers, self._model), surface[:, ::-1]
            expressions.append(numbers)
            surfaces.append(surface)
            sources.append(cameras.take([0]))
            drivings.append(cameras.take([1]))
        told = torch.from_numpy(np.stack(expressions)).to(device)
        return VolumePairs(
            source=shown.source,
            driving=shown.driving,
            expression=told[:, 1].contiguous(),
            shown=told[:, 0].contiguous(),
            source_cameras=together(sources, device),
            cameras=together(drivings, device),
            surface=torch.from_numpy(np.stack(surfaces)[:, None].copy()).to(device),
        )


FIRST_FACE = 1 << 40
"""Number of the first pair that teaches a face alone: far beyond those of any training."""


def face_numbers(numbers: Sequence[int], each: int, batch: int) -> list[int]:
    """Numbers of a step's pairs to those of the pairs that teach faces alone in the same step.

    Every pair brings its own share of them, so that it does not matter which process has it.

    Args:
        numbers: of some of a step's pairs, counted over all steps.
        each: pairs of a step that teach faces alone.
        batch: pairs of a step.
    """
    shares = [(number * each // batch, (number + 1) * each // batch) for number in numbers]
    return [FIRST_FACE + face for first, end in shares for face in range(first, end)]
