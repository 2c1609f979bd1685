"""Train a Tri²-plane avatar: passes over the whole window, a quarter and a sixteenth, then the upsampler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.cut_volume_material import VolumeMaterial
from pipelines.training.loop import Batch, TrainReport, train
from pipelines.training.order import Indices, ShuffledOrder
from pipelines.training.randomness import randomness_kept
from pipelines.training.reporter import Repeating
from pipelines.tri2plane_training_settings import Tri2PlaneSettings
from studio.domain.camera import rotation_from_angles
from studio.domain.progress import Progress, silent
from studio.engines.tri2plane.artefact import Tri2Parts
from studio.engines.tri2plane.generator import enlarged
from studio.engines.tri2plane.moments import drive_of, standardised
from studio.engines.tri2plane.network import Moment, Tri2Network
from studio.networks.picture_losses import edges, weighted
from studio.networks.volume.rays import Cameras, pixel_centres
from studio.networks.volume.sliding_window import Windows, drawn_windows

LIVELY = 0.05
"""Deviation of a driving number that is added to the clip's own: what hardly moves must not be blown up."""
Perceptual = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Trained:
    """What training gave."""

    network: Tri2Network
    """With the best weights, in evaluation mode."""
    drive_mean: Tensor
    """``[57]`` of the training frames."""
    drive_deviation: Tensor
    """``[57]`` likewise."""
    code: Tensor
    """``[code]`` mean latent code of the training frames."""
    loop: TrainReport
    """Curves."""


def train_tri2plane(
    material: VolumeMaterial,
    settings: Tri2PlaneSettings,
    folder: Path,
    progress: Progress = silent,
    device: torch.device | str = "cpu",
    perceptual: Perceptual | None = None,
    start: Tri2Parts | None = None,
    what: str = "training the volume",
) -> Trained:
    """Train on a clip's material.

    Args:
        material: wide pictures with their maps; only ``material.train`` is learnt from, and only
            ``material.validation`` decides which weights are kept.
        settings: see :class:`Tri2PlaneSettings`; the shape's resolution times its upscale is the material's.
        folder: for checkpoints.
        progress: told at every step.
        device: what to compute on.
        perceptual: LPIPS on ``[B, 3, H, W]`` in -1..1 to ``[B]``, where it can be had.
        start: an avatar to go on from, left as it is; all frames have its code, which is not trained.
        what: what a person reads.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: memory or disk used up.
        ValueError: shape and material do not fit.
    """
    report_to = Repeating(progress, what)
    teaching = _Teaching(material, settings, device, report_to.again, perceptual, start)
    network, codes = teaching.network, teaching.codes
    standing = {id(p) for p in network.generator.standing}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in network.parameters() if id(p) not in standing]},
    ]
    if start is None:
        groups.append({"params": list(codes.parameters())})
    if standing:
        groups.append({"params": list(network.generator.standing), "lr": settings.standing_rate})
    optimiser = torch.optim.Adam(groups, settings.learning_rate, betas=(0.9, 0.99))
    report = train(
        modules={"network": network, "codes": codes},
        optimisers=optimiser,
        step=teaching.step,
        order=ShuffledOrder(np.asarray(material.train, np.int64), settings.loop.batch, settings.loop.seed),
        settings=settings.loop,
        folder=folder,
        what=what,
        progress=report_to,
        validate=teaching.judge if len(material.validation) else None,
        preview=teaching.sheet if start is None else None,
    )
    return Trained(network.eval(), teaching.mean, teaching.deviation, teaching.mean_code().clone(), report)


