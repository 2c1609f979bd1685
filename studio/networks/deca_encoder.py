"""DECA's coarse encoder: FLAME coefficients of a face (Feng et al., Learning an Animatable Detailed 3D Face
Model from In-The-Wild Images, 2021).

Names and shapes of the state dict are those of ``E_flame`` in ``deca_model.tar``: a ResNet-50 and two linear
layers. Everything is differentiable, from the picture to the angles.

Signs of the pose. FLAME's head space is ours (x towards the subject's own left, y up, z out of the face),
DECA turns the head by ``R`` = exp(global axis-angle) in it, and puts a point at ``scale * (x + t_x, -(y +
t_y))`` in a picture whose y points down: that is the camera of :mod:`studio.domain.camera`. So ``R`` is
already the rotation there, and yaw, pitch and roll are read from it as by ``angles_from_rotation``, without a
change of sign. The nose points along ``R[:, 2]``: to the viewer's right where its x is positive (yaw > 0), up
where its y is (pitch > 0). PVP's code takes ``yaw = atan2(R[2, 0], R[2, 2])`` and ``pitch = atan2(R[2, 1],
R[2, 2])``, which are those of the inverse rotation: their signs are opposite to ours, and their
sizes are ours only without roll and where one of the two is zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.networks.estimator import NUMBERS, EstimatorReading

FACE = 224
"""Side of the picture that the encoder looks at."""
SPLIT = {"shape": 100, "texture": 50, "expression": 50, "pose": 6, "camera": 3, "light": 27}
"""Coefficients in the order in which they come; pose is the global axis-angle and then the jaw's."""
UNITS = (3, 4, 6, 3)
"""Units in each of ResNet-50's stages."""
USUAL_BOX = (0.5, 0.645, 0.745)
"""Centre x, y and side of DECA's crop in an FFHQ-type aligned one of side 1: that of the built-in head's mean
face looking ahead; seven clips of seven people had 0.48-0.52, 0.63-0.67 and 0.72-0.77."""
MARGIN = 1.1 * 1.25
"""Side of DECA's crop over the mean side of the box around the 68 landmarks."""


@dataclass(frozen=True)
class DecaConfig:
    """Shape of the encoder; the defaults are the published ones."""

    width: int = 64
    """Channels after the first convolution; the last stage has 32 times as many."""
    hidden: int = 1024
    """Numbers between the two linear layers."""


@dataclass(frozen=True)
class DecaReading:
    """What DECA says of B faces. Coefficients belong to the bases of FLAME 2020."""

    shape: Tensor
    """``[B, 100]`` identity, in standard deviations."""
    texture: Tensor
    """``[B, 50]`` albedo."""
    expression: Tensor
    """``[B, 50]``, in standard deviations."""
    pose: Tensor
    """``[B, 3]`` axis-angle of the whole head in the crop, radians."""
    jaw: Tensor
    """``[B, 3]`` axis-angle of the jaw, radians; x > 0 opens the mouth."""
    camera: Tensor
    """``[B, 3]`` scale and shift of DECA's orthographic camera."""
    light: Tensor
    """``[B, 9, 3]`` spherical harmonics."""

    @property
    def angles(self) -> Tensor:
        """``[B, 3]`` yaw, pitch, roll in degrees, signs as in :mod:`studio.domain.camera`. The roll is that
        in the crop, hence small in an aligned one."""
        return angles_from_rotation(rotation_from_axis_angle(self.pose))


class Bottleneck(nn.Module):
    """ResNet's unit of three convolutions; the stride is in the middle one."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs, h, w]`` to ``[B, 4 width, ⌈h / stride⌉, ⌈w / stride⌉]``."""
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """Pictures to ``32 width`` features (He et al. 2015), names as in torchvision."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for stage, count in enumerate(UNITS):
            units = []
            for step in range(count):
                units.append(Bottleneck(inputs, width << stage, 2 if stage and not step else 1))
                inputs = 4 * (width << stage)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*units))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, 3, h, w]`` to ``[B, 32 width]``."""
        x = F.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        for stage in range(len(UNITS)):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return x.mean((2, 3))


class DecaEncoder(nn.Module):
    """Faces to FLAME coefficients."""

    def __init__(self, config: DecaConfig | None = None) -> None:
        super().__init__()
        config = config or DecaConfig()
        self.config = config
        self.encoder = ResNet50(config.width)
        self.layers = nn.Sequential(
            nn.Linear(32 * config.width, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, sum(SPLIT.values())),
        )

    def forward(self, faces: Tensor) -> DecaReading:
        """Faces in DECA's own crop, ``[B, 3, 224, 224]`` in 0..1, RGB."""
        parts = self.layers(self.encoder(faces)).split(list(SPLIT.values()), 1)
        shape, texture, expression, pose, camera, light = parts
        return DecaReading(
            shape, texture, expression, pose[:, :3], pose[:, 3:], camera, light.reshape(-1, 9, 3)
        )

    def read_crops(self, crops: Tensor, boxes: Tensor | None = None) -> DecaReading:
        """Faces in FFHQ-type aligned crops ``[B, 3, R, R]`` in -1..1; ``boxes`` as for :func:`deca_face`."""
        reading: DecaReading = self(deca_face(crops, boxes))
        return reading


