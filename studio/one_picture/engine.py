"""RenderRequest to Frame: a square drawn by a network of many people, laid over the warped picture."""

from __future__ import annotations

import time
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity, View
from studio.domain.controls import Control, ControlSheet, ControlState, motion_from_values
from studio.domain.edits import EditStack
from studio.domain.free_camera import FreeCamera, orbited
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Frame, RenderRequest
from studio.one_picture.following_window import Followed, follow
from studio.one_picture.person_files import PicturePerson
from studio.warping.lay_over import lay_picture
from studio.warping.reshape import reread
from studio.warping.warper import UNEDITED, Warper

GIVES_WAY = 0.04
"""How far the square has moved, in its sides, when only the person of it still shows: its background is that
of another place."""
SOFTENED = 0.012
"""Gaussian sigma of the person's outline there, in sides of the square."""


class LiveSquare(Protocol):
    """An engine's network, ready to draw one person."""

    @property
    def quick(self) -> bool:
        """Whether it is fast enough to be drawn while somebody drags."""

    @property
    def controls(self) -> tuple[Control, ...]:
        """What it can be asked for beside the head's controls."""

    def draw(self, motion: HeadMotion, finely: bool = True, state: ControlState | None = None) -> Floats:
        """``[R, R, 3]`` in -1..1 of one frame.

        Args:
            motion: of one frame, its camera in source pixels, as the tracked camera sees it.
            finely: at the detail of the picture and not at the network's own.
            state: all that was asked, from which it reads its own controls; None leaves them at rest.
        """


class OnePictureEngine:
    """Draws an avatar of one picture. Safe to use from one thread at a time."""

    def __init__(self, person: PicturePerson, live: LiveSquare, edits: EditStack = UNEDITED) -> None:
        """
        Args:
            person: who is drawn.
            live: draws the square around the face.
            edits: what is changed about the person.

        Raises:
            Problem: an edit does not belong to this avatar.
        """
        self._person = person
        self._warper = Warper(person.base, edits)
        self._live: LiveSquare | None = live
        self._sheet = edits.sheet(ControlSheet((*person.base.sheet.controls, *live.controls)))

    @property
    def sheet(self) -> ControlSheet:
        """Head controls, then the network's own, then the edits'."""
        return self._sheet

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
        live, warper, state = self._live, self._warper, request.state
        if live is None:
            raise RuntimeError("render comes before close")
        free = FreeCamera.from_state(state)
        view = request.view
        if not free.is_neutral:
            # Warping cannot go around a head, but its body may turn as if it had. Dolly and pan move all of
            # the picture alike.
            motion = motion_from_values(state.values[None], self._person.base.mesh.rest_camera)
            values = state.values.copy()
            values[:3] = orbited(motion, free).angles[0]
            state = ControlState(state.names, values)
            placement = free.similarity(motion.camera[0]).then(view.placement)
            view = View(placement, view.width, view.height)
        posed = warper.posed(state, request.quality)
        if request.quality == "draft" and not live.quick:
            image, cover = warper.draw(posed, view)
        else:
            asked = warper.posed(request.state, request.quality) if state is not request.state else posed
            where = follow(asked.motion, self._person.base.motion, self._person.window)
            drawn = live.draw(where.motion, request.quality == "full", request.state)
            to_window = view.placement.inverse().then(where.moved.inverse()).then(self._person.window)
            # The network knows the person's own shape only.
            image, cover = warper.draw(posed.as_filmed, view)
            shown = None if where.stays else self._shown(where, cover, to_window, len(drawn))
            image = lay_picture(image, drawn, to_window, shown)
            if posed.reshaped:
                behind = warper.background(view)
                own, other = (view.placement.apply(x) for x in (posed.own, posed.positions))
                image, cover = reread(image, cover, behind, warper.mesh.triangles, own, other)
        image = warper.coloured(image, cover, posed, view, state)
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
