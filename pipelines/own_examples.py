"""One picture as what fine-tuning learns from: itself, a little different each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch.nn import functional

from pipelines.nofa_batches import NofaPairs, moments_of, pairs_of, told_between
from pipelines.one_picture import OnePicture
from pipelines.pair_batches import NONE, Change, Changes, changed
from pipelines.pair_cameras import changed_cameras, together
from studio.engines.nofa.settings import NofaSettings
from studio.head import HeadModel

FINER = 2
"""Pixels along a side that examples are made of, at most, for one of theirs: enlarged ones stay sharp."""


class OwnExamples:
    """Numbers to examples of one person."""

    def __init__(
        self,
        person: OnePicture,
        model: HeadModel,
        shape: NofaSettings,
        changes: Changes,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """
        Args:
            person: the picture, at least as large as the network's; cameras in its own pixels.
            model: the head model that was fitted to it.
            shape: of the network.
            changes: how examples differ.
            seed: of these.
            device: where tensors go.
        """
        self._shape, self._changes, self._seed = shape, changes, seed
        self._device = torch.device(device)
        smaller = min(FINER, person.side // shape.side) * shape.side
        whole = np.dstack([person.picture, person.mask])
        whole = cv2.resize(whole, (smaller, smaller), interpolation=cv2.INTER_AREA)
        self._picture = torch.from_numpy(whole).to(self._device).float().permute(2, 0, 1)[None, None] / 255.0
        camera = np.asarray(person.motion.camera * (shape.side / person.side), np.float32)
        motion = replace(person.motion, camera=camera)
        self.moments = moments_of(motion, person.coefficients, person.offset, model, shape)
        own = told_between(self.moments, 0, 0, model, shape)
        self._told = (own, own.mirrored(model))

    def plain(self) -> NofaPairs:
        """The picture itself: one example."""
        return self._examples([NONE])

    def at(self, numbers: Sequence[int]) -> NofaPairs:
        """The examples with some numbers."""
        return self._examples([self._changes.at(self._seed, number) for number in numbers])

    def _examples(self, changes: Sequence[Change]) -> NofaPairs:
        side = self._shape.side
        seen = changed(self._picture.expand(len(changes), -1, -1, -1, -1), changes)[:, 0]
        picture = 2.0 * functional.avg_pool2d(seen, seen.shape[-1] // side) - 1.0
        cameras = [changed_cameras(self.moments.cameras, change, side) for change in changes]
        both = together(cameras, self._device)
        told = [self._told[change.flip] for change in changes]
        source = picture if self._shape.guided else picture[:, :3]
        return pairs_of(source, picture[:, :3], told, both, both, self._shape)
