"""PvpEngine: RenderRequest to Frame, by a personal generator laid over the warped rendering."""

from __future__ import annotations

import time

import torch

from studio.devices import choose_device
from studio.domain.camera import View
from studio.domain.controls import ControlSheet
from studio.domain.edits import EditStack
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.live_network import LiveNetwork
from studio.engines.pvp.mappers import within_range
from studio.head.neutral_crop import aligned_crop
from studio.warping.lay_over import lay_over, lay_picture
from studio.warping.reshape import reread
from studio.warping.warper import UNEDITED, Warper


class PvpEngine:
    """Draws a PVP avatar. Safe to use from one thread at a time."""

    def __init__(self, parts: PvpParts, device: str | None = None, edits: EditStack = UNEDITED) -> None:
        """
        Args:
            parts: what to draw with.
            device: torch's word for it; None takes the fastest that is here.
            edits: what is changed about the person.

        Raises:
            Problem: an edit does not belong to this avatar.
        """
        self._parts, self._edits = parts, edits
        self._warper = Warper(parts.base, edits)
        chosen = torch.device(device or choose_device().kind)
        self._network: LiveNetwork | None = LiveNetwork(parts, chosen, edits)

    @property
    def sheet(self) -> ControlSheet:
        """Head controls with the clip's own ranges, then the edits'."""
        return self._warper.sheet

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said while it was built."""
        return self._parts.notes

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame; see :class:`studio.engines.engine.Engine`."""
        began = time.perf_counter()
        warper, network = self._warper, self._network
        if network is None:
            raise RuntimeError("render comes before close")
        # The view and the guide differ in nothing but what they show.
        posed = warper.posed(request.state, request.quality)
        if network.needs_guide and not self._parts.strength:
            image, cover = warper.draw(posed, request.view)
            image = warper.coloured(image, cover, posed, request.view, request.state)
            return Frame(image, cover, request, (time.perf_counter() - began) * 1000.0)
        crop = aligned_crop(warper.mesh.neutral_face, posed.motion)
        guide, side = None, network.resolution
        if network.needs_guide:
            guide, _ = warper.draw(posed, View(crop.scaled(side), side, side))
        strengths = self._edits.strengths(request.state)
        # Beyond what the clip showed, warping alone goes on.
        known = within_range(posed.motion, self._parts.pose_range)
        drawn = network.begin(known, guide, strengths)
        to_crop = request.view.placement.inverse().then(crop)
        if guide is not None:
            image, cover = warper.draw(posed, request.view)
            image = lay_over(image, drawn(), to_crop, self._parts.strength)
        else:
            # The generator knows the person's own shape only.
            image, cover = warper.draw(posed.as_filmed, request.view)
            image = lay_picture(image, drawn(), to_crop)
            if posed.reshaped:
                behind = warper.background(request.view)
                own, other = (request.view.placement.apply(x) for x in (posed.own, posed.positions))
                image, cover = reread(image, cover, behind, warper.mesh.triangles, own, other)
        image = warper.coloured(image, cover, posed, request.view, request.state)
        return Frame(image, cover, request, (time.perf_counter() - began) * 1000.0)

    def close(self) -> None:
        """Let go of textures and networks."""
        self._warper.close()
        self._network = None
