"""A camera that goes around the head: six controls that any volumetric avatar may have, and what they mean.

All six say where the camera goes, so the head seems to go the other way. Camera space below is the tracked
camera's: metres from the head's origin, x to the viewer's right, y up, z towards the viewer; the head's plane
is z = 0. The free camera adds this to the head's rotation R and to the tracked camera (scale, cx, cy):

* orbit: the camera stands where a nose of this yaw and pitch would point, and keeps upright. A point p of
  head space is at ``rotation @ R @ p``;
* dolly and pan: the picture grows about the head's origin and shifts against the pan. Scale becomes
  ``scale * dolly``, and the origin goes to ``(cx, cy) + scale * dolly * (-pan_x, pan_y)``;
* lens: the eye stands ``1 / nearness`` metres before the head's origin. A pixel at (u, v) metres of the
  head's plane shows what is on the line from the eye (0, 0, 1 / nearness) through (u, v, 0). What lies in
  that plane thus keeps its place whatever the lens. Coming nearer by a factor makes the nearness as many
  times larger, as a real camera does; with parallel rays (lens 0) the dolly is a zoom and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity, angles_from_rotation, rotation_from_angles
from studio.domain.controls import Control, ControlState
from studio.domain.motion import HeadMotion

GROUP = "Camera"
"""Heading of the camera's controls."""
CLOSEST = 2.0
"""Nearness, 1/metres, of lens 1 before any dolly: an eye half a metre from the head's origin."""


@dataclass(frozen=True)
class FreeCamera:
    """Where the camera has gone. The default is where the clip was filmed from."""

    orbit_yaw: float = 0.0
    """Degrees around the head, positive to the viewer's right: the nose is seen turning to the left."""
    orbit_pitch: float = 0.0
    """Degrees over the head, positive upwards: the nose is seen dropping."""
    dolly: float = 1.0
    """How many times nearer, greater than zero."""
    pan_x: float = 0.0
    """Metres to the viewer's right, in the head's plane."""
    pan_y: float = 0.0
    """Metres upwards, in the head's plane."""
    lens: float = 0.0
    """0 for parallel rays, as tracked, to 1 for a near, wide lens."""

    @staticmethod
    def from_state(state: ControlState) -> FreeCamera:
        """What a state says; what it does not name stands still."""
        said = {
            name: value for name, value in zip(state.names, state.values.tolist()) if name in CAMERA_NAMES
        }
        return FreeCamera(**said)

    @staticmethod
    def neutral() -> FreeCamera:
        """Where the clip was filmed from."""
        return FreeCamera()

    @property
    def is_neutral(self) -> bool:
        """Whether the picture is the tracked camera's."""
        return self == FreeCamera()

    @property
    def rotation(self) -> Floats:
        """``[3, 3]`` from the tracked camera's space to this one's: put before the head's rotation."""
        return rotation_from_angles(np.array([self.orbit_yaw, self.orbit_pitch, 0.0])).T

    @property
    def nearness(self) -> float:
        """One over the eye's distance from the head's origin, 1/metres; 0 for parallel rays."""
        return CLOSEST * self.lens * self.dolly

    def placed(self, camera: npt.NDArray[np.floating]) -> Floats:
        """The tracked camera ``[..., 3]`` (scale in pixels per metre, cx, cy) after dolly and pan."""
        scale, cx, cy = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
        larger = scale * self.dolly
        moved = [larger, cx - larger * self.pan_x, cy + larger * self.pan_y]
        return np.stack(moved, -1).astype(np.float32)

    def similarity(self, camera: npt.NDArray[np.floating]) -> Similarity:
        """What dolly and pan do to the picture of a tracked camera ``[3]``: source pixels to source pixels.

        It is the whole truth for the head's plane, and for everything when ``nearness`` is 0.
        """
        cx, cy = (float(v) for v in camera[1:])
        _, x, y = (float(v) for v in self.placed(camera))
        return Similarity(self.dolly, 0.0, x - self.dolly * cx, y - self.dolly * cy)

    def line_at(self, plane: npt.NDArray[np.floating], height: npt.ArrayLike) -> Floats:
        """Points of the rays through the head's plane.

        Args:
            plane: ``[..., 2]`` where a ray pierces the head's plane: (u, v) in metres.
            height: ``[...]`` metres before that plane (negative behind it); at ``1 / nearness`` is the eye.

        Returns:
            ``[..., 3]`` the rays' points there, in camera space.
        """
        z = np.asarray(height, np.float64)[..., None]
        sideways = np.asarray(plane, np.float64) * (1.0 - self.nearness * z)
        return np.concatenate([sideways, np.broadcast_to(z, (*sideways.shape[:-1], 1))], -1).astype(
            np.float32
        )

    def on_plane(self, points: npt.NDArray[np.floating]) -> Floats:
        """Where points ``[..., 3]`` of camera space are seen: ``[..., 2]`` metres in the head's plane.

        Raises ValueError for a point that is not before the eye.
        """
        places = np.asarray(points, np.float64)
        room = 1.0 - self.nearness * places[..., 2:]
        if (room <= 0).any():
            raise ValueError("a point beside or behind the eye is not seen anywhere")
        return (places[..., :2] / room).astype(np.float32)


CAMERA_NAMES = tuple(field.name for field in fields(FreeCamera))
"""The camera's controls, in column order."""


def camera_controls() -> tuple[Control, ...]:
    """The camera's controls in CAMERA_NAMES' order, for the end of a volumetric avatar's sheet."""
    return (
        Control(
            *("orbit_yaw", "Camera around", "angle", GROUP, -60.0, 60.0, 0.0),
            "Degrees around the head; positive goes to the viewer's right.",
        ),
        Control(
            *("orbit_pitch", "Camera over", "angle", GROUP, -40.0, 40.0, 0.0),
            "Degrees over the head; negative looks from below.",
        ),
        Control(
            *("dolly", "Camera nearer", "amount", GROUP, 0.5, 2.0, 1.0),
            "How many times nearer the camera is than at rest.",
        ),
        Control(
            *("pan_x", "Camera sideways", "length", GROUP, -0.2, 0.2, 0.0),
            "Metres to the viewer's right; the head is seen further left.",
        ),
        Control(
            *("pan_y", "Camera up", "length", GROUP, -0.2, 0.2, 0.0),
            "Metres upwards; the head is seen further down.",
        ),
        Control(
            *("lens", "Camera lens", "amount", GROUP, 0.0, 1.0, 0.0),
            "0 is flat as from far away, 1 deep as from half a metre; the head keeps its size.",
        ),
    )


def orbited(motion: HeadMotion, free: FreeCamera) -> HeadMotion:
    """The motion whose head is turned as a free camera sees it, which has gone around a still one."""
    if free.orbit_yaw == 0.0 and free.orbit_pitch == 0.0:
        return motion
    turned = free.rotation.astype(np.float64) @ rotation_from_angles(motion.angles)
    return replace(motion, angles=angles_from_rotation(turned))
