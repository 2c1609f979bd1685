"""A NOFA base model as a contender: one picture in, pictures of that person out."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.nofa_batches import NofaMoments, told_of
from pipelines.one_picture import OnePicture
from pipelines.people_contenders import Driven, Pictures
from studio.domain.motion import HeadMotion
from studio.engines.nofa.network import NofaNetwork, Person
from studio.engines.nofa.source import Source
from studio.head import HeadModel
from studio.head.expression_numbers import expression_numbers
from studio.networks.volume.cameras import cameras_of

AT_ONCE = 8
"""Frames that are drawn together."""


class NofaOfOne:
    """Draws with a trained network."""

    def __init__(
        self,
        network: NofaNetwork,
        model: HeadModel,
        name: str = "nofa",
        device: torch.device | str = "cpu",
        compensated: bool = True,
    ) -> None:
        """
        Args:
            network: in evaluation mode.
            model: the head model that drives it.
            name: what tables call it.
            device: what to compute on.
            compensated: False leaves compensation out (table 3).
        """
        self.name = name
        self._network, self._model = network.to(device), model
        self._device, self._compensated = torch.device(device), compensated

    def of(self, person: OnePicture) -> Driven:
        """See :class:`pipelines.people_contenders.Contender`."""
        source, moments = told_of(person, self._model, self._network.shape, self._device)
        return driven(self.known(person, source, moments), self._network, moments, self._model)

    def known(self, person: OnePicture, source: Source, moments: NofaMoments) -> Person:
        """What is kept of a picture. Those who fine-tune do it here."""
        with torch.no_grad():
            return self._network.encode(source, self._compensated)


def driven(person: Person, network: NofaNetwork, moments: NofaMoments, model: HeadModel) -> Driven:
    """Draw a person who is known, as motions say."""
    device = person.ws.device
    identity = torch.from_numpy(moments.identity)[None].to(device)

    def draw(motion: HeadMotion, frames: Pictures) -> Pictures:
        drawn = []
        for first in range(0, len(motion), AT_ONCE):
            part = motion.take(slice(first, first + AT_ONCE))
            told = torch.from_numpy(expression_numbers(part, model)).to(device)
            moved = None
            if network.shape.motion_prior:
                moved = torch.from_numpy(moments.maps.to_canonical(part)).to(device)
            cameras = cameras_of(part, np.array([1.0, 0.0, 0.0, 0.0]), device=device)
            with torch.no_grad():
                warp = network.warp(identity.expand(len(part), -1), told, moved)
                picture = network.draw(person, cameras, warp).picture
            levels = picture.float().clamp(-1.0, 1.0) * 127.5 + 127.5
            drawn.append(levels.round().byte().permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(drawn)

    return draw
