"""What the mappers are trained on: every term of PVP's eq. 15, and the perturbed second rendering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.prior_settings import MapperLossSettings
from studio.domain.motion import EXPRESSIONS
from studio.engines.pvp.mappers import Mappers
from studio.networks.estimator import Estimator, EstimatorReading

JAW_UNIT = 0.02
"""Least deviation of a jaw axis, radians, that errors are measured in."""


@dataclass(frozen=True)
class MapperBatch:
    """B training frames in the aligned crop."""

    pose: Tensor
    """``[B, 2]`` pitch and yaw, radians."""
    face: Tensor
    """``[B, 53 or 57]`` jaw, expression, maybe eyelids and gaze; see ``mapper_inputs``."""
    angles: Tensor
    """``[B, 3]`` tracked yaw, pitch, roll in degrees, as the crop shows them."""
    real: Tensor
    """``[B, 3, R, R]`` the frames, -1..1."""
    keep: Tensor
    """``[B, 1, R, R]`` 1 where neither eyes nor mouth are, softly 0 on them, in the aligned crop."""
    person: Tensor | None = None
    """``[B, 1, R, R]`` 1 on the person; None counts every pixel alike."""
    guide: Tensor | None = None
    """``[B, 3, R, R]`` the warped rendering for a prior that paints over one, -1..1."""
    indices: Tensor | None = None
    """``[B]`` places in the material, for whoever renders guides."""


@dataclass(frozen=True)
class Perturbed:
    """The second rendering's parameters."""

    face: Tensor
    """``[B, 53 or 57]`` with jaw and expression changed, the rest as it was."""

    @property
    def jaw(self) -> Tensor:
        """``[B, 3]`` radians."""
        return self.face[:, :3]

    @property
    def expression(self) -> Tensor:
        """``[B, 50]`` standard deviations."""
        return self.face[:, 3 : 3 + EXPRESSIONS]


GuideSource = Callable[[MapperBatch, Perturbed], Tensor]
"""Renders the guide ``[B, 3, R, R]`` of a batch's frames at other expressions."""
Generator = Callable[[Tensor, Tensor | None], Tensor]
"""Styles ``[B, num_ws, w_dim]`` and guide to pictures ``[B, 3, R, R]`` in -1..1."""


def perturbed(
    face: Tensor, jaw_deviation: Tensor, strength: float, chance: torch.Generator | None = None
) -> Perturbed:
    """Expression and jaw changed at random: normal, ``strength`` standard deviations.

    An expression coefficient's unit is a standard deviation of the head model. The jaw is in radians, where
    half a unit would be 29°, more than a mouth opens: it moves in units of its own deviation on this clip, so
    both change by what is half a usual movement, and an axis that never turns stays still.

    Args:
        face: ``[B, 53 or 57]``.
        jaw_deviation: ``[3]`` radians.
        strength: 0.5 in the paper's code.
        chance: source of randomness on the CPU, for repeatable runs.
    """
    noise = torch.randn(len(face), 3 + EXPRESSIONS, generator=chance, dtype=face.dtype).to(face.device)
    unit = torch.cat([jaw_deviation.to(face), torch.ones(EXPRESSIONS).to(face)])
    changed = face[:, : 3 + EXPRESSIONS] + strength * unit * noise
    return Perturbed(torch.cat([changed, face[:, 3 + EXPRESSIONS :]], 1))


@dataclass(frozen=True)
class Renderings:
    """What the frozen generator showed for a batch."""

    image: Tensor
    """``[B, 3, R, R]`` at the tracked parameters."""
    offset: Tensor
    """``[B, rows, w_dim]`` its expression offset."""
    second: Tensor | None = None
    """``[B, 3, R, R]`` at the perturbed expression and the same pose; None leaves its terms out."""
    second_offset: Tensor | None = None
    """``[B, rows, w_dim]``."""
    asked: Perturbed | None = None
    """What the second rendering was asked to show."""


def render_both(
    mappers: Mappers,
    generator: Generator,
    batch: MapperBatch,
    asked: Perturbed | None,
    guides: GuideSource | None = None,
) -> Renderings:
    """The rendering and, where asked for, the second one: same pose and blend, another expression.

    Args:
        mappers: what is trained.
        generator: frozen.
        batch: B frames.
        asked: the second rendering's expression; None renders once.
        guides: renders the guide at the asked expression. Without it a guided prior sees the frame's own
            guide twice, and the offset alone must bring the change about.
    """
    alpha = mappers.alpha(batch.pose)
    offset = mappers.delta(batch.face)
    image = generator(mappers.blended(alpha, offset), batch.guide)
    if asked is None:
        return Renderings(image, offset)
    second_offset = mappers.delta(asked.face)
    guide = batch.guide if guides is None or batch.guide is None else guides(batch, asked)
    second = generator(mappers.blended(alpha, second_offset), guide)
    return Renderings(image, offset, second, second_offset, asked)