class _Teaching:
    def __init__(
        self,
        material: VolumeMaterial,
        settings: Tri2PlaneSettings,
        device: torch.device | str,
        alive: Callable[[], None],
        perceptual: Perceptual | None,
        start: Tri2Parts | None = None,
    ) -> None:
        """``alive`` is called between the pictures of a judgement and may raise Interrupted."""
        shape = settings.shape
        if shape.resolution * shape.upscale != material.resolution:
            raise ValueError(
                f"rays for {shape.resolution * shape.upscale} pixels, pictures of {material.resolution}"
            )
        self.material, self.settings, self.device = material, settings, torch.device(device)
        self.alive, self.perceptual = alive, perceptual
        self.side, self.wide = material.resolution, material.real.shape[1]
        with randomness_kept():
            torch.manual_seed(settings.loop.seed)
            self.network = Tri2Network(shape, material.person).to(self.device)
            self.codes = nn.Embedding(len(material.frames), shape.code).to(self.device)
        nn.init.zeros_(self.codes.weight)
        drive = drive_of(material.motion)
        learnt = drive[np.asarray(material.train)]
        self.mean = torch.from_numpy(learnt.mean(0))
        self.deviation = torch.from_numpy(learnt.std(0) + LIVELY)
        if start is not None:
            self.network.load_state_dict(start.network.state_dict())
            self.codes.weight.requires_grad_(False)[:] = start.code.to(self.device)
            self.mean, self.deviation = start.mean, start.deviation
        standard = standardised(drive, self.mean.numpy(), self.deviation.numpy())
        self.drive = torch.from_numpy(standard).to(self.device)
        self.rotation = torch.from_numpy(rotation_from_angles(material.motion.angles)).to(self.device)
        self.to_plane = torch.from_numpy(material.to_plane.astype(np.float32)).to(self.device)
        self.body = torch.from_numpy(material.body).to(self.device)

    # One step

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """A step's losses."""
        settings, chance = self.settings, batch.generator(self.device)
        places, dice = batch.indices, batch.random()
        moment = self.moment(places, self._codes(places, dice))
        cameras, target = self._windowed(
            places, settings.window_share, torch.Generator().manual_seed(batch.seed)
        )
        pyramid = self.network.planes(moment)
        terms: dict[str, Tensor] = {}
        loss = torch.zeros((), device=self.device)
        mask = torch.zeros((), device=self.device)
        for level in range(settings.shape.levels):
            part = _part(self.side, self.side / 2**level, dice)
            seen, cover = self._pass(pyramid[: level + 1], moment, cameras, part, chance)
            wanted, covered, behind, inside = target.part(part, settings.shape.plane)
            error = seen[:, :3] + (1.0 - cover) * behind - wanted
            term = weighted(error.abs() + error.square(), inside)
            mask = mask + weighted((cover - covered).square(), inside) / settings.shape.levels
            loss = loss + (settings.middle_weight if level else settings.coarse_weight) * term
            terms[f"level_{level}"] = term
        terms["mask"] = mask
        moved = sum((p - s).square().mean() for p, s in self._beyond_standing(pyramid))
        codes = self.codes(torch.from_numpy(places).to(self.device))
        loss = loss + settings.mask_weight * mask + settings.movement * moved
        if settings.shape.code:
            loss = loss + settings.code_weight * codes.square().mean()
        if batch.share >= settings.upsampler_from:
            term = self._upsampled(pyramid, moment, cameras, target, chance, dice)
            loss = loss + settings.picture_weight * term
            terms["picture"] = term
        return {"loss": loss, **terms}

    def _pass(
        self,
        pyramid: list[Tensor],
        moment: Moment,
        cameras: Cameras,
        part: tuple[float, float, float],
        chance: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Rays over a square of the window: features ``[B, F, n, n]`` and coverage ``[B, 1, n, n]``."""
        count = self.settings.shape.plane
        left, top, side = part
        pixels = pixel_centres(left, top, side, side, count, count, self.device)
        seen = self.network.look(pyramid, moment, cameras, pixels, chance)
        batch = len(seen.alpha)
        return seen.values.mT.reshape(batch, -1, count, count), seen.alpha.view(batch, 1, count, count)

    def _tiled(
        self,
        pyramid: list[Tensor],
        moment: Moment,
        cameras: Cameras,
        corner: tuple[float, float],
        tiles: int,
        chance: torch.Generator | None = None,
        learning: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """A square of tiles from ``corner`` on, as :meth:`_pass` gives one; of them only number ``learning``
        keeps its gradients, where that is said."""
        tile, wanted = self.side / self.settings.shape.tiles, torch.is_grad_enabled()
        rows = []
        for row in range(tiles):
            line = []
            for column in range(tiles):
                part = (corner[0] + column * tile, corner[1] + row * tile, tile)
                with torch.set_grad_enabled(wanted and learning in (None, row * tiles + column)):
                    line.append(torch.cat(self._pass(pyramid, moment, cameras, part, chance), 1))
            rows.append(torch.cat(line, 3))
        whole = torch.cat(rows, 2)
        return whole[:, :-1], whole[:, -1:]

    def _upsampled(
        self,
        pyramid: list[Tensor],
        moment: Moment,
        cameras: Cameras,
        target: _Target,
        chance: torch.Generator,
        dice: np.random.Generator,
    ) -> Tensor:
        """The picture's loss over some tiles, of which one keeps its gradients (section 3.2)."""
        settings = self.settings
        shape = settings.shape
        tiles = min(settings.upsampler_tiles, shape.tiles)
        tile = self.side / shape.tiles
        first = dice.integers(0, shape.tiles - tiles + 1, 2)
        left, top = (float(x) * tile for x in first)
        kept = int(dice.integers(tiles * tiles))
        seen, cover = self._tiled(pyramid, moment, cameras, (left, top), tiles, chance, kept)
        wanted, _, behind, inside = target.part(
            (left, top, tiles * tile), tiles * shape.plane * shape.upscale
        )
        shown, _ = self.network.picture(seen, cover, behind)
        error = shown - wanted
        loss = weighted(error.abs() + error.square(), inside) + settings.edges * edges(error, inside)
        if self.perceptual is not None and settings.perceptual_weight > 0:
            known = [2.0 * x * inside - 1.0 for x in (shown, wanted)]
            loss = loss + settings.perceptual_weight * self.perceptual(*known).mean()
        return loss

    def _beyond_standing(self, pyramid: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Each level's tri-plane beside what it would be without any expression."""
        pairs: list[tuple[Tensor, Tensor]] = []
        before: Tensor | None = None
        for planes, standing in zip(pyramid, self.network.generator.standing):
            alone = standing if before is None else standing + enlarged(before)
            pairs.append((planes, alone))
            before = alone
        return pairs

    def _codes(self, places: Indices, dice: np.random.Generator) -> Tensor:
        own = self.codes(torch.from_numpy(places).to(self.device))
        dropped = torch.from_numpy(dice.random(len(places)) < self.settings.code_dropped).to(self.device)
        return torch.where(dropped[:, None], self.mean_code(), own)

    def _windowed(
        self, places: Indices, share: float, chance: torch.Generator | None = None
    ) -> tuple[Cameras, _Target]:
        """Cameras and pictures of windows that walk up to ``share`` of their side."""
        size = (self.wide, self.wide)
        windows = drawn_windows(len(places), size, self.side, share, chance)
        cameras = windows.cameras(self.cameras(places), self.settings.window_follows)
        return cameras, _Target(self.material, places, windows, self.device)

    # What it is told

    def mean_code(self) -> Tensor:
        """``[code]`` what moments without a code of their own have."""
        learnt = torch.from_numpy(np.asarray(self.material.train, np.int64)).to(self.device)
        return self.codes.weight.detach()[learnt].mean(0)

    def moment(self, places: Indices, code: Tensor) -> Moment:
        """Moments of some places."""
        material = self.material
        maps = (np.asarray(x[places], np.float32) for x in (material.motion_map, material.displacement))
        motion_map, displacement = (torch.from_numpy(x).to(self.device) for x in maps)
        return Moment(motion_map, displacement, self.drive[places], self.body[places], code)

    def cameras(self, places: Indices) -> Cameras:
        """Their wide pictures' cameras."""
        count = len(places)
        zero = torch.zeros(count, device=self.device)
        return Cameras(self.rotation[places], self.to_plane[places], zero, zero[:, None].expand(-1, 2))

    # How good it is

    def shown(self, place: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The middle window of one place: drawn ``[1, 3, R, R]``, real, where it counts, coverage."""
        places = np.array([place])
        moment = self.moment(places, self.mean_code()[None])
        cameras, target = self._windowed(places, 0.0)
        pyramid = self.network.planes(moment)
        seen, cover = self._tiled(pyramid, moment, cameras, (0.0, 0.0), self.settings.shape.tiles)
        wanted, _, behind, inside = target.part((0.0, 0.0, self.side), self.side)
        drawn, cover = self.network.picture(seen, cover, behind)
        return drawn.clamp(0, 1), wanted, inside, cover

    def judge(self) -> dict[str, float]:
        """On validation frames: mean squared and gradient difference, and PSNR in dB."""
        places = np.asarray(self.material.validation, np.int64)
        count = min(len(places), self.settings.validation_frames)
        places = places[np.unique(np.linspace(0, len(places) - 1, count).round().astype(int))]
        sums = {"loss": 0.0, "psnr": 0.0}
        for place in places.tolist():
            self.alive()
            drawn, wanted, inside, _ = self.shown(place)
            error = drawn - wanted
            squared = weighted(error.square(), inside)
            loss = weighted(error.abs(), inside) + self.settings.edges * edges(error, inside)
            sums["loss"] += float(loss) / len(places)
            sums["psnr"] += float(-10.0 * torch.log10(squared.clamp_min(1e-10))) / len(places)
        return sums

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Validation frames above, drawn ones below."""
        places = np.asarray(
            self.material.validation if len(self.material.validation) else self.material.train
        )
        columns = []
        for place in places[np.linspace(0, len(places) - 1, 4).round().astype(int)].tolist():
            self.alive()
            drawn, wanted, _, _ = self.shown(place)
            columns.append(torch.cat([wanted, drawn], 2)[0])
        sheet = torch.cat(columns, 2).permute(1, 2, 0)
        return np.asarray((sheet * 255.0).round().byte().cpu().numpy())


class _Target:
    """What the camera saw in some windows, at whatever resolution rays ask for."""

    def __init__(
        self, material: VolumeMaterial, places: Indices, windows: Windows, device: torch.device
    ) -> None:
        pictures = (material.real, material.mask[..., None], material.background, material.inside[..., None])
        stacked = np.concatenate([x[places] for x in pictures], -1)
        cut = windows.cut(torch.from_numpy(stacked).permute(0, 3, 1, 2))
        self._whole = cut.to(device).float() / 255.0

    def part(self, part: tuple[float, float, float], count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A square (left, top, side) as ``count`` by ``count`` places: picture ``[B, 3, …]``, person mask,
        background, and 1 where the camera saw anything."""
        left, top, side = part
        whole = self._whole
        shrink = max(1, round(side / count))
        if shrink > 1:
            whole = functional.avg_pool2d(whole, shrink)
        # avg_pool2d may drop a rest at the right and below.
        covered = torch.tensor([whole.shape[3], whole.shape[2]], device=whole.device) * float(shrink)
        places = pixel_centres(left, top, side, side, count, count, whole.device) / covered * 2.0 - 1.0
        grid = places.view(1, count, count, 2).expand(len(whole), -1, -1, -1)
        cut = functional.grid_sample(whole, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return cut[:, :3], cut[:, 3:4], cut[:, 4:7], (cut[:, 7:] > 0.99).float()


def _part(side: float, part: float, dice: np.random.Generator) -> tuple[float, float, float]:
    """A random square (left, top, side) within a window."""
    if part == side:
        return 0.0, 0.0, part
    left, top = dice.random(2) * (side - part)
    return float(left), float(top), part
