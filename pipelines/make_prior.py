"""Give a person a prior: taught from scratch, or pretrained with the pivots inverted into it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.cut_material import Material
from pipelines.invert_pivots import encode_pivots, invert_pivots, visit_features
from pipelines.pvp_settings import PriorSettings
from pipelines.teach_painter import teach_painter
from pipelines.training.checkpoint import Torn, load_state, save_state
from pipelines.training.reporter import reporter_of
from studio.assets import AssetLibrary
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.engines.pvp.artefact import PriorKind, generator_from_plain, generator_to_plain
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.foreign import load_e4e, load_generator
from studio.networks.perceptual import perceptual_loss
from studio.networks.stylegan2 import MappingNetwork, StyleGan2Config

FFHQ = ("stylegan2-ffhq", "stylegan2-ffhq-rosinality")
"""Assets that hold FFHQ's StyleGAN2, the usual one first."""
GAIN = (
    "The prior was learnt from this clip alone. With StyleGAN2 weights trained on many faces (FFHQ), which "
    "you may own, it would know what faces look like beyond the clip and could be edited with words: build "
    "with --prior.kind pretrained."
)
"""What a pretrained prior would add."""


@dataclass(frozen=True)
class Prior:
    """A personal generator before tuning, and where its pivots are in its latent space."""

    kind: PriorKind
    """Where it comes from."""
    generator: nn.Module
    """A :class:`~studio.engines.pvp.prior.PersonalGenerator` in evaluation mode, on the CPU."""
    pivots: Tensor
    """``[N, num_ws, w_dim]`` latents of ``material.pivots``."""
    targets: Tensor | None
    """``[T, num_ws, w_dim]`` latents of all the material's frames, where they are known."""
    mapping: MappingNetwork | None
    """Of a pretrained prior: z to w."""
    shape: StyleGan2Config | None
    """Of a pretrained prior: its shape."""
    notes: tuple[str, ...] = ()
    """Sentences for the person who builds."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What was measured."""