class DecaEstimator(nn.Module):
    """DECA as an :class:`~studio.networks.estimator.Estimator`: aligned crops in, a reading out.

    Its expression and jaw belong to FLAME 2020: compare readings with each other, not with the tracker's.
    """

    def __init__(self, encoder: DecaEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    @property
    def reliability(self) -> EstimatorReading:
        """All ones: every number is believed as it is."""
        return EstimatorReading.split(next(self.parameters()).new_ones(NUMBERS))

    def forward(self, images: Tensor) -> EstimatorReading:
        """Aligned crops ``[B, 3, R, R]`` in -1..1."""
        reading = self.encoder.read_crops(images)
        return EstimatorReading(reading.expression, reading.jaw, reading.angles)


def deca_face(crops: Tensor, boxes: Tensor | None = None) -> Tensor:
    """The face in aligned crops as DECA wants it.

    Args:
        crops: ``[B, 3, R, R]`` in -1..1.
        boxes: ``[B, 3]`` or ``[3]`` centre x, y and side, in sides of the crop (:func:`deca_boxes`); by
        default that
            of a usual face.

    Returns:
        ``[B, 3, 224, 224]`` in 0..1. Beyond the crop its border is repeated (usually 2 % below the chin).
        Larger crops are averaged, not skipped over.
    """
    batch, _, height, width = crops.shape
    if boxes is None:
        boxes = crops.new_tensor(USUAL_BOX)
    boxes = boxes.to(crops).reshape(-1, 3).expand(batch, 3)
    fine = max(1, math.ceil(float(boxes[:, 2].detach().max()) * max(height, width) / FACE))
    # DECA's box reaches from the centre of the first pixel to that of the last one.
    steps = (torch.arange(FACE * fine, device=crops.device, dtype=crops.dtype) + 0.5) / fine - 0.5
    steps = steps / (FACE - 1) - 0.5
    x, y = (boxes[:, axis, None] + boxes[:, 2, None] * steps for axis in (0, 1))
    count = len(steps)
    grid = torch.stack([x[:, None].expand(-1, count, -1), y[:, :, None].expand(-1, -1, count)], -1) * 2 - 1
    faces = F.grid_sample(crops, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(faces, fine) * 0.5 + 0.5


def deca_boxes(points: Tensor, side: float) -> Tensor:
    """Where DECA would crop faces with known landmarks.

    Args:
        points: ``[B, 68, 2]`` the 68 points in pixels of a picture.
        side: of that picture, in pixels.

    Returns:
        ``[B, 3]`` centre x, y and side over ``side``.
    """
    low, high = points.amin(1), points.amax(1)
    return torch.cat([(low + high) / 2, (high - low).mean(1, keepdim=True) * MARGIN], 1) / side


def rotation_from_axis_angle(turn: Tensor) -> Tensor:
    """Axis-angle ``[..., 3]`` in radians to rotation matrices ``[..., 3, 3]`` (Rodrigues), smooth at zero."""
    square = turn.square().sum(-1)[..., None, None]
    near = square < 1e-6
    angle = torch.where(near, torch.ones_like(square), square).sqrt()
    first = torch.where(near, 1 - square / 6, angle.sin() / angle)
    second = torch.where(near, 0.5 - square / 24, (1 - angle.cos()) / angle.square())
    x, y, z = turn.unbind(-1)
    zero = torch.zeros_like(x)
    across = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return torch.eye(3, dtype=turn.dtype, device=turn.device) + first * across + second * (across @ across)


def angles_from_rotation(rotation: Tensor) -> Tensor:
    """Rotation matrices ``[..., 3, 3]`` to yaw, pitch, roll in degrees ``[..., 3]``, differentiable.

    The same angles as :func:`studio.domain.camera.angles_from_rotation`.
    """
    yaw = torch.atan2(rotation[..., 0, 2], rotation[..., 2, 2])
    pitch = torch.asin(rotation[..., 1, 2].clamp(-1 + 1e-6, 1 - 1e-6))
    roll = -torch.atan2(rotation[..., 1, 0], rotation[..., 1, 1])
    return torch.rad2deg(torch.stack([yaw, pitch, roll], -1))
