"""A prior becomes a person's avatar: pivotal tuning, the distilled estimator, the mappers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipelines.cut_material import Material
from pipelines.distil_estimator import angles_in_crop, distil_estimator
from pipelines.make_prior import Prior
from pipelines.mapper_losses import GuideSource, MapperBatch, Perturbed
from pipelines.pvp_settings import PvpSettings
from pipelines.train_mapper import train_mapper
from pipelines.training.reporter import Repeating, reporter_of
from pipelines.tune_generator import MappedAnchors, PivotPictures, as_pictures, tune_generator
from studio.assets import AssetLibrary
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.progress import Progress, silent
from studio.domain.rendering import RenderRequest
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.mappers import Mappers, mapper_inputs
from studio.engines.pvp.painter import Painter
from studio.networks.estimator import Estimator
from studio.networks.foreign import load_ir_se50
from studio.networks.perceptual import perceptual_loss
from studio.warping.parts import WarpParts
from studio.warping.warper import Warper

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of a painter's correction that are tried on validation frames."""


def build_pvp(
    material: Material,
    prior: Prior,
    base: WarpParts,
    settings: PvpSettings,
    assets: AssetLibrary,
    folder: Path,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> PvpParts:
    """Tune the prior to the pivots and train the mappers; continues from ``folder``.

    Held-out frames are not in the material. Its validation frames are never learnt from; they choose how long
    the generator is tuned, which mappers are kept, and how much of a painter's correction is
    shown.

    Raises:
        Problem: memory or disk used up, or files that were asked for are damaged.
        Interrupted: asked to stop; checkpoints are written.
    """
    report = reporter_of(progress)
    perceptual = perceptual_loss(assets.find("lpips-vgg")).to(device)
    notes = list(prior.notes)
    if perceptual.sentence not in notes:
        notes.append(perceptual.sentence)
        report.say(perceptual.sentence)
    figures: dict[str, Any] = {"prior": prior.figures}
    angles = angles_in_crop(material.motion.angles, material.crops)

    generator = copy.deepcopy(prior.generator).to(device)
    pivots = prior.pivots.to(device)
    figures["tune"] = _tune(
        generator, prior, pivots, material, perceptual, settings, folder, device, progress
    )

    distilled = distil_estimator(
        np.asarray(material.real),
        HeadMotion(**{**vars(material.motion), "angles": angles}),
        material.train,
        material.validation,
        folder=folder / "estimator",
        settings=settings.estimator,
        progress=progress,
        device=device,
    )
    notes.append(distilled.report.sentence)
    report.say(distilled.report.sentence)
    estimator: Estimator = distilled.estimator

    identity = None
    arcface = assets.find("identity-arcface")
    if arcface is not None:
        network, _ = load_ir_se50(arcface, assets.weights / "converted")
        identity = network.to(device).identity_embedding
    trained = train_mapper(
        generator,
        pivots,
        material,
        settings.mapper,
        folder / "mapper",
        perceptual=perceptual,
        estimator=estimator,
        identity=identity,
        targets=prior.targets,
        guides=_guides(base, material, device) if isinstance(generator, Painter) else None,
        angles=angles,
        progress=progress,
    )
    notes.extend(trained.off)
    figures["mapper"] = {
        "minutes": trained.loop.seconds / 60.0,
        "steps": trained.loop.steps,
        **trained.loop.best,
    }

    strength = 1.0
    if isinstance(generator, Painter):
        strength, tried = _strength(generator, trained.mappers, material, settings, device, progress)
        figures["strengths"] = tried
        if strength < 1.0:
            notes.append(
                f"On validation frames {strength:.0%} of what the painter corrects shows the person best."
                if strength
                else "On validation frames nothing that the painter corrects is better than warping: this "
                "avatar shows what the instant one shows."
            )
            report.say(notes[-1])
    learnt = material.motion.angles[np.asarray(material.train)][:, [1, 0]]
    low, high = learnt.min(0), learnt.max(0)
    return PvpParts(
        base=base,
        kind=prior.kind,
        generator=generator.cpu().eval(),
        mappers=trained.mappers.cpu().eval(),
        pose_range=((float(low[0]), float(low[1])), (float(high[0]), float(high[1]))),
        strength=strength,
        notes=tuple(notes),
        figures=figures,
    )


def _tune(
    generator: torch.nn.Module,
    prior: Prior,
    pivots: Tensor,
    material: Material,
    perceptual: torch.nn.Module,
    settings: PvpSettings,
    folder: Path,
    device: torch.device | str,
    progress: Progress,
) -> dict[str, Any]:
    """Pivotal tuning of ``generator`` in place.

    Of all steps, what shows validation frames best is kept, where the prior knows their latents: from
    scratch. A pretrained one knows its pivots' only, and keeps the last step.
    """
    places = np.asarray(material.pivots)
    painted = isinstance(generator, Painter)
    pictures = PivotPictures(
        latents=pivots,
        real=material.real[places],
        guide=material.guide[places] if painted else None,
        person=material.mask[places],
    )
    anchors = None
    if prior.mapping is not None and prior.shape is not None:
        mapping = prior.mapping.to(device)
        anchors = MappedAnchors(mapping, prior.shape.z_dim, device=device)
    generator.requires_grad_(True)
    known = prior.targets is not None and len(material.validation) > 0
    report_to = Repeating(progress, "tuning the generator")

    def validate() -> dict[str, float]:
        decibels = _shown(generator, prior, material, device, lambda *_: report_to.again())
        return {"loss": -decibels, "psnr": decibels}

    before = _shown(generator, prior, material, device, progress) if known else None
    tuned = tune_generator(
        generator,
        pictures,
        perceptual,
        settings.tune,
        folder / "tune",
        anchors=anchors,
        validate=validate if known else None,
        progress=report_to,
    )
    generator.eval().requires_grad_(False)
    figures: dict[str, Any] = {
        "steps": tuned.loop.steps,
        "minutes": tuned.loop.seconds / 60.0,
        "before": float(tuned.before.mean()),
        "after": float(tuned.after.mean()),
        "below_threshold": int((tuned.after < settings.tune.threshold).sum()),
        "pivots": len(places),
    }
    if before is not None:
        after = _shown(generator, prior, material, device, progress)
        figures |= {"validation_before": before, "validation_after": after, "best_step": tuned.loop.best_step}
        if not tuned.loop.best_step:
            reporter_of(progress).say(
                "Tuning to the pivots only made validation frames worse, so the generator is left as it was."
            )
    return figures


def _shown(
    generator: torch.nn.Module,
    prior: Prior,
    material: Material,
    device: torch.device | str,
    progress: Progress,
) -> float:
    """PSNR of validation frames at the prior's own latents, dB."""
    assert prior.targets is not None
    found: list[float] = []
    places = np.asarray(material.validation)
    with torch.no_grad():
        for place in places:
            progress(len(found), len(places), "judging the generator")
            real, guide, inside = _frame(material, int(place), device)
            shown = generator(prior.targets[int(place)][None].to(device), guide).clamp(-1, 1)
            found.append(_decibels(shown, real, inside))
    return float(np.mean(found))


def _strength(
    painter: Painter,
    mappers: Mappers,
    material: Material,
    settings: PvpSettings,
    device: torch.device | str,
    progress: Progress,
) -> tuple[float, Mapping[str, float]]:
    """The share of the correction with the highest mean PSNR on validation frames, and the PSNR of each."""
    painter.eval()
    sums = np.zeros(len(STRENGTHS))
    pose, face = mapper_inputs(material.motion, settings.mapper.eyes)
    places = np.asarray(material.validation)
    with torch.no_grad():
        for number, place in enumerate(places):
            progress(number, len(places), "choosing how much of the painting to show")
            real, guide, inside = _frame(material, int(place), device)
            some = slice(int(place), int(place) + 1)
            ws = mappers.ws(_tensor(pose[some], device), _tensor(face[some], device))
            colour, flow = painter.correction(ws, guide)
            for column, share in enumerate(STRENGTHS):
                shown = painter.corrected(guide, share * colour, share * flow).clamp(-1, 1)
                sums[column] += _decibels(shown, real, inside) / len(places)
    return STRENGTHS[int(sums.argmax())], {f"{s:g}": float(v) for s, v in zip(STRENGTHS, sums, strict=True)}


def _guides(base: WarpParts, material: Material, device: torch.device | str) -> GuideSource:
    """Warped renderings of training moments with other faces, for the mappers' second rendering."""
    warper = Warper(base)
    motion, side = material.motion, material.resolution

    def render(batch: MapperBatch, asked: Perturbed) -> Tensor:
        assert batch.indices is not None
        jaw, expression = (x.detach().cpu().numpy().astype(np.float32) for x in (asked.jaw, asked.expression))
        pictures: list[npt.NDArray[np.uint8]] = []
        for row, place in enumerate(batch.indices.tolist()):
            one = motion.take(slice(place, place + 1))
            one = HeadMotion(**{**vars(one), "jaw": jaw[row][None], "expression": expression[row][None]})
            track = track_from_motion(one, warper.mesh.rest_camera, Fraction(1))
            view = View(Similarity.from_array(material.crops[place]).scaled(side), side, side)
            pictures.append(
                warper.render(RenderRequest(ControlState(track.names, track.values[0]), view)).image
            )
        return as_pictures(np.stack(pictures), device)

    return render


def _frame(material: Material, place: int, device: torch.device | str) -> tuple[Tensor, Tensor, Tensor]:
    """Frame and guide ``[1, 3, R, R]``, and where the camera saw anything ``[1, 1, R, R]``."""
    some = slice(place, place + 1)
    # Copies: torch warns of memory that it may not write to, and the material's files are such.
    inside = torch.from_numpy(np.array(material.inside[some])).to(device)[:, None].float() / 255.0
    real, guide = (as_pictures(np.array(x[some]), device) for x in (material.real, material.guide))
    return real, guide, inside


def _decibels(shown: Tensor, real: Tensor, inside: Tensor) -> float:
    """PSNR of pictures in -1..1, where the camera saw anything."""
    return float(10 * np.log10(4.0 / max(float(((shown - real).square() * inside).mean()), 1e-9)))


def _tensor(values: npt.NDArray[np.float32], device: torch.device | str) -> Tensor:
    return torch.from_numpy(values).to(device)
