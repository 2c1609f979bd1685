"""PVP's two mappers: head pose to blending weights over pivots, expression to offsets of the first styles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.domain.camera import Floats
from studio.domain.motion import EXPRESSIONS, HeadMotion

FACE_INPUTS = 3 + EXPRESSIONS
"""What the paper's expression mapper sees: jaw axis-angle, then expression coefficients."""
EYE_INPUTS = 4
"""What may follow: eyelids (2) and gaze (2)."""
SHARPNESS = 100.0
"""The softplus' sharpness."""
SMALLEST_SUM = 0.1
"""Blending weights are divided by their sum, but never by less than this."""
_STILL = np.array([*(0.02,) * 3, *(0.2,) * EXPRESSIONS, *(0.1,) * 2, *(3.0,) * 2], np.float32)
"""``[57]`` deviation below which an input counts as standing still: standardising must not blow a tracker's
tremble up (radians, standard deviations of the head model, closure, degrees)."""


def mapper_inputs(motion: HeadMotion, eyes: bool = False) -> tuple[Floats, Floats]:
    """What the mappers see of a motion.

    Args:
        motion: T frames.
        eyes: append eyelids and gaze. Not in the paper, whose coefficients move the eyelids to some degree;
            this head model keeps them apart, and an avatar that cannot see them cannot blink.

    Returns:
        ``[T, 2]`` pitch and yaw in radians, and ``[T, 53]`` (with eyes ``[T, 57]``) jaw in radians,
        expression in standard deviations of the head model, then eyelids 0..1 and gaze in degrees.
        Roll and place are not among them: the aligned crop takes both away.
    """
    pose = np.deg2rad(motion.angles[:, [1, 0]])
    parts = [motion.jaw, motion.expression, *((motion.eyelids, motion.gaze) if eyes else ())]
    return pose.astype(np.float32), np.concatenate(parts, 1).astype(np.float32)


def within_range(
    motion: HeadMotion, pose_range: tuple[tuple[float, float], tuple[float, float]]
) -> HeadMotion:
    """The motion with turns and nods no farther than a clip went, which is all that mappers know.

    Args:
        motion: T frames.
        pose_range: smallest, then largest pitch and yaw, degrees.
    """
    low, high = np.array(pose_range, np.float32)
    angles = motion.angles.copy()
    angles[:, [1, 0]] = np.clip(angles[:, [1, 0]], low, high)
    return replace(motion, angles=angles)


class PoseMapper(nn.Module):
    """Pitch and yaw to blending weights in the β-dilated hull of the pivots (PVP eq. 6 and 7, appendix B).

    Linear 2→hidden, LeakyReLU 0.01, Linear hidden→N, Tanh; the result is a residual from the centroid:
    ``a = 1/N + output``, ``a = softplus(a + β) − β`` with sharpness 100, then ``α = a / Σa``.

    Two additions of ours. Each ``a`` is above −β, so Σa may come near zero or below it, where the quotient
    explodes or turns over: what is missing to ``SMALLEST_SUM`` is first given to all weights evenly, which
    changes nothing above it. And the last layer starts N times smaller than torch's own start, because the
    paper wants the start at the centroid and torch's start would be some 0.2 away where 1/N is 0.005.
    """

    def __init__(self, pivots: int, hidden: int = 128, beta: float = 0.02) -> None:
        """``pivots``: N. ``beta``: how far outside of the hull a weight may go, 0.02 in the public code."""
        super().__init__()
        self.first = nn.Linear(2, hidden)
        self.last = nn.Linear(hidden, pivots)
        with torch.no_grad():
            self.last.weight.div_(pivots)
            self.last.bias.div_(pivots)
        self.beta: Tensor
        self.register_buffer("beta", torch.tensor(float(beta)))

    @property
    def pivots(self) -> int:
        """N, the number of pivots."""
        return self.last.out_features

    def bounded(self, pose: Tensor) -> Tensor:
        """Weights before normalisation ``[B, N]``, each above −β; pose ``[B, 2]`` pitch and yaw, radians."""
        with _precise(pose):
            residual = torch.tanh(self.last(functional.leaky_relu(self.first(pose), 0.01)))
            return functional.softplus(residual + 1.0 / self.pivots + self.beta, beta=SHARPNESS) - self.beta

    def forward(self, pose: Tensor) -> Tensor:
        """Blending weights ``[B, N]`` that sum to one; pose ``[B, 2]`` pitch and yaw in radians."""
        return normalised(self.bounded(pose))


def normalised(weights: Tensor) -> Tensor:
    """Weights ``[B, N]`` divided by their sum; see :class:`PoseMapper` for a sum near or below zero."""
    total = weights.sum(-1, keepdim=True)
    missing = (SMALLEST_SUM - total).clamp_min(0.0)
    return (weights + missing / weights.shape[-1]) / (total + missing)


