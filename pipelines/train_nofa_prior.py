"""NOFA's prior from scratch: a generator of heads against a discriminator (Chan et al. 2022, EG3D).

The discriminator sees a picture and, beside it, the raw one at the same size, so that neither may differ from
the other (dual discrimination), and is told the camera. Guided networks draw people before black, and see
real people so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.nofa_batches import NofaPairs
from pipelines.nofa_preview import prior_sheet
from pipelines.nofa_training_settings import NofaTrainingSettings
from studio.engines.nofa.network import Drawn, NofaNetwork
from studio.networks.camera_discriminator import CameraDiscriminator
from studio.networks.volume.camera_numbers import RADIUS, camera_numbers
from studio.networks.volume.rays import Cameras

CLOSE = 0.004
"""Units by which places are moved whose densities are compared (EG3D's density_reg_p_dist)."""
PLACES = 1000
"""How many (EG3D)."""


class PriorGame:
    """Discriminator and losses."""

    def __init__(self, settings: NofaTrainingSettings, device: torch.device | str) -> None:
        """
        Args:
            settings: of the whole training.
            device: where the discriminator goes.
        """
        shape = settings.network
        self._settings, self._shape = settings.prior, shape
        self.critic = CameraDiscriminator(shape.side, shape.critic_first, shape.critic_most, channels=6)
        self.critic.to(device)
        self.optimiser = torch.optim.Adam(self.critic.parameters(), settings.prior.critic_rate, (0.0, 0.99))

    def play(
        self,
        network: NofaNetwork,
        pairs: NofaPairs,
        step: int,
        drawing: torch.Generator,
        chance: torch.Generator,
    ) -> dict[str, Tensor]:
        """One step of both: the generator's verdict with the critic's weights taken for given, and the
        critic's own loss with the pictures taken for given, in one backward.

        Args:
            network: whose prior draws.
            pairs: whose sources are the real people.
            step: done before.
            drawing: draws random people, on the processor.
            chance: where samples lie along rays.
        """
        real, cameras = self.real(pairs)
        drawn, smooth = self._drawn(network, cameras, drawing, chance)
        numbers = camera_numbers(cameras, self._shape.side, RADIUS)
        fake = self._both(drawn)
        self.critic.requires_grad_(False)
        verdict = functional.softplus(-self.critic(fake, numbers)).mean()
        self.critic.requires_grad_(True)
        punished = self._settings.gradient_penalty > 0.0 and step % self._settings.penalty_every == 0
        if punished:
            real.requires_grad_(True)
        seen = self.critic(real, numbers)
        critic = functional.softplus(-seen).mean()
        critic = critic + functional.softplus(self.critic(fake.detach(), numbers)).mean()
        if punished:
            (slope,) = torch.autograd.grad(seen.sum(), real, create_graph=True)
            steep = slope.square().sum((1, 2, 3)).mean()
            weight = 0.5 * self._settings.gradient_penalty * self._settings.penalty_every
            critic = critic + weight * steep
        return {"verdict": verdict, "critic": critic, "smooth": self._settings.smooth_density * smooth}

    def real(self, pairs: NofaPairs) -> tuple[Tensor, Cameras]:
        """Real people ``[B, 6, S, S]``, sharp and as blurred as a raw picture, and who took them."""
        picture, cameras = pairs.source.picture[:, :3], pairs.source.cameras
        if pairs.source.picture.shape[1] == 4:
            there = 0.5 + 0.5 * pairs.source.picture[:, 3:]
            picture = there * (picture + 1.0) - 1.0
        if cameras is None:  # those who are not guided are told their sources' cameras no other way
            picture, cameras = pairs.driving, pairs.cameras
        raw = functional.interpolate(picture, (self._shape.raw_side,) * 2, mode="area")
        return torch.cat([picture, self._sized(raw)], 1), cameras

    def sheet(self, network: NofaNetwork, pairs: NofaPairs) -> npt.NDArray[np.uint8]:
        """Real people, and invented ones seen by the same cameras."""
        real, cameras = self.real(pairs)
        drawing = torch.Generator().manual_seed(0)
        drawn, _ = self._drawn(network, cameras, drawing, None)
        return prior_sheet(real[:, :3], drawn)

    def _drawn(
        self, network: NofaNetwork, cameras: Cameras, drawing: torch.Generator, chance: torch.Generator | None
    ) -> tuple[Drawn, Tensor]:
        """Random people before cameras, and how much densities differ between places close together."""
        device, count = cameras.rotation.device, len(cameras.rotation)
        told = camera_numbers(cameras, self._shape.side, RADIUS)
        if float(torch.rand((), generator=drawing)) < self._settings.told_another:
            told = told.roll(1, 0)
        z = torch.randn(count, self._shape.z_dim, generator=drawing).to(device)
        mapping = network.prior.backbone.mapping
        w = mapping.w(z, told)
        if network.training:
            mapping.note(w)
        person = network.invent(w[:, None].expand(-1, mapping.num_ws, -1))
        drawn = network.draw(person, cameras, None, chance)
        places = torch.rand(count, PLACES, 1, 3, generator=drawing).to(device) - 0.5
        beside = places + CLOSE * torch.randn(places.shape, generator=drawing).to(device)
        logits, _ = network.prior.at(person.planes, torch.cat([places, beside], 1))
        return drawn, functional.l1_loss(logits[:, :PLACES], logits[:, PLACES:])

    def _both(self, drawn: Drawn) -> Tensor:
        return torch.cat([drawn.picture, self._sized(drawn.raw)], 1)

    def _sized(self, raw: Tensor) -> Tensor:
        return functional.interpolate(raw, (self._shape.side,) * 2, mode="bilinear", align_corners=False)
