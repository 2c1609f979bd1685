"""A NOFA avatar drawn live: the volume once, a warp when expressions change, rays when the camera does."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from studio.domain.camera import Floats
from studio.domain.controls import Control, ControlState
from studio.domain.free_camera import FreeCamera, camera_controls
from studio.domain.motion import HeadMotion
from studio.engines.nofa.base_model import NofaParts
from studio.engines.nofa.deformation import FaceWarp
from studio.engines.nofa.motion_maps import MotionMaps, canonical_motion
from studio.engines.nofa.network import Drawn
from studio.engines.nofa.source import Guide, Source
from studio.head.expression_numbers import expression_numbers
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.head_surface import surface_of_face
from studio.networks.volume.lifted import Lifted
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import enlarged as scaled

KEPT = 16
"""Expressions whose warps are kept: a talking head comes back to few, a turning one keeps one."""


class LiveNofa:
    """One person. Their picture is encoded once, when this is made. A
    :class:`studio.one_picture.engine.LayeredSquare` whose camera goes around the head."""

    def __init__(self, parts: NofaParts, device: torch.device) -> None:
        person = parts.person
        self._device, self._window = device, person.window
        self._network = parts.network.to(device).eval()
        shape = self._network.shape
        self._shape, self._side, mesh = shape, shape.side, person.base.mesh
        self._model = mesh.model
        self.quick = device.type != "cpu" or shape.side <= 128
        self.controls: tuple[Control, ...] = camera_controls()
        self.canonical = canonical_motion(shape)
        self._maps = MotionMaps(mesh.model, mesh.model.neutral(mesh.identity, mesh.offset), shape)
        identity = np.zeros((1, mesh.model.identities), np.float32)
        identity[0, : len(mesh.identity)] = mesh.identity
        self._identity = torch.from_numpy(identity).to(device)
        picture = person.picture
        small = cv2.resize(picture, (self._side, self._side), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            self._person = self._network.encode(self._source(self._tensor(small), person.base.motion))
        # Finer than the network only where points see the source picture.
        guide = self._person.guide
        finer = len(picture) > self._side and guide is not None and guide.seen
        self._fine = self._finer(guide, self._tensor(picture)) if finer and guide is not None else None
        self._known: dict[bytes, FaceWarp] = {}

    def draw(self, motion: HeadMotion, finely: bool = True, state: ControlState | None = None) -> Floats:
        """See the protocol. Who moves the camera alone pays for rays alone."""
        with torch.inference_mode():
            return self._picture(motion, self._warp(motion), finely, state)

    def draw_canonical(
        self, motion: HeadMotion, finely: bool = True, state: ControlState | None = None
    ) -> Floats:
        """See the protocol: nothing is warped."""
        with torch.inference_mode():
            return self._picture(motion, None, finely, state)

    def depth(self, motion: HeadMotion, state: ControlState | None = None) -> tuple[Floats, Floats]:
        """See the protocol."""
        with torch.inference_mode():
            drawn = self._network.draw(
                self._person, self._cameras(motion, _free(state), self._side), self._warp(motion)
            )
        return _array(-drawn.depth[0, 0]), _array(drawn.alpha[0, 0])

    def _picture(
        self, motion: HeadMotion, warp: FaceWarp | None, finely: bool, state: ControlState | None
    ) -> Floats:
        free = _free(state)
        drawn = self._network.draw(self._person, self._cameras(motion, free, self._side), warp)
        picture = drawn.picture.float()
        if self._fine is not None and finely:
            assert self._fine.lifted is not None
            side = self._fine.lifted.maps.shape[-1]
            picture = self._detailed(self._fine, drawn, self._cameras(motion, free, side), warp)
        return _array(picture[0].permute(1, 2, 0))

    def _warp(self, motion: HeadMotion) -> FaceWarp:
        numbers = expression_numbers(motion, self._model)
        key = numbers.tobytes()
        if key not in self._known:
            moved = None
            if self._shape.motion_prior:
                moved = torch.from_numpy(self._maps.to_canonical(motion)).to(self._device)
            while len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
            told = torch.from_numpy(numbers).to(self._device)
            self._known[key] = self._network.warp(self._identity, told, moved)
        return self._known[key]

    def _detailed(self, fine: Guide, drawn: Drawn, cameras: Cameras, warp: FaceWarp | None) -> Tensor:
        """``[1, 3, D, D]``: the picture with what the source shows finer than the network's pixels, as far as
        the source's colours are what is seen."""
        assert drawn.taken is not None
        assert fine.lifted is not None
        side = fine.lifted.maps.shape[-1]

        def enlarged(values: Tensor, mode: str = "bilinear") -> Tensor:
            return functional.interpolate(values.float(), (side, side), mode=mode, align_corners=False)

        shown = self._network.shown(fine, cameras, enlarged(drawn.depth), warp)
        coarse = enlarged(functional.interpolate(shown, (self._side, self._side), mode="area"))
        return enlarged(drawn.picture, "bicubic") + 2.0 * enlarged(drawn.taken) * (shown - coarse)

    def _source(self, picture: Tensor, taken: HeadMotion) -> Source:
        """What the network is told of the picture ``[1, 4, S, S]``."""
        if not self._shape.guided:
            return Source(picture[:, :3])
        skin = torch.from_numpy(surface_of_face(self._model, self._maps.face))[None, None]
        away = torch.from_numpy(self._maps.from_canonical(taken))
        cameras = self._cameras(taken, FreeCamera(), self._side)
        return Source(picture, cameras, skin.to(self._device), away.to(self._device))

    def _finer(self, guide: Guide, picture: Tensor) -> Guide:
        """The same guide, which sees the picture ``[1, 4, D, D]`` at full detail."""
        assert guide.lifted is not None
        larger = picture.new_tensor([picture.shape[-1] / self._side])
        cameras = scaled(guide.lifted.cameras, larger, picture.new_zeros(1, 2))
        return replace(guide, lifted=Lifted(0.5 + 0.5 * picture, cameras))

    def _cameras(self, motion: HeadMotion, free: FreeCamera, side: int) -> Cameras:
        """Of one frame, whose camera is in source pixels, for the square at ``side`` pixels."""
        placement = self._window.scaled(side).to_array()
        turn = None if free.orbit_yaw == free.orbit_pitch == 0.0 else free.rotation
        return cameras_of(motion, np.asarray(placement), turn, free.nearness, self._device)

    def _tensor(self, picture: np.ndarray) -> Tensor:
        values = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device).float()
        return values.permute(2, 0, 1)[None] / 127.5 - 1.0


def _free(state: ControlState | None) -> FreeCamera:
    return FreeCamera() if state is None else FreeCamera.from_state(state)


def _array(values: Tensor) -> Floats:
    return np.asarray(values.float().contiguous().cpu().numpy(), np.float32)