class MapperObjective:
    """Eq. 15 for a batch: each term weighted, and their sum."""

    def __init__(
        self,
        perceptual: Callable[[Tensor, Tensor], Tensor],
        settings: MapperLossSettings,
        jaw_deviation: Tensor,
        estimator: Estimator | None = None,
        identity: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """
        Args:
            perceptual: pictures ``[B, 3, R, R]`` in -1..1, twice, to ``[B]``.
            settings: the weights.
            jaw_deviation: ``[3]`` the jaw's deviation on the training frames, radians.
            estimator: frozen; each of its numbers counts as far as it is reliable. None switches expression
                matching and pose consistency off.
            identity: pictures to face embeddings ``[B, D]``; None switches the identity term off.
        """
        self.perceptual = perceptual
        self.settings = settings
        self.jaw_deviation = jaw_deviation
        self.estimator = estimator
        self.identity = identity

    @property
    def off(self) -> tuple[str, ...]:
        """Sentences on the terms that are left out, for the report."""
        said = []
        if self.identity is None and self.settings.identity:
            said.append("The identity term is off because there are no ArcFace weights on this machine.")
        if self.estimator is None and (self.settings.expression or self.settings.pose):
            said.append("Expression matching and pose consistency are off because there is no estimator.")
        return tuple(said)

    @property
    def wants_second(self) -> bool:
        """Whether any term looks at the perturbed rendering; a second rendering doubles a step's cost."""
        s = self.settings
        return s.perturbation > 0 and (
            s.colour > 0 or (self.estimator is not None and (s.expression > 0 or s.pose > 0))
        )

    def asked(self, face: Tensor, chance: torch.Generator | None = None) -> Perturbed | None:
        """The perturbed parameters of a batch ``[B, 53 or 57]``; None where no term looks at them."""
        if not self.wants_second:
            return None
        return perturbed(face, self.jaw_deviation, self.settings.perturbation, chance)

    def __call__(self, batch: MapperBatch, shown: Renderings) -> dict[str, Tensor]:
        """Weighted terms by the names of the settings' fields, and their sum as ``total``; scalars each."""
        s = self.settings
        image = shown.image
        if batch.person is not None and s.background < 1.0:
            counts = batch.person + (1.0 - batch.person) * s.background
            image = batch.real + counts * (image - batch.real)
        terms: dict[str, Tensor] = {}
        if s.pixel:
            terms["pixel"] = s.pixel * (image - batch.real).square().mean()
        if s.perceptual:
            terms["perceptual"] = s.perceptual * self.perceptual(image, batch.real).mean()
        if s.identity and self.identity is not None:
            terms["identity"] = s.identity * identity_loss(self.identity, shown.image, batch.real)
        if s.offset:
            terms["offset"] = s.offset * shown.offset.square().mean()
        if shown.second is not None and shown.second_offset is not None and shown.asked is not None:
            if s.offset:
                terms["offset"] = terms["offset"] + s.offset * shown.second_offset.square().mean()
            if s.colour:
                terms["colour"] = s.colour * colour_consistency(shown.image, shown.second, batch.keep)
            if self.estimator is not None and (s.expression or s.pose):
                reading = self.estimator(shown.second)
                trust = self.estimator.reliability
                if s.expression:
                    unit = self.jaw_deviation.to(image)
                    terms["expression"] = s.expression * expression_matching(
                        reading, shown.asked, unit, trust
                    )
                if s.pose:
                    terms["pose"] = s.pose * pose_consistency(reading, batch.angles, trust)
        terms["total"] = torch.stack(list(terms.values())).sum()
        return terms


def identity_loss(embed: Callable[[Tensor], Tensor], image: Tensor, real: Tensor) -> Tensor:
    """Mean of one minus the cosine between the embeddings of renderings and frames ``[B, 3, R, R]``."""
    with torch.no_grad():
        wanted = embed(real)
    return (1.0 - torch.cosine_similarity(embed(image), wanted, dim=-1)).mean()


def expression_matching(
    reading: EstimatorReading, asked: Perturbed, jaw_deviation: Tensor, trust: EstimatorReading
) -> Tensor:
    """Eq. 11: what is read off the perturbed rendering against what it was asked to show.

    Mean squared error over 50 coefficients, plus that over the jaw's 3 axes in units of the clip's own
    deviation (at least ``JAW_UNIT``): its own mean, or 3 numbers would drown in 50. Each squared error is
    multiplied by the trust in that number (0..1, ``[50]`` and ``[3]``), without renewed normalisation, so
    that a coefficient that the estimator cannot see asks for nothing.
    """
    unit = jaw_deviation.clamp_min(JAW_UNIT)
    face = (trust.expression.to(reading.expression) * (reading.expression - asked.expression).square()).mean()
    jaw = (trust.jaw.to(reading.jaw) * ((reading.jaw - asked.jaw) / unit).square()).mean()
    return face + jaw


def pose_consistency(reading: EstimatorReading, angles: Tensor, trust: EstimatorReading) -> Tensor:
    """Eq. 12: head angles read off the perturbed rendering against the frame's tracked ones ``[B, 3]``
    (degrees); mean of trusted squared radians."""
    return (trust.angles.to(reading.angles) * torch.deg2rad(reading.angles - angles).square()).mean()


def colour_consistency(image: Tensor, second: Tensor, keep: Tensor) -> Tensor:
    """Eq. 13: mean squared difference of the two renderings, both multiplied by ``keep`` ``[B, 1, R, R]``.

    ``keep`` lies in the aligned crop, where the renderings are. (The public code takes a mask in raw-frame
    coordinates and the estimator's warp of the raw frame for the aligned rendering; both miss the face.)
    """
    return (keep * (image - second)).square().mean()
