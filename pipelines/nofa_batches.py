"""Pairs of frames of one clip as what one step of NOFA learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipelines.one_picture import OnePicture, motion_at
from pipelines.pair_batches import Change, PairPictures, ShownPairs
from pipelines.pair_cameras import pair_cameras, together
from studio.corpus.corpus import CorpusClip
from studio.corpus.pairs import Pair
from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.engines.nofa.face_boxes import LIPS, face_boxes, face_points
from studio.engines.nofa.losses import mouth_boxes
from studio.engines.nofa.motion_maps import MotionMaps
from studio.engines.nofa.settings import NofaSettings
from studio.engines.nofa.source import Source
from studio.head import HeadModel
from studio.head.expression_numbers import expression_numbers, mirrored_expression
from studio.head.mirrored import mirrored_identity
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.head_surface import surface_of_face
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import seen_at


@dataclass(frozen=True)
class NofaMoments:
    """A clip's T frames as numbers."""

    motion: HeadMotion
    """Cameras in pixels of the network's pictures."""
    neutral: Floats
    """``[V, 3]`` the person's neutral face, metres."""
    identity: Floats
    """``[40]`` coefficients."""
    expression: Floats
    """``[T, 57]``"""
    cameras: Cameras
    """T."""
    maps: MotionMaps
    """The person's."""
    surface: Floats
    """``[G, G]`` of the person's canonical face."""


@dataclass(frozen=True)
class NofaPairs:
    """B pairs of frames."""

    source: Source
    """B."""
    driving: Tensor
    """``[B, 3, S, S]`` -1..1: what is to be drawn."""
    identity: Tensor
    """``[B, 40]``"""
    expression: Tensor
    """``[B, 57]`` of the driving frames."""
    moved: Tensor | None
    """``[B, 3, g, g]`` from the driving expression to the canonical one; None where it takes none."""
    cameras: Cameras
    """B, of the driving frames."""
    mouths: Tensor
    """``[B, 4]`` squares around the driving frames' lips, pixels."""
    faces: Tensor
    """``[B, 4]`` squares that FFHQ's alignment would cut out of them, pixels."""


def moments_of(
    motion: HeadMotion, coefficients: Floats, offset: Floats, model: HeadModel, shape: NofaSettings
) -> NofaMoments:
    """What tracked frames of one person tell a network.

    Args:
        motion: cameras in pixels of the network's pictures.
        coefficients: ``[<=40]`` the person's identity.
        offset: ``[V, 3]`` metres, what those leave out.
        model: the head model of both.
        shape: of the network.
    """
    identity = np.zeros(model.identities, np.float32)
    identity[: len(coefficients)] = coefficients
    neutral = model.neutral(identity, offset)
    maps = MotionMaps(model, neutral, shape)
    return NofaMoments(
        motion,
        neutral,
        identity,
        expression_numbers(motion, model),
        cameras_of(motion, np.array([1.0, 0.0, 0.0, 0.0])),
        maps,
        surface_of_face(model, maps.face),
    )


def clip_moments(clip: CorpusClip, model: HeadModel, shape: NofaSettings) -> NofaMoments:
    """The same of a corpus' clip. Raises Unreadable."""
    return moments_of(motion_at(clip, shape.side), clip.coefficients, clip.offset, model, shape)


def told_of(
    person: OnePicture, model: HeadModel, shape: NofaSettings, device: torch.device | str = "cpu"
) -> tuple[Source, NofaMoments]:
    """One picture as a network's source, and what it tells of the person."""
    moments = moments_of(person.motion, person.coefficients, person.offset, model, shape)
    picture = _tensor(person.picture, device)
    if not shape.guided:
        return Source(picture), moments
    surface = torch.from_numpy(moments.surface)[None, None].to(device)
    away = torch.from_numpy(moments.maps.from_canonical(person.motion)).to(device)
    whole = torch.cat([picture, _tensor(person.mask[..., None], device)], 1)
    cameras = cameras_of(person.motion, np.array([1.0, 0.0, 0.0, 0.0]), device=device)
    return Source(whole, cameras, surface, away), moments


