"""Wide pictures with their maps become a person's volumetric avatar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pipelines.cut_volume_material import VolumeMaterial
from pipelines.train_tri2plane import train_tri2plane
from pipelines.training.reporter import reporter_of
from pipelines.tri2plane_training_settings import Tri2PlaneSettings
from studio.assets import AssetLibrary
from studio.domain.progress import Progress, silent
from studio.engines.tri2plane.artefact import Tri2Parts
from studio.networks.perceptual import LpipsLoss, StructuralLoss, perceptual_loss
from studio.warping.parts import WarpParts


def build_tri2plane(
    material: VolumeMaterial,
    base: WarpParts,
    settings: Tri2PlaneSettings,
    assets: AssetLibrary,
    folder: Path,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Tri2Parts:
    """Train a volume on a clip's material; continues from ``folder``.

    Held-out frames are not in the material. Its validation frames are never learnt from; they choose which
    weights are kept.

    Raises:
        Problem: memory or disk used up, or files that were asked for are damaged.
        Interrupted: asked to stop; checkpoints are written.
    """
    report = reporter_of(progress)
    lpips = perceptual_loss(assets.find("lpips-vgg")).to(device)
    notes = []
    if isinstance(lpips, StructuralLoss):
        notes.append(
            f"LPIPS is off because {lpips.reason}: the volume learns from colours and gradients alone."
        )
    if not base.plate.still:
        notes.append(
            "The background of this clip moves: the avatar brings along what warping shows around it, "
            "and has no coverage to export."
        )
    for note in notes:
        report.say(note)
    trained = train_tri2plane(
        material,
        settings,
        folder / "volume",
        progress,
        device,
        lpips if isinstance(lpips, LpipsLoss) else None,
    )
    learnt = material.motion.angles[np.asarray(material.train)][:, [1, 0]]
    low, high = learnt.min(0), learnt.max(0)
    return Tri2Parts(
        base=base,
        network=trained.network.cpu().eval(),
        person=material.person,
        mean=trained.drive_mean,
        deviation=trained.drive_deviation,
        code=trained.code.cpu(),
        margin=material.margin,
        pose_range=((float(low[0]), float(low[1])), (float(high[0]), float(high[1]))),
        notes=tuple(notes),
        figures={"minutes": trained.loop.seconds / 60.0, "steps": trained.loop.steps, **trained.loop.best},
    )