def make_prior(
    material: Material,
    settings: PriorSettings,
    assets: AssetLibrary,
    folder: Path,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Prior:
    """Make the prior that the settings ask for, going on from ``folder`` where there is something.

    Raises:
        Problem: weights that were asked for are missing, or too few pivots.
        Interrupted: asked to stop.
    """
    if len(material.pivots) < 2:
        raise Problem("Fewer than two pivots are left to learn from: film a longer clip.")
    if settings.kind == "scratch":
        return _from_scratch(material, settings, folder, device, progress)
    return _pretrained(material, settings, assets, folder, device, progress)


def _from_scratch(
    material: Material, settings: PriorSettings, folder: Path, device: torch.device | str, progress: Progress
) -> Prior:
    reporter_of(progress).say(GAIN)
    taught = teach_painter(material, settings.painter, folder / "teach", progress, device)
    best = taught.loop.best
    figures: dict[str, Any] = {
        "taught_steps": taught.loop.steps,
        "taught_minutes": taught.loop.seconds / 60.0,
        "validation_warped_psnr": taught.warped["psnr"],
        "validation_painted_psnr": best.get("psnr"),
    }
    latents = taught.latents.cpu()
    pivots = latents[torch.from_numpy(np.asarray(material.pivots, np.int64))]
    return Prior("scratch", taught.painter.cpu(), pivots, latents, None, None, (GAIN,), figures)


def _pretrained(
    material: Material,
    settings: PriorSettings,
    assets: AssetLibrary,
    folder: Path,
    device: torch.device | str,
    progress: Progress,
) -> Prior:
    cache = assets.weights / "converted"
    source = Path(settings.weights).expanduser() if settings.weights else _owned(assets)
    generator, about = load_generator(source, cache)
    resolution = min(material.resolution, generator.config.resolution)
    if resolution != material.resolution:
        raise Problem(
            f"{source.name} draws {generator.config.resolution} pixels, fewer than the {material.resolution} "
            f"that were cut out: build with --material.resolution {generator.config.resolution}."
        )
    drawn = PretrainedGenerator(generator.synthesis, resolution).to(device).eval().requires_grad_(False)
    perceptual = perceptual_loss(assets.find("lpips-vgg"))
    notes = [f"The prior is {about.get('source', source.name)}.", perceptual.sentence]
    pictures = material.real[material.pivots]
    encoder_file = assets.find("e4e") if settings.encode else None
    if encoder_file is not None and generator.config.resolution == 1024:
        encoder, _ = load_e4e(encoder_file, cache)
        encoder.to(device)
        found = encode_pivots(drawn, encoder, pictures, perceptual.to(device), progress=progress)
        notes.append("Pivots were found by e4e.")
    else:
        if settings.encode:
            reason = assets.missing("e4e") or "e4e's latents belong to a generator of 1024 pixels"
            notes.append(
                f"Pivots were found by optimisation, in W and then in W+: {reason}.".replace("..", ".")
            )
        mapping = generator.mapping.to(device)

        def random_w(count: int, chance: torch.Generator) -> Tensor:
            z = torch.randn(count, generator.config.z_dim, generator=chance).to(device)
            with torch.no_grad():
                return mapping.w(z)

        motion = material.motion
        features = visit_features(motion.angles[material.pivots], motion.expression[material.pivots])
        found = invert_pivots(
            drawn,
            random_w,
            pictures,
            features,
            perceptual.to(device),
            settings.invert,
            folder / "invert",
            progress=progress,
        )
    for sentence in notes:
        reporter_of(progress).say(sentence)
    figures = {"inverted_error": float(np.mean(found.error)), "source": str(about.get("source", source.name))}
    return Prior(
        "pretrained",
        drawn.cpu(),
        found.latents.cpu(),
        None,
        generator.mapping.cpu(),
        generator.config,
        tuple(notes),
        figures,
    )


def _owned(assets: AssetLibrary) -> Path:
    """FFHQ's weights among the user's. Raises Problem with what to do."""
    for asset in FFHQ:
        if assets.find(asset) is not None:
            return assets.require(asset)
    raise Problem(assets.missing(FFHQ[0]) or "FFHQ's StyleGAN2 weights are missing.")


def save_prior(folder: Path, prior: Prior) -> None:
    """Write a prior into an existing folder. Raises Problem when the disk says no."""
    mapping = None
    if prior.mapping is not None and prior.shape is not None:
        mapping = {"weights": dict(prior.mapping.state_dict()), "config": asdict(prior.shape)}
    state = {
        "generator": generator_to_plain(prior.kind, prior.generator),
        "weights": dict(prior.generator.state_dict()),
        "pivots": prior.pivots,
        "targets": prior.targets,
        "mapping": mapping,
        "notes": list(prior.notes),
        "figures": prior.figures,
    }
    save_state(folder / "prior", state)


def load_prior(folder: Path) -> Prior:
    """Read what :func:`save_prior` wrote. Raises Problem."""
    try:
        state: Any = load_state(folder / "prior")
        kept = state["mapping"]
        mapping, shape = None, None
        if kept is not None:
            shape = StyleGan2Config(**kept["config"])
            mapping = MappingNetwork(shape)
            mapping.load_state_dict(kept["weights"])
            mapping.eval().requires_grad_(False)
        generator = generator_from_plain(state["generator"], state["weights"])
        return Prior(
            kind=state["generator"]["kind"],
            generator=generator,
            pivots=state["pivots"],
            targets=state["targets"],
            mapping=mapping,
            shape=shape,
            notes=tuple(state["notes"]),
            figures=dict(state["figures"]),
        )
    except (Torn, KeyError, TypeError, RuntimeError, ValueError) as error:
        # torch names every tensor that does not fit, each on a line of its own.
        fault = str(error).partition("\n")[0].rstrip(" :")
        raise Problem(f"The prior is damaged ({fault}); remove {folder} and build again.") from error