def _tensor(picture: npt.NDArray[np.uint8], device: torch.device | str) -> Tensor:
    """``[S, S, C]`` to ``[1, C, S, S]`` -1..1."""
    return torch.from_numpy(picture.copy()).to(device).float().permute(2, 0, 1)[None] / 127.5 - 1.0


class NofaBatches:
    """Numbers of pairs to tensors."""

    def __init__(
        self,
        pictures: PairPictures,
        moments: Mapping[str, NofaMoments],
        model: HeadModel,
        shape: NofaSettings,
    ) -> None:
        """
        Args:
            pictures: gives the pictures, with outlines where the network is guided.
            moments: of each clip, by name.
            model: the head model of the moments.
            shape: of the network.
        """
        self._pictures, self._moments, self._model, self._shape = pictures, moments, model, shape

    def at(self, numbers: Sequence[int]) -> NofaPairs:
        """The pairs with some numbers. Raises Problem when no clip can be read at all."""
        return self._batch(self._pictures.at(numbers))

    def ahead(self, numbers: Sequence[int]) -> None:
        """Have the pictures of some numbers decoded, which will be asked for soon."""
        self._pictures.ahead(numbers)

    def fixed(self, pairs: Sequence[Pair]) -> NofaPairs:
        """Given pairs as they are. Raises Unreadable."""
        return self._batch(self._pictures.fixed(pairs))

    def _batch(self, shown: ShownPairs) -> NofaPairs:
        device, shape = shown.source.device, self._shape
        told = [self._told(pair, change) for pair, change in zip(shown.pairs, shown.changes)]

        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(one, name) for one in told])).to(device)

        cameras = together([one.driving for one in told], device)
        source = Source(shown.source)
        if shape.guided:
            source = Source(
                shown.source,
                together([one.source for one in told], device),
                stacked("surface")[:, None],
                stacked("away"),
            )
        points = stacked("points")
        seen = seen_at(cameras, points)
        lips = seen[:, : len(LIPS)]
        return NofaPairs(
            source=source,
            driving=shown.driving,
            identity=stacked("identity"),
            expression=stacked("expression"),
            moved=stacked("moved") if shape.motion_prior else None,
            cameras=cameras,
            mouths=mouth_boxes(lips, shape.side),
            faces=face_boxes(seen),
        )

    def _told(self, pair: Pair, change: Change) -> _Told:
        moments, model = self._moments[pair.clip.name], self._model
        there, here = (moments.motion.take(slice(at, at + 1)) for at in (pair.driving, pair.source))
        cameras = pair_cameras(moments.cameras, pair, change, self._shape.side)
        told = _Told(
            cameras.take([0]),
            cameras.take([1]),
            moments.identity,
            moments.expression[pair.driving],
            moments.maps.to_canonical(there)[0] if self._shape.motion_prior else _NONE,
            moments.maps.from_canonical(here)[0] if self._shape.guided else _NONE,
            moments.surface,
            face_points(model, model.deform(moments.neutral, there)[0]),
        )
        return told.mirrored(model) if change.flip else told


_NONE = np.zeros((3, 1, 1), np.float32)
_SIDEWAYS = np.array([-1.0, 1.0, 1.0], np.float32)


@dataclass(frozen=True)
class _Told:
    """What one pair tells."""

    source: Cameras
    driving: Cameras
    identity: Floats
    expression: Floats
    moved: Floats
    away: Floats
    surface: Floats
    points: Floats

    def mirrored(self, model: HeadModel) -> _Told:
        """The same of the pair in a mirror, whose cameras have been mirrored before."""
        return replace(
            self,
            identity=mirrored_identity(self.identity, model),
            expression=mirrored_expression(self.expression, model),
            moved=np.ascontiguousarray(self.moved[..., ::-1] * _SIDEWAYS[:, None, None]),
            away=np.ascontiguousarray(self.away[..., ::-1] * _SIDEWAYS[:, None, None]),
            surface=np.ascontiguousarray(self.surface[:, ::-1]),
            points=self.points * _SIDEWAYS,
        )
