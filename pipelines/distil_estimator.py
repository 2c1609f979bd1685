"""Distil the tracker into a small differentiable estimator of one person, on that person's own clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.estimator_worth import EstimatorReport, Numbers, judge
from pipelines.pvp_settings import EstimatorSettings
from pipelines.training.loop import Batch, train
from pipelines.training.order import ShuffledOrder
from pipelines.training.randomness import randomness_kept
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.domain.camera import Floats, angles_from_rotation, rotation_from_angles
from studio.domain.motion import EXPRESSIONS, HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.networks.estimator import NUMBERS, EstimatorShape, HeadEstimator

FEWEST = 20
"""Training frames without which nothing can be learnt."""
LEAST_JAW, LEAST_ANGLE = 0.002, 1.0
"""Least deviations, radians and degrees, that the network's units of jaw and angles stand for: what never
moves is not blown up to unit size."""


@dataclass(frozen=True)
class Distilled:
    """The estimator, frozen, and what it is worth."""

    estimator: HeadEstimator
    """In evaluation mode, without gradients of its weights."""
    report: EstimatorReport
    """Measured on validation frames."""


def distil_estimator(
    images: npt.NDArray[np.uint8],
    motion: HeadMotion,
    train_frames: npt.NDArray[np.integer],
    validation_frames: npt.NDArray[np.integer],
    *,
    folder: Path,
    settings: EstimatorSettings | None = None,
    progress: Progress = silent,
    device: str | torch.device = "cpu",
) -> Distilled:
    """Learn to read a person's head parameters off aligned crops, from what the tracker said of them.

    Same inputs, settings and device give the same estimator; other people's random numbers stay untouched.

    Args:
        images: ``[T, S, S, 3]`` aligned crops, any S. They need not all be filmed: renderings with known
            parameters may be among those to learn from.
        motion: of the T crops, with angles as the crops show them: see :func:`angles_in_crop`.
        train_frames: which crops to learn from.
        validation_frames: which crops to judge by, whole stretches of time, in their order.
        folder: where the checkpoints go; a killed training continues there.
        settings: how.
        progress: told at every step.
        device: what to compute on.

    Raises:
        Interrupted: asked to stop.
        Problem: too few frames, or memory used up.
    """
    settings = settings or EstimatorSettings()
    learnt, judged = np.asarray(train_frames, np.int64), np.asarray(validation_frames, np.int64)
    if np.intersect1d(learnt, judged).size:
        raise ValueError("validation frames must not be learnt from")
    if len(images) != len(motion) or len(judged) == 0 or settings.size % 16:
        raise ValueError("crops and motion differ in length, no validation, or a size that is no 16-fold")
    if len(learnt) < FEWEST:
        raise Problem(
            f"Only {len(learnt)} good frames are there to learn this person's expressions from, at least "
            f"{FEWEST} are needed: film a longer clip."
        )
    labels = _labels(motion)
    mean, basis = _coordinates_of(labels[learnt], settings.kept)
    components = basis.shape[1] - 6
    pictures = _pictures(images, settings.size, progress).to(device)
    rotations = rotation_from_angles(motion.angles)
    weights = _weights(basis)
    to_coordinates = np.linalg.pinv(basis)

    with randomness_kept():
        torch.manual_seed(settings.seed)
        estimator = HeadEstimator(EstimatorShape(components, settings.size)).to(device)
        estimator.mean.copy_(torch.from_numpy(mean))
        estimator.basis.copy_(torch.from_numpy(basis))
        loss_weights = torch.from_numpy(weights).float().to(device)

        def step(batch: Batch) -> Tensor:
            chance = batch.random()
            seen, turns = _altered(pictures[torch.from_numpy(batch.indices).to(device)], settings, chance)
            wanted = labels[batch.indices].copy()
            wanted[:, -3:] = _angles_turned(rotations[batch.indices], turns)
            target = torch.from_numpy(((wanted - mean) @ to_coordinates.T).astype(np.float32)).to(device)
            return (loss_weights * (estimator.coordinates(seen) - target).square()).mean()

        train(
            modules={"estimator": estimator},
            optimisers=torch.optim.AdamW(estimator.parameters(), settings.learning_rate, weight_decay=1e-2),
            step=step,
            order=ShuffledOrder(learnt, settings.batch, settings.seed),
            settings=LoopSettings(
                steps=settings.steps,
                batch=settings.batch,
                schedule=Schedule(warmup=0.1, final=0.01),
                average_decay=0.99 if settings.steps >= 300 else 0.9,
                precision="float32",
                seed=settings.seed,
            ),
            folder=folder,
            what="learning to read this person's face",
            progress=progress,
        )
    estimator.freeze()
    read = _read(estimator, pictures[torch.from_numpy(judged).to(device)])
    report = judge(read, labels[judged], mean, components)
    estimator.trusted.copy_(torch.from_numpy(report.reliability))
    return Distilled(estimator, report)


def angles_in_crop(angles: Floats, crops: Floats) -> Floats:
    """Head angles as aligned crops show them: the whole head turned by the crop's own turn.

    The crop levels the eyes, so it takes most of the roll away; and because yaw and pitch say where the nose
    points on the picture, they change with it.

    Args:
        angles: ``[T, 3]`` yaw, pitch, roll in degrees in the source picture.
        crops: ``[T, 4]`` similarities from source pixels to the crop, as a TrackedSequence holds them.

    Returns:
        ``[T, 3]`` degrees.
    """
    return _angles_turned(rotation_from_angles(angles), np.rad2deg(crops[:, 1]))


def _angles_turned(rotations: Floats, turns: npt.NDArray[np.floating]) -> Floats:
    """Angles ``[T, 3]`` of heads ``[T, 3, 3]`` after the picture was turned clockwise by degrees ``[T]``."""
    about = np.zeros((len(turns), 3))
    about[:, 2] = turns
    return angles_from_rotation(rotation_from_angles(about) @ rotations)


def _labels(motion: HeadMotion) -> Numbers:
    """``[T, 56]`` in the estimator's order."""
    return np.concatenate([motion.expression, motion.jaw, motion.angles], 1).astype(np.float64)


