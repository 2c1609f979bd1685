"""The whole semantic network: a source picture once to a volume, then a picture for every driving frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.semantic.decoder import Mirrored, SemanticDecoder
from studio.engines.semantic.keypoints import HOLDING, VERTICES
from studio.engines.semantic.settings import CODE, JAW, SemanticSettings
from studio.head.topology import topology
from studio.networks.dense_motion import DenseMotion, DenseMotionNetwork
from studio.networks.face_flow import FaceFlow, face_flow
from studio.networks.face_surface import FaceSurface
from studio.networks.feature_volume import AppearanceExtractor
from studio.networks.keypoint_detector import KeypointDetector
from studio.networks.keypoint_flow import head_turn, warp_volume, within_head
from studio.networks.precision import full_precision

FACE_SIDE = 64
"""Most places along a side at which the face's flow is worked out."""
WITHIN = 10.0
"""Keypoints' moves within the head, in half sides of the picture, are multiplied by this to be about one."""


@dataclass(frozen=True)
class SemanticOutput:
    """B drawn pictures and what they are made of."""

    picture: Tensor
    """``[B, 3, S, S]`` -1..1."""
    flow: Tensor
    """``[B, 3, D, h, w]`` from each place of the driving frame to the source's, away from it, -1..1 wide."""
    masks: Tensor
    """``[B, K + 1, D, h, w]`` share of each keypoint's flow, before them that of what does not move."""
    occlusion: Tensor
    """``[B, 1, h, w]`` how much of what is seen the source shows, 0..1."""
    volume: Tensor
    """``[B, C, D, h, w]`` the source's features, warped."""
    source_keypoints: Tensor
    """``[B, K, 3]`` as given, or as found by the network's own detector."""
    driving_keypoints: Tensor
    """``[B, K, 3]`` the same of the driving frame."""
    picture_flow: Tensor | None
    """``[B, 2, S, S]`` by which the source picture itself was warped; None without painting over."""
    warped: Tensor | None
    """``[B, 3, S, S]`` the source picture, warped."""
    share: Tensor | None
    """``[B, 1, S, S]`` how much of the paint lies over it, 0..1."""
    mirrored: Mirrored | None
    """What of the warped picture is the face's other half; None where nothing is."""


@dataclass(frozen=True)
class Kept:
    """How much of what drives B frames is known to the network."""

    code: Tensor
    """``[B]`` numbers of the code, 0..53: the jaw's three, then expression from its first on."""
    keypoints: Tensor
    """``[B]`` keypoints, 1..K, from the first on."""
    face: Tensor | None = None
    """``[B]`` whether the face's flow is known, where there is one; None: it is."""

    @staticmethod
    def all(shape: SemanticSettings, batch: int, device: torch.device | str = "cpu") -> Kept:
        """Everything."""
        return Kept(
            torch.full((batch,), CODE, device=device),
            torch.full((batch,), shape.keypoints, device=device),
        )

    @staticmethod
    def drawn(shape: SemanticSettings, batch: int, chance: torch.Generator | None = None) -> Kept:
        """As training draws it: some examples lose their last numbers, or keypoints, evenly many."""

        def draw(share: float, least: int, most: int) -> Tensor:
            some = torch.randint(least, most + 1, (batch,), generator=chance)
            return torch.where(torch.rand(batch, generator=chance) < share, some, most)

        return Kept(
            draw(shape.code_dropout, 0, CODE),
            draw(shape.keypoint_dropout, min(5, shape.keypoints), shape.keypoints),
            torch.rand(batch, generator=chance) >= shape.face_dropout if shape.face_flow else None,
        )


def kept_code(code: Tensor, kept: Tensor) -> Tensor:
    """A code ``[B, 53]`` of which only so many numbers ``[B]`` are known; the others are 0.

    Jaw before expression, and expression from its first coefficient on: the head model's are sorted by how
    much they explain.
    """
    order = torch.arange(CODE, device=code.device)
    rank = torch.where(order < CODE - JAW, order + JAW, order - (CODE - JAW))
    return code * (rank < kept.to(code.device)[:, None])


