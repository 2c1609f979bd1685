"""Pairs of frames of one clip as what one step of NOFA learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipelines.one_picture import OnePicture, motion_at
from pipelines.pair_batches import PairPictures, ShownPairs
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
        told, cameras = [], []
        for pair, change in zip(shown.pairs, shown.changes):
            moments = self._moments[pair.clip.name]
            one = told_between(moments, pair.source, pair.driving, self._model, self._shape)
            told.append(one.mirrored(self._model) if change.flip else one)
            cameras.append(pair_cameras(moments.cameras, pair, change, self._shape.side))
        return pairs_of(
            shown.source,
            shown.driving,
            told,
            together([both.take([0]) for both in cameras], shown.source.device),
            together([both.take([1]) for both in cameras], shown.source.device),
            self._shape,
        )


_NONE = np.zeros((3, 1, 1), np.float32)
_SIDEWAYS = np.array([-1.0, 1.0, 1.0], np.float32)


@dataclass(frozen=True)
class Told:
    """What a pair of frames tells beside pictures and cameras."""

    identity: Floats
    """``[40]``"""
    expression: Floats
    """``[57]`` of the driving frame."""
    moved: Floats
    """``[3, g, g]`` from its expression to the canonical one."""
    away: Floats
    """``[3, g, g]`` from that to the source's."""
    surface: Floats
    """``[G, G]`` of the canonical face."""
    points: Floats
    """``[P, 3]`` of the driving frame's face, see :data:`~studio.engines.nofa.face_boxes.POINTS`."""

    def mirrored(self, model: HeadModel) -> Told:
        """The same in a mirror."""
        return Told(
            mirrored_identity(self.identity, model),
            mirrored_expression(self.expression, model),
            np.ascontiguousarray(self.moved[..., ::-1] * _SIDEWAYS[:, None, None]),
            np.ascontiguousarray(self.away[..., ::-1] * _SIDEWAYS[:, None, None]),
            np.ascontiguousarray(self.surface[:, ::-1]),
            self.points * _SIDEWAYS,
        )


def told_between(
    moments: NofaMoments, source: int, driving: int, model: HeadModel, shape: NofaSettings
) -> Told:
    """What two of somebody's frames tell; what a network of this shape takes no notice of is left out."""
    there, here = (moments.motion.take(slice(at, at + 1)) for at in (driving, source))
    return Told(
        moments.identity,
        moments.expression[driving],
        moments.maps.to_canonical(there)[0] if shape.motion_prior else _NONE,
        moments.maps.from_canonical(here)[0] if shape.guided else _NONE,
        moments.surface,
        face_points(model, model.deform(moments.neutral, there)[0]),
    )


def pairs_of(
    source: Tensor,
    driving: Tensor,
    told: Sequence[Told],
    source_cameras: Cameras,
    cameras: Cameras,
    shape: NofaSettings,
) -> NofaPairs:
    """Everything of B pairs together.

    Args:
        source: ``[B, 3 or 4, S, S]`` -1..1, with outlines where the network is guided.
        driving: ``[B, 3, S, S]`` -1..1.
        told: B.
        source_cameras: B, that took the sources.
        cameras: B, of the driving frames.
        shape: of the network.
    """

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(one, name) for one in told])).to(source.device)

    known = Source(source)
    if shape.guided:
        known = Source(source, source_cameras, stacked("surface")[:, None], stacked("away"))
    seen = seen_at(cameras, stacked("points"))
    return NofaPairs(
        source=known,
        driving=driving,
        identity=stacked("identity"),
        expression=stacked("expression"),
        moved=stacked("moved") if shape.motion_prior else None,
        cameras=cameras,
        mouths=mouth_boxes(seen[:, : len(LIPS)], shape.side),
        faces=face_boxes(seen),
    )
