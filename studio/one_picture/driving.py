"""What networks of volumes are told of a driver: expressions and cameras, and not who it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.domain.motion import HeadMotion
from studio.head import HeadModel
from studio.head.expression_numbers import expression_numbers
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.rays import Cameras


@dataclass(frozen=True)
class Frames:
    """T driving frames."""

    expression: Tensor
    """``[T, 57]``, see :func:`~studio.head.expression_numbers.expression_numbers`."""
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
