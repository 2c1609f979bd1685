"""Dense motion from keypoints: which keypoint's flow holds where, and what the source does not show.

After face-vid2vid's motion field estimator: the source's volume, compressed, is warped by every candidate; a
3-D hourglass looks at these and at the keypoints, and ends in a softmax over candidates and an occlusion map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.networks.keypoint_flow import (
    candidates,
    nearness,
    places,
    squared_distance,
    warp_volume,
)
from studio.networks.lone_volume import convolved
from studio.networks.norms import Norm, norm
from studio.networks.precision import full_precision
from studio.networks.recomputed import recomputed

NEVER = -1e4
"""Logit of a mask that must be 0, finite in half precision."""
NARROW = 0.2
"""Masks that begin as nearness fall off between keypoints over about this distance."""
FLATTEN = 0.5
"""How much less depth counts than width when masks begin as nearness."""
RELIEF, THICK = 0.2, 0.25
"""The visible surface begins at the depth of keypoints within about the first, give or take the second."""


@dataclass(frozen=True)
class DenseMotion:
    """B fields of motion."""

    flow: Tensor
    """``[B, 3, D, h, w]`` from places of the driving frame to places of the source."""
    masks: Tensor
    """``[B, K + 1, D, h, w]`` share of each candidate, the unmoved one first; they add up to 1."""
    occlusion: Tensor
    """``[B, 1, h, w]`` 0..1: how much of what is seen there the source shows."""
    surface: Tensor | None
    """``[B, D, h, w]`` where along its depth each place is seen, adding up to 1; None where not asked for."""

    @property
    def picture_flow(self) -> Tensor:
        """The flow of what is seen, ``[B, 2, h, w]``. ValueError where there is no surface."""
        if self.surface is None:
            raise ValueError("this field of motion has no surface")
        return (self.flow[:, :2] * self.surface[:, None]).sum(2)


class Hourglass3d(nn.Module):
    """A U-Net on volumes that halves width and height, never depth."""

    def __init__(self, inside: int, first: int, most: int, levels: int, kind: Norm) -> None:
        super().__init__()
        wide = [min(most, first << (level + 1)) for level in range(levels)]
        begin = [inside, *wide]
        self.downs = nn.ModuleList(_Conv3(a, b, kind) for a, b in zip(begin, wide))
        ends = [first, *wide][::-1]
        joined = [ends[0], *(2 * width for width in ends[1:-1])]
        self.ups = nn.ModuleList(_Conv3(a, b, kind) for a, b in zip(joined, ends[1:]))
        self.channels, self.recompute = first + inside, False

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, D, h, w]`` to ``[B, first + C, D, h, w]``; sides divide by 2 to the power of levels."""
        passed = [x]
        for down in self.downs:
            passed.append(functional.avg_pool3d(recomputed(down, self.recompute, passed[-1]), (1, 2, 2)))
        y = passed.pop()
        for up in self.ups:
            y = functional.interpolate(y, scale_factor=(1.0, 2.0, 2.0), mode="nearest")
            y = recomputed(up, self.recompute, y)
            y = torch.cat([y, passed.pop()], 1)
        return y


class _Conv3(nn.Module):
    """Convolution, norm, rectifier of a volume."""

    def __init__(self, inside: int, outside: int, kind: Norm) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inside, outside, 3, padding=1)
        self.norm = norm(kind, outside, 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(convolved(self.conv, x)))


