"""An Export3D base model as a contender: one picture in, pictures of that person out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pipelines.one_picture import OnePicture
from pipelines.people_contenders import Driven, Pictures
from studio.domain.motion import HeadMotion
from studio.engines.export3d.network import Export3DNetwork
from studio.head import HeadModel
from studio.networks.volume.head_surface import surface_of
from studio.one_picture.driving import frames_of

AT_ONCE = 8
"""Frames that are drawn together."""


class Export3DOfOne:
    """Draws with a trained network."""

    def __init__(
        self,
        network: Export3DNetwork,
        model: HeadModel,
        name: str = "export3d",
        device: torch.device | str = "cpu",
    ) -> None:
        """
        Args:
            network: in evaluation mode.
            model: the head model that drives it.
            name: what tables call it.
            device: what to compute on.
        """
        self.name = name
        self._network, self._model = network.to(device), model
        self._device = torch.device(device)

    def of(self, person: OnePicture) -> Driven:
        """See :class:`pipelines.people_contenders.Contender`."""
        source = self._pictures(person.picture[None])
        if self._network.shape.background:
            source = torch.cat([source, self._pictures(person.mask[None, ..., None])], 1)
        taken = frames_of(person.motion, self._model, device=self._device)
        skin = surface_of(self._model, person.coefficients, person.offset)
        with torch.no_grad():
            surface = torch.from_numpy(skin)[None, None].to(self._device)
            known = self._network.encode(source, taken.cameras, surface, taken.expression)

        def driven(motion: HeadMotion, frames: Pictures) -> Pictures:
            drawn = []
            for first in range(0, len(motion), AT_ONCE):
                told = frames_of(motion.take(slice(first, first + AT_ONCE)), self._model, device=self._device)
                with torch.no_grad():
                    planes = self._network.express(known, self._network.expression(told.expression))
                    picture = self._network.draw(planes, told.cameras).picture
                levels = picture.float().clamp(-1.0, 1.0) * 127.5 + 127.5
                drawn.append(levels.round().byte().permute(0, 2, 3, 1).cpu().numpy())
            return np.concatenate(drawn)

        return driven

    def _pictures(self, pictures: Pictures) -> Tensor:
        return torch.from_numpy(pictures.copy()).to(self._device).float().permute(0, 3, 1, 2) / 127.5 - 1.0
