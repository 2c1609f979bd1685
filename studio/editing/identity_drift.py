"""How far an edit takes a person from themselves, and which strengths leave them who they are.

Drift is 1 − the cosine of an identity network's embeddings of the edited and the unedited picture. Where
there is no such network it is not known, and nothing here pretends otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.assets import AssetLibrary
from studio.domain.edits import Effect
from studio.domain.progress import Progress, silent
from studio.editing.edited_pictures import draw_edited
from studio.editing.method import FaceReader
from studio.editing.person import LatentPerson, Samples
from studio.metrics.identity import MobileFaceNet
from studio.metrics.metric import Unavailable
from studio.networks.foreign import load_ir_se50

BOUND = 0.4
"""Mean drift up to which a person counts as themselves. Two pictures count as one person's from a cosine of
0.3 to 0.4 on with these networks; a cosine of 0.6 keeps well clear of that."""
RUNGS = 8
"""Strengths that are tried on each side of 0."""
ARCFACE, MOBILEFACENET = "identity-arcface", "identity-mobilefacenet"
"""In the manifest."""


@dataclass(frozen=True)
class IdentityMeter:
    """An identity network as it is used on pictures of a person."""

    name: str
    """Which network: figures of different ones cannot be compared."""
    embed: Callable[[Tensor], Tensor]
    """Aligned pictures ``[B, 3, R, R]`` to embeddings ``[B, D]`` of length one; NaN where no face was
    found."""
    smooth: bool
    """Whether embeddings have gradients towards pictures, so that it can be a loss."""

    @torch.no_grad()
    def drift(self, before: Tensor, after: Tensor) -> float | None:
        """Mean drift between pictures ``[B, 3, R, R]`` of the same moments.

        Returns:
            0..2, or None when in fewer than half of them a face was found both times.
        """
        return mean_drift(self.embed(before), self.embed(after))


def mean_drift(before: Tensor, after: Tensor) -> float | None:
    """The same from embeddings ``[B, D]`` of length one, NaN where there is none."""
    away = 1.0 - (before * after).sum(-1)
    known = away[torch.isfinite(away)]
    return float(known.mean()) if len(known) * 2 >= len(away) and len(known) else None


def identity_meter(
    assets: AssetLibrary, faces: FaceReader | None, device: torch.device
) -> tuple[IdentityMeter | None, str]:
    """The identity network of a home: ArcFace, else MobileFaceNet, which needs somebody to find the face.

    Args:
        assets: the home's weights.
        faces: finds landmarks in pictures; None when nobody can.
        device: where pictures are.

    Returns:
        The network, and an empty sentence; or None, and why there is none and what to do.

    Raises:
        Problem: ArcFace's file is there and damaged inside.
    """
    missing = assets.missing(ARCFACE)
    if missing is None:
        path = assets.require(ARCFACE)
        network, _ = load_ir_se50(path, assets.weights / "converted")
        return IdentityMeter("arcface-ir-se50", network.to(device).identity_embedding, True), ""
    if faces is not None and assets.missing(MOBILEFACENET) is None:
        try:
            small = MobileFaceNet(assets.require(MOBILEFACENET))
        except Unavailable as error:
            return None, f"{error}."
        return IdentityMeter(small.name, _reader(small, faces), False), ""
    return None, missing


def _reader(network: MobileFaceNet, faces: FaceReader) -> Callable[[Tensor], Tensor]:
    def embed(pictures: Tensor) -> Tensor:
        shown = (pictures.detach().clamp(-1.0, 1.0) * 127.5 + 127.5).round().to(torch.uint8)
        seen = shown.permute(0, 2, 3, 1).cpu().numpy()
        return torch.from_numpy(network.embed(seen, faces(seen)))

    return embed


@dataclass(frozen=True)
class DriftRange:
    """Strengths that leave a person who they are."""

    low: float
    """The weakest, 0 or less."""
    high: float
    """The strongest, 0 or more."""
    tried: tuple[tuple[float, float | None], ...]
    """Strengths and their mean drift, None where no face was left to find; ascending."""


@torch.no_grad()
def range_without_drift(
    person: LatentPerson,
    effect: Effect,
    meter: IdentityMeter,
    samples: Samples,
    limits: tuple[float, float],
    bound: float = BOUND,
    progress: Progress = silent,
) -> DriftRange:
    """Strengths up to which the mean drift stays within a bound.

    From 0 outwards, :data:`RUNGS` strengths a side are tried until one is beyond; between the last within and
    the first beyond, drift is taken as straight.

    Args:
        samples: moments to measure in.
        limits: furthest strengths; a side that is 0 is not tried.
        bound: largest mean drift.
        progress: counts strengths.
    """
    plain = meter.embed(draw_edited(person, effect, samples, 0.0))
    tried: list[tuple[float, float | None]] = [(0.0, mean_drift(plain, plain))]
    ends = []
    done, total = 0, RUNGS * sum(limit != 0 for limit in limits)
    for limit in limits:
        end, before = 0.0, 0.0
        for rung in range(1, RUNGS + 1 if limit else 1):
            strength = limit * rung / RUNGS
            drift = mean_drift(plain, meter.embed(draw_edited(person, effect, samples, strength)))
            done = min(done + 1, total)
            progress(done, total, "Measuring identity")
            tried.append((strength, drift))
            if drift is None or drift > bound:
                step = limit / RUNGS
                end += 0.0 if drift is None else step * (bound - before) / (drift - before)
                break
            end, before = strength, drift
        # Rounded towards 0, so that the end itself is within.
        ends.append(float(np.trunc(end * 100) / 100))
    return DriftRange(ends[0], ends[1], tuple(sorted(tried, key=lambda one: one[0])))
