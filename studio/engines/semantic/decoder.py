"""From warped features to a picture: SPADE blocks told by the features and what the frame expresses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from studio.engines.semantic.settings import SemanticSettings
from studio.networks.face_flow import FaceFlow
from studio.networks.filled_picture import without_person
from studio.networks.keypoint_flow import warp_picture
from studio.networks.norms import norm
from studio.networks.recomputed import recomputed
from studio.networks.spade import SLOPE, SpadeBlock

REFINED = 0.1
"""Farthest that the decoder moves what the flow found, in half sides of the picture."""
HOLDS, KNOWN = 0.7, 0.7
"""How much less the flow is refined, and less is painted over, where the flow is known to hold. Losses
that average would rather have a face blurred or shifted towards the usual than a pixel off: without these, a
network's faces are 8 % farther from their landmarks and 4 % from their expression than with them (people who
were not held out)."""
UNPAINTED = -3.0
"""Logit of the paint's share to begin with: a twentieth."""


@dataclass(frozen=True)
class Mirrored:
    """Where a face's other half stands in for what the source does not show of it."""

    flow: Tensor
    """``[B, 2, S, S]`` to its place in the source."""
    share: Tensor
    """``[B, 1, S, S]`` how much of it lies over what the other flow carries, 0..1."""


@dataclass(frozen=True)
class Drawn:
    """B pictures and what they are made of."""

    picture: Tensor
    """``[B, 3, S, S]`` -1..1."""
    picture_flow: Tensor | None = None
    """``[B, 2, S, S]`` by which the source picture was warped; None where there is no painting over."""
    warped: Tensor | None = None
    """``[B, 3, S, S]`` the source picture warped."""
    share: Tensor | None = None
    """``[B, 1, S, S]`` of the paint that lies over it, 0..1."""
    mirrored: Mirrored | None = None
    """What of the warped picture is the face's other half; None where nothing is."""


class SemanticDecoder(nn.Module):
    """The generator of the paper's figure 2(b)."""

    def __init__(self, shape: SemanticSettings, numbers: int) -> None:
        """
        Args:
            shape: its size.
            numbers: how many numbers hold for the whole picture.
        """
        super().__init__()
        label, wide = shape.label_channels, shape.decoder_channels
        self.gather = nn.Conv2d(
            (shape.volume_channels + shape.person_mask) * shape.volume_depth, label, 3, padding=1
        )
        self.gather_norm = norm(shape.norm, label)
        self.mix = nn.Conv2d(label, label, 1)
        self.widen = nn.Conv2d(label, wide, 3, padding=1)
        told = (label, numbers, shape.spade_hidden, shape.spectral, shape.light)
        self.blocks = nn.ModuleList(SpadeBlock(wide, wide, *told) for _ in range(shape.decoder_blocks))
        ups = shape.halvings - (1 if shape.paint_over else 0)
        widths = [max(shape.decoder_last, wide >> step) for step in range(ups + 1)]
        if not shape.paint_over:
            widths[-1] = shape.decoder_last
        self.ups = nn.ModuleList(SpadeBlock(a, b, *told) for a, b in zip(widths, widths[1:]))
        self.painter = Painter(widths[-1], shape.spectral) if shape.paint_over else None
        self.last = None if shape.paint_over else nn.Conv2d(widths[-1], 3, 3, padding=1)
        self.light, self.recompute = shape.light, False

    def forward(
        self,
        volume: Tensor,
        occlusion: Tensor,
        numbers: Tensor | None,
        source: Tensor,
        flow: Tensor | None,
        behind: Tensor | None = None,
        face: FaceFlow | None = None,
    ) -> Drawn:
        """
        Args:
            volume: ``[B, C, D, h, w]`` warped.
            occlusion: ``[B, 1, h, w]``.
            numbers: ``[B, N]``, or None.
            source: ``[B, 3, S, S]`` the source picture, or ``[B, 4, S, S]`` with the person's outline.
            flow: ``[B, 2, h, w]`` of what is seen; None where there is no painting over.
            behind: see :func:`carried`.
            face: where the flow is known to hold: little to paint over there. None: nowhere.
        """
        features = functional.leaky_relu(self.gather_norm(self.gather(volume.flatten(1, 2))), SLOPE)
        features = self.mix(features) * occlusion.to(features.dtype)
        x = self.widen(features)
        for block in self.blocks:
            x = recomputed(block, self.recompute, x, features, numbers)
        for up in self.ups:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear" if self.light else "nearest")
            x = recomputed(up, self.recompute, x, features, numbers)
        if self.painter is not None:
            if flow is None:
                raise ValueError("painting over needs the flow of what is seen")
            drawn: Drawn = self.painter(functional.leaky_relu(x, SLOPE), source, flow, behind, face)
            return drawn
        assert self.last is not None
        return Drawn((self.last(functional.leaky_relu(x, SLOPE)).float() * 0.5).tanh())


