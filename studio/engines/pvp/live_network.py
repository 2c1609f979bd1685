"""The networks of a PVP avatar, run live: head parameters and a guide to what is laid over the picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.domain.camera import Floats
from studio.domain.edits import EditStack
from studio.domain.motion import HeadMotion
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.latent_edits import LatentEdits, check_latent_edits
from studio.engines.pvp.mappers import mapper_inputs
from studio.engines.pvp.painter import COLOUR_REACH, FLOW_REACH, GuideEncoder, Painter
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.stylegan2_live import LiveSynthesis


class LiveNetwork:
    """Mappers, guide encoder and synthesis on one device.

    Attributes:
        resolution: side R of the crop in pixels.
    """

    def __init__(self, parts: PvpParts, device: torch.device, edits: EditStack | None = None) -> None:
        """Raises Problem for a latent edit that this generator cannot have; other effects are passed over."""
        stack = edits or EditStack()
        check_latent_edits(stack, parts)
        assert isinstance(parts.generator, Painter | PretrainedGenerator)
        generator = parts.generator
        self._device = device
        self._mappers = parts.mappers.to(device).eval()
        self._eyes = self._mappers.expression.inputs > 53
        self.resolution = generator.resolution
        self._encoder: GuideEncoder | None = None
        size: int | None = generator.resolution
        if isinstance(generator, Painter):
            self._encoder = generator.encoder.to(device).to(memory_format=torch.channels_last)
            size = None
        half = torch.float16 if device.type == "cuda" else None
        self._live = LiveSynthesis(generator.synthesis.to(device), size, half).to(device)
        self._live.cache_pivots(self._mappers.pivots)
        self._edits = LatentEdits(stack, self._live, self._mappers)
        reach = torch.tensor([*(COLOUR_REACH,) * 3, *(FLOW_REACH,) * 2], device=device)
        self._reach = reach[:, None, None]

    @property
    def needs_guide(self) -> bool:
        """Whether it paints over a guide."""
        return self._encoder is not None

    @torch.inference_mode()
    def begin(
        self, motion: HeadMotion, guide: npt.NDArray[np.uint8] | None, strengths: Floats | None = None
    ) -> Callable[[], Floats]:
        """Set to work; a graphics card goes on while the processor does something else.

        Args:
            motion: one frame.
            guide: ``[R, R, 3]`` what warping draws in the crop, for a network that needs one.
            strengths: ``[E]`` of the whole stack of edits; None for none at all.

        Returns:
            What waits for the result: ``[R, R, 3]`` picture, or with a guide ``[R, R, 5]`` correction.
        """
        pose, face = mapper_inputs(motion, self._eyes)
        alpha = self._mappers.alpha(self._tensor(pose))
        delta = self._mappers.delta(self._tensor(face))
        added = None
        if guide is not None and self._encoder is not None:
            # Channels last, as the picture is anyway.
            seen = self._tensor(guide).permute(2, 0, 1)[None].float()
            added = self._encoder(seen.div_(127.5).sub_(1.0))
        shift = None if strengths is None else self._edits.shift(strengths)
        ws = None if strengths is None else self._edits.moved(strengths, alpha, delta)
        if ws is None:
            out = self._live.from_blend(alpha, delta, shift=shift, added=added).float()
        else:
            out = self._live(ws, shift=shift, added=added).float()
        if added is not None:
            out = out.tanh_().mul_(self._reach)  # painter.bounded, in place
        laid_out = out[0].permute(1, 2, 0).contiguous()  # where the networks run: a card is faster at it

        def fetch() -> Floats:
            return np.asarray(laid_out.cpu().numpy())

        return fetch

    def _tensor(self, values: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(self._device)