class SemanticNetwork(nn.Module):
    """Extractor, motion and decoder; a keypoint detector where keypoints are not the head model's."""

    holding: Tensor
    """``[K]`` how much each keypoint says about the head's own pose."""
    triangles: Tensor
    """``[F, 3]`` of the face's 478 points."""
    partner: Tensor
    """``[478]`` the point on the other side of each."""

    def __init__(self, shape: SemanticSettings) -> None:
        super().__init__()
        self.shape = shape
        self.extractor = AppearanceExtractor(
            shape.halvings,
            shape.first_channels,
            shape.most_channels,
            shape.volume_channels,
            shape.volume_depth,
            shape.volume_blocks,
            shape.norm,
            shape.light,
            shape.source_channels,
        )
        self.motion = DenseMotionNetwork(
            shape.volume_channels,
            shape.volume_depth,
            shape.keypoints,
            shape.compressed,
            shape.hourglass_first,
            shape.hourglass_most,
            shape.hourglass_levels,
            shape.mask_kernel,
            shape.keypoint_variance,
            shape.norm,
            side=shape.motion_side,
            reach=shape.mask_reach,
            surface=shape.paint_over,
            outlined=shape.person_mask,
        )
        numbers = (CODE + 1) * shape.expression_code + 3 * shape.keypoints * shape.keypoint_code
        self.decoder = SemanticDecoder(shape, numbers)
        self.detector: KeypointDetector | None = None
        if shape.keypoint_source == "unsupervised":
            levels = min(5, (shape.volume_side - 1).bit_length())
            self.detector = KeypointDetector(
                shape.keypoints,
                shape.side // shape.volume_side,
                shape.hourglass_first,
                shape.hourglass_most,
                levels,
                shape.volume_depth,
                shape.norm,
            )
        weights = HOLDING if shape.keypoint_source == "head_model" else (1.0,) * len(HOLDING)
        mesh = topology()
        for name, table in (("triangles", mesh.triangles), ("partner", mesh.mirror)):
            self.register_buffer(name, torch.from_numpy(table.astype("int64")), persistent=False)
        self.register_buffer("holding", torch.tensor(weights[: shape.keypoints]), persistent=False)

    def recompute(self, wanted: bool) -> None:
        """Whether training calculates what lies inside blocks once more on the way back instead of keeping
        it: a third more time, a fraction of the memory, the same gradients."""
        self.extractor.recompute = self.motion.hourglass.recompute = self.decoder.recompute = wanted

    def forward(
        self,
        source: Tensor,
        source_keypoints: Tensor | None,
        driving_keypoints: Tensor | None,
        code: Tensor,
        kept: Kept | None = None,
        driving: Tensor | None = None,
    ) -> SemanticOutput:
        """What training calls: source to picture.

        Args:
            source: ``[B, 3, S, S]`` -1..1.
            source_keypoints: ``[B, 16, 3]``; None where the network finds its own.
            driving_keypoints: ``[B, 16, 3]``; None likewise.
            code: ``[B, 53]`` of the driving frame.
            kept: how much of code and keypoints is known; None for all.
            driving: ``[B, 3, S, S]`` the driving frame, looked at only by the network's own detector.
        """
        if source_keypoints is None or driving_keypoints is None:
            if driving is None:
                raise ValueError("keypoints, or the driving frame to find them in")
            source_keypoints, driving_keypoints = self.detect(source), self.detect(driving)
        volume = self.encode(source)
        return self.draw(source, volume, source_keypoints, driving_keypoints, code, kept)

    def detect(self, picture: Tensor) -> Tensor:
        """Keypoints ``[B, K, 3]`` that the network finds; ValueError where they are the head model's."""
        if self.detector is None:
            raise ValueError("this network is driven by the head model's keypoints")
        points: Tensor = self.detector(picture[:, :3])
        return points

    def encode(self, source: Tensor) -> Tensor:
        """Source pictures to volumes ``[B, C, D, h, w]``; once for each picture.

        Args:
            source: ``[B, 3, S, S]`` in -1..1, or ``[B, 4, S, S]`` where the settings want the person's
                outline: -1 outside, 1 inside.
        """
        if source.shape[1] != self.shape.source_channels:
            raise ValueError(f"{self.shape.source_channels} channels expected, {source.shape[1]} given")
        volume: Tensor = self.extractor(source)
        if not self.shape.person_mask:
            return volume
        outline = functional.interpolate(0.5 + 0.5 * source[:, 3:], volume.shape[3:], mode="area")
        outline = outline[:, :, None].expand(-1, -1, volume.shape[2], -1, -1)
        return torch.cat([volume, outline.to(volume.dtype)], 1)

    def draw(
        self,
        source: Tensor,
        volume: Tensor,
        source_keypoints: Tensor,
        driving_keypoints: Tensor,
        code: Tensor,
        kept: Kept | None = None,
        behind: Tensor | None = None,
    ) -> SemanticOutput:
        """The source as it is driven; the source's side of B may be 1 for many driving frames.

        Args:
            source: ``[B, 3, S, S]`` -1..1.
            volume: ``[B, C, D, h, w]`` from :meth:`encode`.
            source_keypoints: ``[B, 16, 3]``; those beyond the settings' number are not looked at. After them,
                where there is a face's flow, all of the face's points: ``[B, 16 + L, 3]``; without them, the
                flow is that of the keypoints.
            driving_keypoints: likewise.
            code: ``[B, 53]`` of the driving frame.
            kept: how much of code and keypoints is known; None for all.
            behind: the source's surroundings (see decoder.py), where many frames share them.
        """
        shape, batch = self.shape, len(driving_keypoints)
        if len(source) == 1 and batch > 1:
            source, volume = (x.expand(batch, *x.shape[1:]) for x in (source, volume))
            source_keypoints = source_keypoints.expand(batch, -1, -1)
        ours = source_keypoints[:, : shape.keypoints].float()
        theirs = driving_keypoints[:, : shape.keypoints].float()
        valid = None
        if kept is not None:
            order = torch.arange(shape.keypoints, device=ours.device)
            valid = (order < kept.keypoints.to(ours.device)[:, None]).float()
        with full_precision(volume):
            weights = self.holding.expand(batch, -1) * (1.0 if valid is None else valid)
            need = shape.turning or shape.keypoint_code
            turn = head_turn(ours, theirs, weights) if need else None
            numbers = []
            if shape.expression_code:
                known = torch.full((batch,), CODE, device=code.device) if kept is None else kept.code
                numbers.append(kept_code(code.float(), known).asinh())
                numbers.append((known.to(code.device) / CODE)[:, None].to(torch.float32))
            if shape.keypoint_code and turn is not None:
                within = within_head(ours, theirs, turn, weights)
                if valid is not None:
                    within = within * valid[..., None]
                numbers.append((WITHIN * within).asinh().flatten(1))
        motion = self.motion(volume, ours, theirs, valid, turn if shape.turning else None)
        picture_flow = motion.picture_flow if shape.paint_over else None
        face: FaceFlow | None = None
        if shape.face_flow and min(source_keypoints.shape[1], driving_keypoints.shape[1]) > len(VERTICES):
            still, moved = (x[:, len(VERTICES) :] for x in (source_keypoints, driving_keypoints))
            surface = FaceSurface(self.triangles, self.partner) if shape.face_surface else None
            face = face_flow(still, moved, min(shape.side // 2, FACE_SIDE), surface)
            if kept is not None and kept.face is not None:
                face = _known(face, kept.face)
            motion, picture_flow = _with_face(motion, picture_flow, face)
        warped = warp_volume(volume, motion.flow)
        drawn = self.decoder(
            warped,
            motion.occlusion,
            torch.cat(numbers, 1) if numbers else None,
            source,
            picture_flow,
            behind,
            face,
        )
        return SemanticOutput(
            drawn.picture,
            motion.flow,
            motion.masks,
            motion.occlusion,
            warped,
            ours,
            theirs,
            drawn.picture_flow,
            drawn.warped,
            drawn.share,
            drawn.mirrored,
        )


def _known(face: FaceFlow, known: Tensor) -> FaceFlow:
    """The face's flow, believed nowhere where ``known`` ``[B]`` is false."""
    there = known.to(face.faith)[:, None, None, None]
    share = None if face.share is None else face.share * there
    return replace(face, faith=face.faith * there, share=share)


def _with_face(
    motion: DenseMotion, picture_flow: Tensor | None, face: FaceFlow
) -> tuple[DenseMotion, Tensor | None]:
    """Motion whose flow is, where the face is, that of the face's points.

    Args:
        motion: what keypoints say.
        picture_flow: ``[B, 2, h, w]`` of what is seen, or None.
        face: of the face's points.
    """
    with full_precision(face.flow):
        flow, faith = face.flow, face.faith
        if picture_flow is not None:
            wide = functional.interpolate(picture_flow.float(), flow.shape[2:], mode="bilinear")
            picture_flow = wide + faith * (flow - wide)
        size = motion.flow.shape[3:]
        # Averaged as what is believed: a flow counts nothing where it does not hold.
        flow, faith = (
            functional.interpolate(x, size, mode="area")[:, :, None] for x in (faith * flow, faith)
        )
        whole = torch.cat([flow + (1.0 - faith) * motion.flow[:, :2], motion.flow[:, 2:]], 1)
    return replace(motion, flow=whole), picture_flow
