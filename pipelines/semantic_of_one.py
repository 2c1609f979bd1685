"""A semantic base model as a contender: one picture in, pictures of that person out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pipelines.one_picture import OnePicture
from pipelines.people_contenders import Driven, Pictures
from pipelines.semantic_stream import Sent, received
from studio.domain.motion import HeadMotion
from studio.engines.semantic.keypoints import head_keypoints, semantic_code
from studio.engines.semantic.network import Kept, SemanticNetwork
from studio.head import HeadModel

AT_ONCE = 8
"""Frames that are drawn together."""


class SemanticOfOne:
    """Draws with a trained network."""

    def __init__(
        self,
        network: SemanticNetwork,
        model: HeadModel,
        name: str = "semantic",
        sent: Sent | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """
        Args:
            network: in evaluation mode.
            model: the head model that drives it.
            name: what tables call it.
            sent: through which stream it is driven; None for none: it knows all that was tracked.
            device: what to compute on.
        """
        self.name = name
        self._network, self._model, self._sent = network.to(device), model, sent
        self._device = torch.device(device)

    def of(self, person: OnePicture) -> Driven:
        """See :class:`pipelines.people_contenders.Contender`."""
        source = self._pictures(person.picture[None])
        if self._network.shape.person_mask:
            source = torch.cat([source, self._pictures(person.mask[None, ..., None])], 1)
        with torch.no_grad():
            volume = self._network.encode(source)
            points = self._points(person, person.motion, source)

        def driven(motion: HeadMotion, frames: Pictures) -> Pictures:
            drawn = []
            for first in range(0, len(motion), AT_ONCE):
                part = slice(first, first + AT_ONCE)
                known = self._known(motion.take(part))
                with torch.no_grad():
                    driving = self._points(person, known, self._pictures(frames[part]))
                    code = torch.from_numpy(semantic_code(known, self._model)).to(self._device)
                    if self._keypoints_sent:
                        driving, code = (x.half().float() for x in (driving, code))
                    kept = self._kept(len(driving))
                    out = self._network.draw(source, volume, points, driving, code, kept)
                levels = out.picture.float().clamp(-1.0, 1.0) * 127.5 + 127.5
                drawn.append(levels.round().byte().permute(0, 2, 3, 1).cpu().numpy())
            return np.concatenate(drawn)

        return driven

    @property
    def _keypoints_sent(self) -> bool:
        return self._sent is not None and self._sent.carries == "keypoints"

    def _known(self, motion: HeadMotion) -> HeadMotion:
        """What the stream lets through of a motion."""
        if self._sent is None or self._keypoints_sent:
            return motion
        return received(motion, self._sent)

    def _points(self, person: OnePicture, motion: HeadMotion, frames: Tensor) -> Tensor:
        """Keypoints of somebody's motion on this person's head: nothing of the driver's shape gets through.

        A network with a detector of its own finds them in the frames ``[T, 3, S, S]`` instead.
        """
        if self._network.detector is not None:
            return self._network.detect(frames)
        face = self._network.shape.face_flow and not self._keypoints_sent
        points = head_keypoints(self._model, person.coefficients, person.offset, motion, person.side, face)
        return torch.from_numpy(points).to(self._device)

    def _pictures(self, pictures: Pictures) -> Tensor:
        return torch.from_numpy(pictures.copy()).to(self._device).float().permute(0, 3, 1, 2) / 127.5 - 1.0

    def _kept(self, count: int) -> Kept | None:
        if self._sent is None:
            return None
        most = self._network.shape.keypoints
        points = min(self._sent.keypoints, most) if self._keypoints_sent else most
        return Kept(torch.full((count,), self._sent.code), torch.full((count,), points))
