"""One picture as what fine-tuning learns from: itself, a little different each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.nofa_batches import NofaMoments, NofaPairs, moments_of
from pipelines.one_picture import OnePicture
from pipelines.pair_batches import NONE, Change, Changes, changed
from pipelines.pair_cameras import together
from studio.domain.camera import Floats
from studio.engines.nofa.face_boxes import LIPS, face_boxes, face_points
from studio.engines.nofa.losses import mouth_boxes
from studio.engines.nofa.settings import NofaSettings
from studio.engines.nofa.source import Source
from studio.head import HeadModel
from studio.head.expression_numbers import mirrored_expression
from studio.head.mirrored import mirrored_identity
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import enlarged, mirrored, seen_at

FINER = 2
"""Pixels along a side that examples are made of, at most, for one of theirs: enlarged ones stay sharp."""
_SIDEWAYS = np.array([-1.0, 1.0, 1.0], np.float32)


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
        own = _known(self.moments, model, shape)
        self._known = (own, own.mirrored(model))

    def plain(self) -> NofaPairs:
        """The picture itself: one example."""
        return self._examples([NONE])

    def at(self, numbers: Sequence[int]) -> NofaPairs:
        """The examples with some numbers."""
        return self._examples([self._changes.at(self._seed, number) for number in numbers])

    def _examples(self, changes: Sequence[Change]) -> NofaPairs:
        shape = self._shape
        seen = changed(self._picture.expand(len(changes), -1, -1, -1, -1), changes)[:, 0]
        source = 2.0 * functional.avg_pool2d(seen, seen.shape[-1] // shape.side) - 1.0
        known = [self._known[change.flip] for change in changes]

        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(one, name) for one in known])).to(self._device)

        cameras = together(
            [_changed_camera(self.moments.cameras, change, shape.side) for change in changes], self._device
        )
        told = Source(source[:, :3])
        if shape.guided:
            told = Source(source, cameras, stacked("surface")[:, None], stacked("away"))
        points = seen_at(cameras, stacked("points"))
        return NofaPairs(
            source=told,
            driving=source[:, :3],
            identity=stacked("identity"),
            expression=stacked("expression"),
            moved=stacked("moved") if shape.motion_prior else None,
            cameras=cameras,
            mouths=mouth_boxes(points[:, : len(LIPS)], shape.side),
            faces=face_boxes(points),
        )


def _changed_camera(camera: Cameras, change: Change, side: int) -> Cameras:
    if change.zoom != 1.0:
        half = 0.5 * side
        corner = half * (1.0 + torch.tensor([change.at], dtype=torch.float32)) - half / change.zoom
        camera = enlarged(camera, torch.tensor([change.zoom], dtype=torch.float32), corner)
    return mirrored(camera, side) if change.flip else camera


@dataclass(frozen=True)
class _Known:
    """What the picture tells, the same in every example."""

    identity: Floats
    expression: Floats
    moved: Floats
    away: Floats
    surface: Floats
    points: Floats

    def mirrored(self, model: HeadModel) -> _Known:
        """Of the person in a mirror."""
        return _Known(
            mirrored_identity(self.identity, model),
            mirrored_expression(self.expression, model),
            np.ascontiguousarray(self.moved[..., ::-1] * _SIDEWAYS[:, None, None]),
            np.ascontiguousarray(self.away[..., ::-1] * _SIDEWAYS[:, None, None]),
            np.ascontiguousarray(self.surface[:, ::-1]),
            self.points * _SIDEWAYS,
        )


def _known(moments: NofaMoments, model: HeadModel, shape: NofaSettings) -> _Known:
    none = np.zeros((3, 1, 1), np.float32)
    return _Known(
        moments.identity,
        moments.expression[0],
        moments.maps.to_canonical(moments.motion)[0] if shape.motion_prior else none,
        moments.maps.from_canonical(moments.motion)[0] if shape.guided else none,
        moments.surface,
        face_points(model, model.deform(moments.neutral, moments.motion)[0]),
    )
