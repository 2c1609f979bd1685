"""From what was tracked to what an Export3D network is told: expressions, cameras, the source's surface.

Of a driver it is told their motion alone. The surface is the source's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.engines.export3d.expression_numbers import expression_numbers
from studio.engines.export3d.settings import EXPRESSIONS, JAW
from studio.head import HeadModel
from studio.head.topology import topology
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.rays import Cameras


@dataclass(frozen=True)
class Frames:
    """T driving frames."""

    expression: Tensor
    """``[T, 57]``, see :func:`~studio.engines.export3d.expression_numbers.expression_numbers`."""
    cameras: Cameras
    """T of them, of the whole picture in its own pixels, parallel rays."""

    def __len__(self) -> int:
        return len(self.expression)


def frames_of(
    motion: HeadMotion, model: HeadModel, scale: float = 1.0, device: torch.device | str = "cpu"
) -> Frames:
    """What a motion tells the network.

    Args:
        motion: T frames, their camera in pixels of a square picture.
        model: the head model that the motion is of.
        scale: how many pixels of the network's pictures one of the motion's is.
        device: where tensors go.
    """
    return Frames(
        torch.from_numpy(expression_numbers(motion, model)).to(device),
        cameras_of(motion, np.array([scale, 0.0, 0.0, 0.0]), device=device),
    )


def mirrored_expression(numbers: Floats, model: HeadModel) -> Floats:
    """Numbers ``[..., 57]`` of the same face in a mirror.

    The mirror image of an expression is an expression again, because the head model was learned from faces
    and their mirror images; which one is found by least squares over the basis.
    """
    out = numbers.copy()
    out[..., :EXPRESSIONS] = numbers[..., :EXPRESSIONS] @ _mirror(model)
    # Axis and angle in a mirror: turns about the axis that points at the mirror stay, the others change sign.
    out[..., EXPRESSIONS + 1 : EXPRESSIONS + JAW] *= -1.0
    lids = EXPRESSIONS + JAW
    out[..., lids : lids + 2] = out[..., lids : lids + 2][..., ::-1]
    out[..., lids + 2] *= -1.0  # gaze yaw
    return np.asarray(out, np.float32)


def cameras_at(cameras: Cameras, rows: Tensor | npt.NDArray[np.integer] | list[int]) -> Cameras:
    """Some of B cameras, in any order."""
    chosen = torch.as_tensor(rows, device=cameras.rotation.device)
    return Cameras(
        cameras.rotation[chosen],
        cameras.to_plane[chosen],
        cameras.nearness[chosen],
        cameras.eye[chosen],
        None if cameras.orbit is None else cameras.orbit[chosen],
    )


@cache
def _mirror(model: HeadModel) -> Floats:
    """``[50, 50]`` expression numbers to mirrored ones."""
    basis = model.expression_basis * model.expression_deviation[:, None, None]
    seen = basis[:, topology().mirror] * np.array([-1.0, 1.0, 1.0], np.float32)
    flat = basis.reshape(len(basis), -1).astype(np.float64)
    solved = np.linalg.lstsq(flat.T, seen.reshape(len(seen), -1).T.astype(np.float64), rcond=None)[0]
    return np.asarray(solved.T, np.float32)
