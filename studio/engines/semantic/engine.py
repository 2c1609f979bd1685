"""SemanticEngine: RenderRequest to Frame, by a network of many people laid over the warped picture."""

from __future__ import annotations

import time

import cv2
import numpy as np
import numpy.typing as npt
import torch

from studio.devices import choose_device
from studio.domain.camera import Floats, Similarity
from studio.domain.controls import ControlSheet
from studio.domain.edits import EditStack
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.semantic.artefact import SemanticParts
from studio.engines.semantic.following_window import Followed, follow
from studio.engines.semantic.live_picture import LivePicture
from studio.warping.lay_over import lay_picture
from studio.warping.reshape import reread
from studio.warping.warper import UNEDITED, Warper

GIVES_WAY = 0.04
"""How far the square has moved, in its sides, when only the person of it still shows: its background is that
of another place."""
SOFTENED = 0.012
"""Gaussian sigma of the person's outline there, in sides of the square."""


class SemanticEngine:
    """Draws a semantic avatar. Safe to use from one thread at a time."""

    def __init__(self, parts: SemanticParts, device: str | None = None, edits: EditStack = UNEDITED) -> None:
        """
        Args:
            parts: what to draw with.
            device: torch's word for it; None takes the fastest that is here.
            edits: what is changed about the person.

        Raises:
            Problem: an edit does not belong to this avatar.
        """
        self._person = parts.person
        self._warper = Warper(parts.person.base, edits)
        self._live: LivePicture | None = LivePicture(parts, torch.device(device or choose_device().kind))

    @property
    def sheet(self) -> ControlSheet:
        """Head controls, then the edits'."""
        return self._warper.sheet

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said while it was built."""
        return self._person.notes

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame; see :class:`studio.engines.engine.Engine`.

        Drafts leave out detail beyond the network's resolution, and a network that is slow here altogether:
        they then show the warped picture alone.
        """
        began = time.perf_counter()
        live, warper, view = self._live, self._warper, request.view
        if live is None:
            raise RuntimeError("render comes before close")
        posed = warper.posed(request.state, request.quality)
        if request.quality == "draft" and not live.quick:
            image, cover = warper.draw(posed, view)
        else:
            where = follow(posed.motion, self._person.base.motion, self._person.window)
            drawn = live.draw(where.motion, finely=request.quality == "full")
            to_window = view.placement.inverse().then(where.moved.inverse()).then(self._person.window)
            # The network knows the person's own shape only.
            image, cover = warper.draw(posed.as_filmed, view)
            shown = None if where.stays else self._shown(where, cover, to_window, len(drawn))
            image = lay_picture(image, drawn, to_window, shown)
            if posed.reshaped:
                behind = warper.background(view)
                own, other = (view.placement.apply(x) for x in (posed.own, posed.positions))
                image, cover = reread(image, cover, behind, warper.mesh.triangles, own, other)
        image = warper.coloured(image, cover, posed, view, request.state)
        return Frame(image, cover, request, (time.perf_counter() - began) * 1000.0)

    def close(self) -> None:
        """Let go of textures and the network."""
        self._warper.close()
        self._live = None

    def _shown(
        self, where: Followed, cover: npt.NDArray[np.uint8] | None, to_window: Similarity, side: int
    ) -> Floats | None:
        """``[R, R]`` how much of the square shows where it has gone along with the head: the person of it,
        more and more as it goes. None for all of it, where nobody knows what is background."""
        if cover is None:
            return None
        at = self._person.window
        corners = np.array([(0.0, 0.0), (1.0, 1.0)], np.float32)
        before = at.inverse().apply(corners)
        farthest = np.abs(where.moved.apply(before) - before).max() * at.scale
        away = min(float(farthest) / GIVES_WAY, 1.0)
        person = cv2.warpAffine(
            cover, to_window.scaled(side).pixel_matrix, (side, side), borderMode=cv2.BORDER_REPLICATE
        )
        person = cv2.GaussianBlur(person, (0, 0), SOFTENED * side)
        return np.asarray(1.0 - away * (1.0 - person.astype(np.float32) / 255.0), np.float32)