class ExpressionMapper(nn.Module):
    """Jaw and expression to an offset of the first rows of W+ (PVP eq. 8, appendix B).

    One independent network for each row: Linear inputs→hidden, LeakyReLU 0.01, Linear hidden→w_dim, Tanh.
    Additions of ours: the inputs are standardised by buffers (mean 0 and deviation 1 unless set, which is the
    paper's plain input), and ``reach`` scales the Tanh (1, the paper's, unless set) for a prior whose styles
    are not of FFHQ's size. Neutral coefficients are an input like any other: their offset is learnt, not 0.
    """

    def __init__(
        self,
        w_dim: int,
        rows: int = 8,
        inputs: int = FACE_INPUTS,
        hidden: int = 128,
        reach: float = 1.0,
    ) -> None:
        """``rows``: how many rows of W+ move. ``inputs``: 53, or 57 with eyelids and gaze."""
        super().__init__()
        self.first = nn.Parameter(torch.empty(rows, inputs, hidden))
        self.first_bias = nn.Parameter(torch.empty(rows, 1, hidden))
        self.last = nn.Parameter(torch.empty(rows, hidden, w_dim))
        self.last_bias = nn.Parameter(torch.empty(rows, 1, w_dim))
        for parameter, fan_in in (
            (self.first, inputs),
            (self.first_bias, inputs),
            (self.last, hidden),
            (self.last_bias, hidden),
        ):  # torch's own start of nn.Linear
            nn.init.uniform_(parameter, -1.0 / math.sqrt(fan_in), 1.0 / math.sqrt(fan_in))
        self.mean: Tensor
        self.deviation: Tensor
        self.reach: Tensor
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))
        self.register_buffer("reach", torch.tensor(float(reach)))

    @property
    def rows(self) -> int:
        """How many rows of W+ move."""
        return self.first.shape[0]

    @property
    def inputs(self) -> int:
        """53, or 57 with eyelids and gaze."""
        return self.first.shape[1]

    def standardise_by(self, face: Floats) -> None:
        """Take mean and deviation of the inputs from the training frames ``[T, inputs]``.

        Inputs that stand still keep a deviation worth calling a movement.
        """
        deviation = np.maximum(face.std(0), _STILL[: face.shape[1]])
        self.mean.copy_(torch.as_tensor(face.mean(0)))
        self.deviation.copy_(torch.as_tensor(deviation))

    def forward(self, face: Tensor) -> Tensor:
        """Offsets ``[B, rows, w_dim]``, each within ±reach; face ``[B, inputs]`` as :func:`mapper_inputs`."""
        with _precise(face):
            standard = (face - self.mean) / self.deviation
            hidden = torch.matmul(standard, self.first) + self.first_bias  # [rows, B, hidden]
            out = torch.matmul(functional.leaky_relu(hidden, 0.01), self.last) + self.last_bias
            return torch.tanh(out).transpose(0, 1) * self.reach


def _precise(inputs: Tensor) -> torch.autocast:
    """Full precision whatever autocast says: half of it would make the head tremble, and nothing faster."""
    return torch.autocast(inputs.device.type, enabled=False)


class Mappers(nn.Module):
    """Head parameters to styles: ``w⁺ = Σ αᵢ·pivotᵢ`` plus the offset on the first rows (PVP eq. 9)."""

    def __init__(self, pose: PoseMapper, expression: ExpressionMapper, pivots: Tensor) -> None:
        """``pivots``: latents ``[N, num_ws, w_dim]``; they are kept with the mappers, in this order."""
        super().__init__()
        if pivots.ndim != 3 or pivots.shape[0] != pose.pivots or pivots.shape[1] < expression.rows:
            raise ValueError(f"pivots are {tuple(pivots.shape)}, expected [{pose.pivots}, rows.., w_dim]")
        if pivots.shape[2] != expression.last.shape[-1]:
            raise ValueError(f"pivots have {pivots.shape[2]} numbers a row, the expression mapper another")
        self.pose = pose
        self.expression = expression
        self.pivots: Tensor
        self.register_buffer("pivots", pivots.detach().clone())

    def alpha(self, pose: Tensor) -> Tensor:
        """Blending weights ``[B, N]``; pose ``[B, 2]`` pitch and yaw in radians."""
        weights: Tensor = self.pose(pose)
        return weights

    def delta(self, face: Tensor) -> Tensor:
        """Offsets of the first rows ``[B, rows, w_dim]``; face ``[B, inputs]``."""
        offset: Tensor = self.expression(face)
        return offset

    def blended(self, alpha: Tensor, delta: Tensor | None = None) -> Tensor:
        """Styles ``[B, num_ws, w_dim]`` of weights ``[B, N]`` and offsets; None blends the pivots alone."""
        with _precise(alpha):
            ws = torch.matmul(alpha, self.pivots.flatten(1)).reshape(-1, *self.pivots.shape[1:])
        if delta is None:
            return ws
        return torch.cat([ws[:, : delta.shape[1]] + delta, ws[:, delta.shape[1] :]], 1)

    def ws(self, pose: Tensor, face: Tensor | None) -> Tensor:
        """Styles ``[B, num_ws, w_dim]`` of ``[B, 2]`` and ``[B, inputs]``; None leaves the offset out."""
        return self.blended(self.alpha(pose), None if face is None else self.delta(face))

    def forward(self, pose: Tensor, face: Tensor | None) -> Tensor:
        """Same as :meth:`ws`."""
        return self.ws(pose, face)

    @staticmethod
    def from_state(state: Mapping[str, Tensor]) -> Mappers:
        """Mappers of a stored ``state_dict``, all sizes read from its shapes.

        Raises:
            ValueError, KeyError, RuntimeError: it is no state of mappers.
        """
        rows, inputs, hidden = state["expression.first"].shape
        pivots = state["pivots"]
        mappers = Mappers(
            PoseMapper(pivots.shape[0], state["pose.first.weight"].shape[0]),
            ExpressionMapper(pivots.shape[2], rows, inputs, hidden),
            pivots,
        )
        mappers.load_state_dict(dict(state))
        return mappers.to(pivots.dtype)
