"""What NOFA draws compared with what is wanted: all parts of its losses at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.nofa_batches import NofaPairs
from pipelines.nofa_teachers import Teachers
from studio.engines.nofa import losses
from studio.engines.nofa.network import Drawn, NofaNetwork, Person
from studio.networks.perceptual import PerceptualLoss

RESTORED = 512
"""Side of the faces that a restoration network works on, pixels."""


@dataclass(frozen=True)
class Comparing:
    """Compares."""

    looks: PerceptualLoss
    """How different pictures look."""
    network: NofaNetwork
    """That drew."""
    teachers: Teachers
    """What else judges."""

    def parts(
        self, drawn: Drawn, person: Person, pairs: NofaPairs, counts: Tensor | None = None
    ) -> losses.Parts:
        """All parts that can be told of B pictures; stages weigh some with nothing.

        Args:
            drawn: the pictures.
            person: of whom.
            pairs: what was wanted.
            counts: see :func:`studio.engines.nofa.losses.reconstruction`.
        """
        squares, perceptual = losses.reconstruction(drawn.picture, pairs.driving, self.looks, counts)
        embed, added = self.teachers.embed, person.added
        return losses.Parts(
            squares=squares,
            perceptual=perceptual,
            mouth=losses.mouth(drawn.picture, pairs.driving, pairs.mouths, self.looks),
            identity=(
                None if embed is None else losses.identity(drawn.picture, pairs.driving, pairs.faces, embed)
            ),
            latent=losses.latent(person.ws, self.network.prior.backbone.mapping.w_avg),
            raw=(drawn.raw - functional.interpolate(pairs.driving, drawn.raw.shape[2:], mode="area"))
            .square()
            .mean(),
            distribution=None if added is None else losses.distribution(added, person.planes),
        )

    def restored(self, picture: Tensor, pairs: NofaPairs) -> Tensor:
        """What the restoration network makes of drawn pictures ``[B, 3, S, S]``, not taught by it: the
        pictures with the restored faces in their place (paper, teeth refinement: of what was drawn, not of
        the target)."""
        restore = self.teachers.restore
        assert restore is not None
        with torch.no_grad():
            faces = losses.aligned(picture.detach(), pairs.faces, RESTORED)
            return losses.put_back(picture.detach(), restore(faces).clamp(-1.0, 1.0), pairs.faces)
