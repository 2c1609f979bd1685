"""The network of a semantic avatar, run live: head parameters to the square, at the detail that its picture
has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from studio.domain.camera import Floats
from studio.domain.controls import Control, ControlState
from studio.domain.motion import HeadMotion
from studio.engines.semantic.base_model import SemanticParts
from studio.engines.semantic.decoder import Mirrored, carried, surroundings
from studio.engines.semantic.keypoints import keypoint_maker, semantic_code
from studio.engines.semantic.network import SemanticOutput

if TYPE_CHECKING:
    from studio.engines.semantic.fine_detail import FineDetail

ROOM, SOFT = 0.015, 0.006
"""How far an outline is moved outwards, and the sigma by which it is softened, in sides of the square."""


class LivePicture:
    """One person. Their picture is encoded once, when this is made. A
    :class:`studio.one_picture.engine.LiveSquare` with the head's controls alone."""

    controls: tuple[Control, ...] = ()

    def __init__(self, parts: SemanticParts, device: torch.device) -> None:
        person = parts.person
        self._device, self._window = device, person.window
        self._network = parts.network.to(device).eval()
        shape = self._network.shape
        self._side = shape.side
        self.quick = device.type != "cpu" or shape.light
        mesh = person.base.mesh
        self._model = mesh.model
        self._keypoints = keypoint_maker(mesh.model, mesh.identity, mesh.offset, shape.face_flow)
        picture = person.picture
        small = cv2.resize(picture, (shape.side, shape.side), interpolation=cv2.INTER_AREA)
        self._source = self._tensor(small)[:, : shape.source_channels]
        # Finer than the network only where there is a flow to carry it.
        finer = len(picture) > shape.side and shape.paint_over
        self._fine = self._tensor(picture)[:, : shape.source_channels] if finer else None
        widest = None if self._fine is None else roomy(self._fine, 0.0)
        self._fine = None if self._fine is None else roomy(self._fine, SOFT)
        with torch.inference_mode():
            self._volume = self._network.encode(self._source)
            self._behind = surroundings(self._source)
            self._fine_behind = None if widest is None else surroundings(widest)
        self._detail: FineDetail | None = None
        if self._fine is not None and device.type == "cpu":
            from studio.engines.semantic.fine_detail import FineDetail

            self._detail = FineDetail(self._fine, self._fine_behind)
        self._rest = self._points(person.base.motion)

    def draw(self, motion: HeadMotion, finely: bool = True, state: ControlState | None = None) -> Floats:
        """See the protocol. Not ``finely`` takes a fifth less time."""
        with torch.inference_mode():
            told = torch.from_numpy(semantic_code(motion, self._model)).to(self._device)
            out = self._network.draw(
                self._source, self._volume, self._rest, self._points(motion), told, behind=self._behind
            )
            if self._detail is not None and finely:
                return self._detail.added(out)
            picture = out.picture.float()
            if self._fine is not None and finely:
                picture = with_detail(out, self._fine, self._fine_behind)
            return np.asarray(picture[0].permute(1, 2, 0).contiguous().cpu().numpy(), np.float32)

    def _points(self, motion: HeadMotion) -> Tensor:
        """Keypoints of the person's own head, whoever moves it."""
        to_pixels = self._window.scaled(self._side)
        camera = np.empty_like(motion.camera)
        camera[:, 0] = motion.camera[:, 0] * to_pixels.scale
        camera[:, 1:] = to_pixels.apply(motion.camera[:, 1:])
        points = self._keypoints(replace(motion, camera=camera), float(self._side))
        return torch.from_numpy(points).to(self._device)

    def _tensor(self, picture: np.ndarray) -> Tensor:
        values = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device).float()
        return values.permute(2, 0, 1)[None] / 127.5 - 1.0


def roomy(fine: Tensor, soft: float) -> Tensor:
    """A picture whose outline leaves some room around the person.

    Outlines run through hair. What of it stays outside would stand where it was while the person moves, as a
    fine line; inside, it moves along with a seam of background that nobody sees.

    Args:
        fine: ``[1, 4, D, D]`` with the outline, -1 outside and 1 inside; without one it is given back.
        soft: see :data:`SOFT`; 0 for an outline that is only moved.
    """
    if fine.shape[1] == 3:
        return fine
    side = fine.shape[3]
    outline = (0.5 + 0.5 * fine[0, 3]).cpu().numpy()
    reach = 2 * round(ROOM * side) + 1
    outline = cv2.dilate(outline, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    if soft > 0.0:
        outline = cv2.GaussianBlur(outline, (0, 0), soft * side)
    moved = torch.from_numpy(np.asarray(outline, np.float32)).to(fine.device)
    return torch.cat([fine[:, :3], 2.0 * moved[None, None] - 1.0], 1)


def with_detail(out: SemanticOutput, fine: Tensor, behind: Tensor | None = None) -> Tensor:
    """A drawn picture with the detail that the source picture has beyond the network's resolution.

    The picture is paint over the warped source, ``share · paint + (1 - share) · warped``. The same flow warps
    the source at full detail, and what that has more than the coarse one is added where it is not painted
    over.

    Args:
        out: of a network that paints over; one example.
        fine: ``[1, 3, D, D]`` the source picture, D more than the network's side; ``[1, 4, D, D]`` with the
            outline, where the network was given that.
        behind: its surroundings, where many frames share them.

    Returns:
        ``[1, 3, D, D]``. Where nothing moves and nothing is painted, exactly the source picture.
    """
    if out.picture_flow is None or out.warped is None or out.share is None:
        raise ValueError("only a network that paints over the source has a flow to carry detail")
    size = fine.shape[2:]

    def enlarged(values: Tensor, mode: str = "bilinear") -> Tensor:
        return functional.interpolate(values.float(), size, mode=mode, align_corners=False)

    mirrored = None
    if out.mirrored is not None:
        mirrored = Mirrored(enlarged(out.mirrored.flow), enlarged(out.mirrored.share))
    detail = carried(fine, enlarged(out.picture_flow), behind, mirrored) - enlarged(out.warped, "bicubic")
    return enlarged(out.picture, "bicubic") + (1.0 - enlarged(out.share)) * detail