class DenseMotionNetwork(nn.Module):
    """Volume and keypoints to :class:`DenseMotion`."""

    def __init__(
        self,
        channels: int,
        depth: int,
        keypoints: int,
        compressed: int,
        first: int,
        most: int,
        levels: int,
        kernel: int,
        variance: float,
        kind: Norm = "batch",
        side: int | None = None,
        reach: float = 0.0,
        surface: bool = False,
        outlined: bool = False,
    ) -> None:
        """
        Args:
            channels: of the volume.
            depth: of the volume.
            keypoints: how many.
            compressed: channels that are warped by every candidate.
            first: channels at the hourglass's rim.
            most: its most channels.
            levels: how often it halves.
            kernel: side of its last convolutions.
            variance: of the Gaussians about keypoints.
            kind: how to normalise.
            side: of the grid on which masks are estimated; None for the volume's own.
            reach: where greater than 0, masks begin as nearness, and what is farther from all keypoints
                than this stays.
            surface: whether to say where along its depth each place is seen.
            outlined: whether the volume has one more channel, 1 where the person is, by which masks see what
                each candidate brings.
        """
        super().__init__()
        self.compress = nn.Conv3d(channels, compressed, 1)
        self.compress_norm = norm(kind, compressed, 3)
        inside = (keypoints + 1) * (compressed + 1 + outlined)
        self.hourglass = Hourglass3d(inside, first, most, levels, kind)
        ends = self.hourglass.channels
        self.mask = nn.Conv3d(ends, keypoints + 1, kernel, padding=kernel // 2)
        self.occlusion = nn.Conv2d(ends * depth, 1, kernel, padding=kernel // 2)
        self.surface = nn.Conv3d(ends, 1, 3, padding=1) if surface else None
        self.variance, self.reach, self.side, self.outlined = variance, reach, side, outlined
        if reach > 0.0:  # what is learnt is added to nearness and begins with next to nothing
            for layer in (self.mask, self.occlusion, *([self.surface] if self.surface is not None else [])):
                with torch.no_grad():
                    layer.weight.mul_(0.1)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
            assert self.occlusion.bias is not None
            nn.init.constant_(self.occlusion.bias, 2.0)

    def forward(
        self,
        volume: Tensor,
        source: Tensor,
        driving: Tensor,
        valid: Tensor | None = None,
        turn: Tensor | None = None,
    ) -> DenseMotion:
        """
        Args:
            volume: ``[B, C, D, h, w]`` of the source, or ``[B, C + 1, D, h, w]`` with the person's outline.
            source: ``[B, K, 3]`` keypoints.
            driving: ``[B, K, 3]`` keypoints.
            valid: ``[B, K]`` 1 for keypoints that count, 0 for those that are not known; None for all.
            turn: ``[B, 3, 3]`` of the head, in which every candidate takes part; None for candidates that
                only shift.
        """
        depth, height, width = volume.shape[2:]
        side = self.side or height
        outline = volume[:, -1:] if self.outlined else None
        volume = volume[:, :-1] if self.outlined else volume
        with full_precision(volume):
            source, driving = source.float(), driving.float()
            known = torch.ones_like(driving[..., 0]) if valid is None else valid.float()
            coarse = places((depth, side, side), driving)
            flows = candidates(coarse, source, driving, turn)
            flows = flows * functional.pad(known, (1, 0), value=1.0)[..., None, None, None, None]
            heat = nearness(coarse, driving, self.variance) - nearness(coarse, source, self.variance)
            heat = functional.pad(heat * known[..., None, None, None], (0, 0, 0, 0, 0, 0, 1, 0))
        small = functional.relu(self.compress_norm(self.compress(volume)))
        if outline is not None:
            small = torch.cat([small, outline.to(small.dtype)], 1)
        seen = self._warped(small.float(), flows)
        x = torch.cat([heat[:, :, None], seen], 2).flatten(1, 2)
        felt = self.hourglass(x)
        logits = convolved(self.mask, felt).float()
        surface = None if self.surface is None else convolved(self.surface, felt).float()[:, 0]
        occlusion = self.occlusion(felt.flatten(1, 2)).float()
        with full_precision(volume):
            fine = coarse
            if side != height:
                size = (depth, height, width)
                fine = places(size, driving)
                flows = candidates(fine, source, driving, turn)
                logits = functional.interpolate(logits, size, mode="trilinear", align_corners=False)
                occlusion = functional.interpolate(occlusion, size[1:], mode="bilinear", align_corners=False)
                if surface is not None:
                    surface = functional.interpolate(surface, size[1:], mode="bilinear", align_corners=False)
            if self.reach > 0.0:
                near = -0.5 / NARROW**2 * squared_distance(fine, driving, FLATTEN)
                # Hair goes with the head, shoulders do not: what is above keypoints is theirs from afar.
                middle = (driving[..., 1] * known).sum(1) / known.sum(1)
                above = (middle[:, None, None, None] - fine[1]).clamp_min(0.0)
                far = -0.5 / NARROW**2 * (self.reach + above).square()
                logits = logits + torch.cat([far[:, None], near], 1)
            if valid is not None:
                gone = functional.pad(known, (1, 0), value=1.0)[..., None, None, None] == 0.0
                logits = logits.masked_fill(gone, NEVER)
            masks = logits.softmax(1)
            flow = (masks[:, :, None] * flows).sum(1)
            if surface is not None:
                surface = (surface + self._relief(fine, driving, known)).softmax(1)
        return DenseMotion(flow, masks, occlusion.sigmoid(), surface)

    def _warped(self, small: Tensor, flows: Tensor) -> Tensor:
        """The compressed volume ``[B, C, D, h, w]`` by every candidate: ``[B, K + 1, C, D, s, s]``."""
        count = flows.shape[1]
        many = small[:, None].expand(-1, count, -1, -1, -1, -1).flatten(0, 1)
        warped = warp_volume(many, flows.flatten(0, 1))
        return warped.reshape(-1, count, *warped.shape[1:])

    @staticmethod
    def _relief(grid: Tensor, driving: Tensor, known: Tensor) -> Tensor:
        """Logits ``[B, D, h, w]`` of the depth of the keypoints that are near in the picture."""
        flat = squared_distance(grid, driving, 0.0)[:, :, 0] * (-0.5 / RELIEF**2)
        share = flat.masked_fill(known[..., None, None] == 0.0, NEVER).softmax(1)
        depth = (share * driving[..., 2][..., None, None]).sum(1)
        return -0.5 / THICK**2 * (grid[2] - depth[:, None]).square()
