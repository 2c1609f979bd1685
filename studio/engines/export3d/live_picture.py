"""An Export3D avatar drawn live: planes when the expression changes, rays when the camera does."""

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
from studio.engines.export3d.base_model import Export3DParts
from studio.engines.export3d.expression import BasisScaling
from studio.engines.export3d.network import Drawn, Planes
from studio.head.expression_numbers import expression_numbers
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.head_surface import surface_of
from studio.networks.volume.lifted import Lifted
from studio.networks.volume.rays import Cameras, pixel_centres
from studio.networks.volume.seeing import enlarged as scaled

GROUP = "Directions"
"""Heading of the sliders along the directions of expression."""
FARTHEST = 4.0
"""How far they go, in deviations of the people who were learnt from."""
KEPT = 16
"""Expressions whose planes are kept: a talking head comes back to few, a turning one keeps one."""


class LiveVolume:
    """One person. Their picture is encoded once, when this is made. A
    :class:`studio.one_picture.engine.LiveSquare` whose camera goes around the head."""

    def __init__(self, parts: Export3DParts, device: torch.device) -> None:
        person = parts.person
        self._device, self._window = device, person.window
        self._network = parts.network.to(device).eval()
        shape = self._network.shape
        self._side, mesh = shape.side, person.base.mesh
        self._model = mesh.model
        self.quick = device.type != "cpu" or shape.width <= 256
        self.controls: tuple[Control, ...] = (*camera_controls(), *self._direction_controls())
        picture = person.picture
        small = cv2.resize(picture, (self._side, self._side), interpolation=cv2.INTER_AREA)
        source = self._tensor(small)[:, : shape.source_channels]
        skin = torch.from_numpy(surface_of(mesh.model, mesh.identity, mesh.offset)).to(device)
        with torch.inference_mode():
            self._person = self._network.encode(
                source,
                self._cameras(person.base.motion, FreeCamera(), self._side),
                skin[None, None],
                torch.from_numpy(expression_numbers(person.base.motion, mesh.model)).to(device),
            )
        # Finer than the network only where points see the source picture.
        finer = len(picture) > self._side and shape.lifted
        self._fine = self._tensor(picture)[:, :3] if finer else None
        self._known: dict[bytes, Planes] = {}

    def draw(self, motion: HeadMotion, finely: bool = True, state: ControlState | None = None) -> Floats:
        """See the protocol. Planes are kept: who moves the camera alone pays for rays alone."""
        free = FreeCamera() if state is None else FreeCamera.from_state(state)
        with torch.inference_mode():
            planes = self._planes(motion, state)
            drawn = self._network.draw(planes, self._cameras(motion, free, self._side))
            picture = drawn.picture.float()
            if self._fine is not None and finely:
                fine = len(self._fine[0, 0])
                picture = self._detailed(planes, drawn, self._cameras(motion, free, fine))
            return np.asarray(picture[0].permute(1, 2, 0).contiguous().cpu().numpy(), np.float32)

    def _planes(self, motion: HeadMotion, state: ControlState | None) -> Planes:
        numbers = expression_numbers(motion, self._model)
        moved = self._directions(state)
        key = numbers.tobytes() + moved.tobytes()
        if key not in self._known:
            told = torch.from_numpy(numbers).to(self._device)
            encoder = self._network.expression
            if isinstance(encoder, BasisScaling):
                far = torch.from_numpy(moved).to(self._device) * encoder.usual
                representation = encoder.from_scales(encoder.scales(told) + far)
            else:
                representation = encoder(told)
            while len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = self._network.express(self._person, representation)
        return self._known[key]

    def _detailed(self, planes: Planes, drawn: Drawn, cameras: Cameras) -> Tensor:
        """``[1, 3, D, D]``: the picture with what the source shows finer than the network's pixels, as far as
        the source's colours are what is seen."""
        fine = self._fine
        assert fine is not None
        assert drawn.taken is not None
        lifted = planes.matter.lifted
        assert lifted is not None
        side = len(fine[0, 0])

        def enlarged(values: Tensor, mode: str = "bilinear") -> Tensor:
            return functional.interpolate(values.float(), (side, side), mode=mode, align_corners=False)

        scale = fine.new_tensor([side / self._side])
        taken_by = scaled(lifted.cameras, scale, fine.new_zeros(1, 2))
        pixels = pixel_centres(0.0, 0.0, side, side, side, side, fine.device)
        depth = enlarged(drawn.depth).flatten(1)[..., None]
        # A body that keeps still is compared with where the source had it, in the same pixels.
        matter = planes.matter
        matter = replace(matter, source=None if matter.source is None else taken_by)
        points = self._network.volume.points(matter, cameras.rays(pixels), depth)
        finest = Lifted(0.5 + 0.5 * fine, taken_by)
        shown = self._network.volume.sight(matter, points, cameras, finest)[0].mT.reshape(1, 3, side, side)
        coarse = enlarged(functional.interpolate(shown, (self._side, self._side), mode="area"))
        fresh = self._network.volume.fresh(matter, points).mT.reshape(1, 1, side, side)
        return enlarged(drawn.picture, "bicubic") + 2.0 * enlarged(drawn.taken) * fresh * (shown - coarse)

    def _cameras(self, motion: HeadMotion, free: FreeCamera, side: int) -> Cameras:
        """Of one frame, whose camera is in source pixels, for the square at ``side`` pixels."""
        placement = self._window.scaled(side).to_array()
        turn = None if free.orbit_yaw == free.orbit_pitch == 0.0 else free.rotation
        return cameras_of(motion, np.asarray(placement), turn, free.nearness, self._device)

    def _direction_controls(self) -> tuple[Control, ...]:
        """A slider for each direction of expression; none where expressions are read without."""
        encoder = self._network.expression
        if not isinstance(encoder, BasisScaling):
            return ()
        return tuple(
            Control(
                *(f"direction_{number}", f"Direction {number}", "amount", GROUP, -FARTHEST, FARTHEST, 0.0),
                "Added along one of the directions in which faces of many people move, in their deviations.",
            )
            for number in range(1, len(encoder.usual) + 1)
        )

    def _directions(self, state: ControlState | None) -> Floats:
        """``[1, n]`` what the sliders add, in deviations."""
        names = [control.name for control in self.controls if control.group == GROUP]
        place = {} if state is None else {name: i for i, name in enumerate(state.names)}
        values = [float(state.values[place[n]]) if state is not None and n in place else 0.0 for n in names]
        return np.array([values], np.float32)

    def _tensor(self, picture: np.ndarray) -> Tensor:
        values = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device).float()
        return values.permute(2, 0, 1)[None] / 127.5 - 1.0
