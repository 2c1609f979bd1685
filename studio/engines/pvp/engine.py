"""PvpEngine: RenderRequest to Frame, by a personal generator laid over the warped rendering."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.devices import choose_device
from studio.domain.camera import Floats, View
from studio.domain.controls import ControlSheet, motion_from_values
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.crop import aligned_crop
from studio.engines.pvp.lay_over import lay_over, lay_picture
from studio.engines.pvp.mappers import mapper_inputs
from studio.engines.pvp.painter import GuideEncoder, Painter, bounded
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.stylegan2_live import LiveSynthesis
from studio.warping.warper import Warper


class PvpEngine:
    """Draws a PVP avatar. Safe to use from one thread at a time."""

    def __init__(self, parts: PvpParts, device: str | None = None) -> None:
        """``device``: torch's word for it; None takes the fastest that is here."""
        self._parts = parts
        self._device = torch.device(device or choose_device().kind)
        self._warper = Warper(parts.base)
        self._mappers = parts.mappers.to(self._device).eval()
        half = torch.float16 if self._device.type == "cuda" else None
        self._encoder: GuideEncoder | None = None
        if isinstance(parts.generator, Painter):
            self._encoder = parts.generator.encoder.to(self._device).to(memory_format=torch.channels_last)
            synthesis, size = parts.generator.synthesis, None
            self._resolution = parts.generator.resolution
        else:
            assert isinstance(parts.generator, PretrainedGenerator)
            synthesis, size = parts.generator.synthesis, parts.generator.resolution
            self._resolution = parts.generator.resolution
        self._live = LiveSynthesis(synthesis.to(self._device), size, half).to(self._device)
        self._live.cache_pivots(self._mappers.pivots)

    @property
    def sheet(self) -> ControlSheet:
        """Head controls with the clip's own ranges."""
        return self._warper.sheet

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said while it was built."""
        return self._parts.notes

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame; see :class:`studio.engines.engine.Engine`."""
        began = time.perf_counter()
        warper = self._warper
        base = warper.render(request)
        motion = motion_from_values(request.state.values[None], warper.mesh.rest_camera)
        crop = aligned_crop(warper.mesh.neutral_face, motion)
        to_crop = request.view.placement.inverse().then(crop)
        if self._encoder is None:
            picture = self._synthesis(motion, None)
            image = lay_picture(base.image, picture, to_crop, None)
        else:
            side = self._resolution
            guide = warper.render(replace(request, view=View(crop.scaled(side), side, side))).image
            image = lay_over(base.image, self._synthesis(motion, guide), to_crop, self._parts.strength)
        return Frame(image, base.alpha, request, (time.perf_counter() - began) * 1000.0)

    def close(self) -> None:
        """Let go of textures and networks."""
        self._warper.close()
        del self._live

    @torch.inference_mode()
    def _synthesis(self, motion: HeadMotion, guide: npt.NDArray[np.uint8] | None) -> Floats:
        """``[R, R, 3]`` picture, or with a guide ``[R, R, 5]`` correction."""
        pose, face = mapper_inputs(self._known(motion), eyes=self._mappers.expression.inputs > 53)
        alpha = self._mappers.alpha(self._tensor(pose))
        delta = self._mappers.delta(self._tensor(face))
        if guide is None or self._encoder is None:
            out = self._live.from_blend(alpha, delta)
        else:
            seen = torch.from_numpy(guide).to(self._device).permute(2, 0, 1)[None].float() / 127.5 - 1.0
            seen = seen.contiguous(memory_format=torch.channels_last)
            colour, flow = bounded(self._live.from_blend(alpha, delta, added=self._encoder(seen)).float())
            out = torch.cat([colour, flow], 1)
        return np.ascontiguousarray(out[0].float().permute(1, 2, 0).cpu().numpy())

    def _known(self, motion: HeadMotion) -> HeadMotion:
        """Turn and nod no farther than the clip went: beyond, warping alone goes on."""
        low, high = np.array(self._parts.pose_range, np.float32)
        angles = motion.angles.copy()
        angles[:, [1, 0]] = np.clip(angles[:, [1, 0]], low, high)
        return replace(motion, angles=angles)

    def _tensor(self, values: Floats) -> Tensor:
        return torch.from_numpy(values).to(self._device)
