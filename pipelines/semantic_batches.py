"""Pairs of frames as what one step of a semantic network learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipelines.pair_batches import Change, PairPictures, ShownPairs
from pipelines.people_moments import Moments, mirrored_code, mirrored_keypoints
from studio.corpus.pairs import Pair
from studio.domain.camera import Floats
from studio.head import HeadModel


@dataclass(frozen=True)
class PairBatch:
    """B pairs of frames."""

    source: Tensor
    """``[B, 3, S, S]`` -1..1, or ``[B, 4, S, S]`` with the person's outline."""
    driving: Tensor
    """``[B, 3, S, S]`` -1..1: what is to be drawn."""
    source_keypoints: Tensor
    """``[B, 16 + L, 3]``, the face's points after the keypoints."""
    driving_keypoints: Tensor
    """``[B, 16 + L, 3]``."""
    code: Tensor
    """``[B, 53]`` of the driving frame."""


class PairBatches:
    """Numbers of pairs to tensors."""

    def __init__(self, pictures: PairPictures, moments: Mapping[str, Moments], model: HeadModel) -> None:
        """
        Args:
            pictures: gives the pictures.
            moments: of each clip, by name.
            model: the head model of the moments.
        """
        self._pictures, self._moments, self._model = pictures, moments, model

    def at(self, numbers: Sequence[int]) -> PairBatch:
        """The pairs with some numbers. Raises Problem when no clip can be read at all."""
        return self._batch(self._pictures.at(numbers))

    def ahead(self, numbers: Sequence[int]) -> None:
        """Have the pictures of some numbers decoded, which will be asked for soon."""
        self._pictures.ahead(numbers)

    def fixed(self, pairs: Sequence[Pair]) -> PairBatch:
        """Given pairs as they are. Raises Unreadable."""
        return self._batch(self._pictures.fixed(pairs))

    def _batch(self, shown: ShownPairs) -> PairBatch:
        numbers = [self._numbers(pair, change) for pair, change in zip(shown.pairs, shown.changes)]
        told = (torch.from_numpy(np.stack(values)).to(shown.source.device) for values in zip(*numbers))
        return PairBatch(shown.source, shown.driving, *told)

    def _numbers(self, pair: Pair, change: Change) -> tuple[Floats, Floats, Floats]:
        moments = self._moments[pair.clip.name]
        keypoints, code = moments.keypoints[[pair.source, pair.driving]], moments.code[pair.driving]
        keypoints = (keypoints - np.array([*change.at, 0.0], np.float32)) * np.float32(change.zoom)
        if change.flip:
            keypoints, code = mirrored_keypoints(keypoints, self._model), mirrored_code(code, self._model)
        return keypoints[0], keypoints[1], code