class Painter(nn.Module):
    """Ends the decoder where it paints over the warped source picture.

    At half the picture's resolution: the flow is refined, the source is warped by it at full resolution and
    laid out four pixels to a place, and two convolutions see both and give paint and its share.
    """

    def __init__(self, channels: int, spectral: bool) -> None:
        super().__init__()
        self.refine = nn.Conv2d(channels, 2, 3, padding=1)
        self.join = nn.Conv2d(channels + 12, channels, 3, padding=1)
        self.paint = nn.Conv2d(channels, 16, 3, padding=1)
        for layer in (self.refine, self.paint):  # it begins with the warped picture
            nn.init.normal_(layer.weight, std=1e-3)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        if spectral:
            parametrizations.spectral_norm(self.join)

    def forward(
        self,
        x: Tensor,
        source: Tensor,
        flow: Tensor,
        behind: Tensor | None = None,
        face: FaceFlow | None = None,
    ) -> Drawn:
        """Features ``[B, C, S/2, S/2]``; the rest as :class:`SemanticDecoder` has it."""
        side = source.shape[2:]
        more = _enlarged(REFINED * self.refine(x).float().tanh(), side)
        sure = mirrored = None
        if face is not None:
            sure = _enlarged(face.faith, side)
            more = more * (1.0 - HOLDS * sure)
            if face.mirrored is not None and face.share is not None:
                mirrored = Mirrored(_enlarged(face.mirrored, side), _enlarged(face.share, side))
        moved = _enlarged(flow.float(), side) + more
        warped = carried(source, moved, behind, mirrored)
        seen = functional.pixel_unshuffle(warped, 2).to(x.dtype)
        y = functional.leaky_relu(self.join(torch.cat([x, seen], 1)), SLOPE)
        told = functional.pixel_shuffle(self.paint(y), 2).float()
        share = (told[:, 3:] + UNPAINTED).sigmoid()
        if sure is not None:
            share = share * (1.0 - KNOWN * sure)
        return Drawn(warped + share * (told[:, :3].tanh() - warped), moved, warped, share, mirrored)


def surroundings(source: Tensor) -> Tensor | None:
    """What stays behind the person of source pictures, ``[B, 3, S, S]``; None where they have no outline."""
    if source.shape[1] == 3:
        return None
    return without_person(source[:, :3].float(), 0.5 + 0.5 * source[:, 3:].float())


def carried(
    source: Tensor, flow: Tensor, behind: Tensor | None = None, mirrored: Mirrored | None = None
) -> Tensor:
    """The source picture as a flow carries it, ``[B, 3, S, S]``.

    With an outline the person alone is carried: they are laid before what stays where it is, which is
    continued to where they were. So their edges stay sharp, and nobody is seen twice.

    Args:
        source: ``[B, 3, S, S]`` in -1..1, or ``[B, 4, S, S]`` with the outline, -1 outside and 1 inside.
        flow: ``[B, 2, S, S]`` of the person.
        behind: the source's :func:`surroundings`, where many frames share them; None: they are worked out.
        mirrored: what is taken from the face's other half; None for nothing.
    """
    moved = warp_picture(source.float(), flow)
    if mirrored is not None:
        moved = moved + mirrored.share * (warp_picture(source.float(), mirrored.flow) - moved)
    if source.shape[1] == 3:
        return moved
    colours, behind = source[:, :3].float(), surroundings(source) if behind is None else behind
    assert behind is not None
    cover = (0.5 + 0.5 * moved[:, 3:]).clamp(0.0, 1.0)
    laid = behind + cover * (moved[:, :3] - behind)
    # Where nothing moves, the picture is as it was, to its last bit.
    still = (flow == 0.0).flatten(1).all(1)[:, None, None, None]
    return torch.where(still, colours, laid)


def _enlarged(flow: Tensor, side: torch.Size) -> Tensor:
    """A flow at another resolution; its unit, half a side, stays."""
    return functional.interpolate(flow, side, mode="bilinear", align_corners=False)