def _coordinates_of(labels: Numbers, kept: float) -> tuple[Numbers, Numbers]:
    """Mean ``[56]`` and basis ``[56, K + 6]`` whose columns are one deviation each."""
    mean = labels.mean(0)
    expression = labels[:, :EXPRESSIONS] - mean[:EXPRESSIONS]
    _, sizes, axes = np.linalg.svd(expression, full_matrices=False)
    share = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-12)
    count = min(int((share < kept).sum()) + 1, len(sizes))
    deviations = np.maximum(sizes[:count] / np.sqrt(len(labels)), 1e-3)
    least = np.array([LEAST_JAW] * 3 + [LEAST_ANGLE] * 3)
    basis = np.zeros((NUMBERS, count + 6))
    basis[:EXPRESSIONS, :count] = axes[:count].T * deviations
    basis[EXPRESSIONS:, count:] = np.diag(np.maximum(labels[:, EXPRESSIONS:].std(0), least))
    return mean, basis


def _weights(basis: Numbers) -> Numbers:
    """Weight of each coordinate's squared error, ``[K + 6]``.

    Large components more than small ones, by their deviation (between whitened and plain errors); jaw axes by
    their variance, so that opening counts and the tracker's noise in the other two does not; angles alike.
    """
    deviations = np.linalg.norm(basis, axis=0)
    jaw = deviations[-6:-3] ** 2
    return np.concatenate([deviations[:-6] / deviations[:-6].mean(), 2.0 * jaw / jaw.max(), np.full(3, 2.0)])


def _pictures(images: npt.NDArray[np.uint8], size: int, progress: Progress = silent) -> Tensor:
    """``[T, 3, size, size]`` in -1..1."""
    if images.shape[1:3] != (size, size):
        small = np.empty((len(images), size, size, 3), np.uint8)
        for place, image in enumerate(images):
            progress(place, len(images), "shrinking crops for the estimator")
            cv2.resize(image, (size, size), dst=small[place], interpolation=cv2.INTER_AREA)
        images = small
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 127.5 - 1.0


def _altered(
    pictures: Tensor, settings: EstimatorSettings, chance: np.random.Generator
) -> tuple[Tensor, npt.NDArray[np.float64]]:
    """Crops ``[B, 3, S, S]`` shifted, scaled, turned, lit and blurred at random, and the degrees ``[B]`` by
    which they were turned clockwise."""
    count = len(pictures)

    def uniform(most: float, *shape: int) -> npt.NDArray[np.float64]:
        return chance.uniform(-most, most, shape)

    turns = uniform(settings.turn, count)
    size = np.exp(uniform(np.log1p(settings.scale), count))
    # Where an output pixel comes from: the way back, in coordinates that run from -1 to 1.
    c, s = np.cos(np.deg2rad(turns)) / size, np.sin(np.deg2rad(turns)) / size
    shift = uniform(2.0 * settings.shift, count, 2)
    back = np.stack([np.stack([c, s, shift[:, 0]], -1), np.stack([-s, c, shift[:, 1]], -1)], 1)

    def tensor(values: npt.NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(pictures.device)

    grid = F.affine_grid(tensor(back), list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    contrast = uniform(settings.light, count, 1, 1, 1) + uniform(settings.light / 3.0, count, 3, 1, 1)
    lit = moved * tensor(np.exp(contrast)) + tensor(uniform(settings.light, count, 1, 1, 1))
    # A third of them: renderings are softer than the film.
    softness = chance.uniform(0.0, 1.0, (count, 1, 1, 1)) * (chance.uniform(size=(count, 1, 1, 1)) < 1 / 3)
    soft = F.avg_pool2d(F.pad(lit, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.lerp(lit, soft, tensor(softness)), turns


def _read(estimator: HeadEstimator, pictures: Tensor) -> Numbers:
    """``[T, 56]`` read off crops ``[T, 3, S, S]``."""
    rows = []
    with torch.no_grad():
        for part in torch.split(pictures, 64):
            reading = estimator(part)
            rows.append(torch.cat([reading.expression, reading.jaw, reading.angles], 1).cpu().double())
    return torch.cat(rows).numpy()
