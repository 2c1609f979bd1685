"""RenderRequest to Frame: a square drawn by a network of many people, laid over the warped picture."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity, View
from studio.domain.controls import (
    HEAD_NAMES,
    Control,
    ControlSheet,
    ControlState,
    motion_from_values,
    track_from_motion,
)
from studio.domain.edits import EditStack
from studio.domain.free_camera import FreeCamera, orbited
from studio.domain.layer_pictures import depth_picture
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
POSED = 6
"""Of the head's controls, how many say where it is; the others say what the face does."""


Picture = npt.NDArray[np.uint8]


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


@runtime_checkable
class LayeredSquare(LiveSquare, Protocol):
    """A network that can show more than its picture."""

    @property
    def canonical(self) -> HeadMotion:
        """One frame with the expression before any warping; its pose and camera mean nothing."""

    def draw_canonical(
        self, motion: HeadMotion, finely: bool = True, state: ControlState | None = None
    ) -> Floats:
        """As ``draw``, with that expression whatever the motion's is."""

    def depth(self, motion: HeadMotion, state: ControlState | None = None) -> tuple[Floats, Floats]:
        """``[r, r]`` metres that what is seen lies before the head's plane, and ``[r, r]`` 0..1 how much is
        there."""


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
        live, warper, layer = self._live, self._warper, request.layer
        if live is None:
            raise RuntimeError("render comes before close")
        if layer == "canonical":
            asked = _expressing(request.state, _layered(live).canonical)
        else:
            asked = request.state
        state, view = self._as_warped(asked, request.view)
        posed = warper.posed(state, request.quality)
        behind: Picture | None = None
        if layer == "picture" and request.quality == "draft" and not live.quick:
            image, cover = warper.draw(posed, view)
        else:
            moving = warper.posed(asked, request.quality) if state is not asked else posed
            where = follow(moving.motion, self._person.base.motion, self._person.window)
            to_window = view.placement.inverse().then(where.moved.inverse()).then(self._person.window)
            if layer == "depth":
                image, cover = _depth(_layered(live), where.motion, request, to_window)
            else:
                image, cover = self._laid(live, where, request, warper.draw(posed.as_filmed, view), to_window)
            if posed.reshaped:
                # The network knows the person's own shape only.
                behind = None if layer == "depth" else warper.background(view)
                own, other = (view.placement.apply(x) for x in (posed.own, posed.positions))
                image, cover = reread(image, cover, behind, warper.mesh.triangles, own, other)
        if layer != "depth":
            image = warper.coloured(image, cover, posed, view, state)
        return Frame(image, cover, request, (time.perf_counter() - began) * 1000.0)

    def close(self) -> None:
        """Let go of textures and the network."""
        self._warper.close()
        self._live = None

    def _as_warped(self, state: ControlState, view: View) -> tuple[ControlState, View]:
        """What warping is asked for instead where the camera has gone: it cannot go around a head, but its
        body may turn as if it had. Dolly and pan move all of the picture alike."""
        free = FreeCamera.from_state(state)
        if free.is_neutral:
            return state, view
        motion = motion_from_values(state.values[None], self._person.base.mesh.rest_camera)
        values = state.values.copy()
        values[:3] = orbited(motion, free).angles[0]
        placement = free.similarity(motion.camera[0]).then(view.placement)
        return ControlState(state.names, values), View(placement, view.width, view.height)

    def _laid(
        self,
        live: LiveSquare,
        where: Followed,
        request: RenderRequest,
        warped: tuple[Picture, Picture | None],
        to_window: Similarity,
    ) -> tuple[Picture, Picture | None]:
        """The square over what warping draws."""
        image, cover = warped
        finely = request.quality == "full"
        if request.layer == "canonical":
            drawn = _layered(live).draw_canonical(where.motion, finely, request.state)
        else:
            drawn = live.draw(where.motion, finely, request.state)
        shown = None if where.stays else self._shown(where, cover, to_window, len(drawn))
        return lay_picture(image, drawn, to_window, shown), cover

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


def _layered(live: LiveSquare) -> LayeredSquare:
    if not isinstance(live, LayeredSquare):
        raise ValueError("this engine shows its picture and nothing else")
    return live


def _depth(
    live: LayeredSquare, motion: HeadMotion, request: RenderRequest, to_window: Similarity
) -> tuple[Picture, Picture]:
    """Greys and coverage in the whole view; black outside of the square."""
    height, cover = live.depth(motion, request.state)
    black = np.zeros((request.view.height, request.view.width, 3), np.uint8)
    greys = depth_picture(height, cover).astype(np.float32) / 127.5 - 1.0
    there = np.repeat(2.0 * cover[..., None] - 1.0, 3, 2).astype(np.float32)
    image, covered = (lay_picture(black, square, to_window) for square in (greys, there))
    return image, np.ascontiguousarray(covered[..., 0])


def _expressing(state: ControlState, motion: HeadMotion) -> ControlState:
    """A state whose face does what one frame's does, its head held as before."""
    values = state.values.copy()
    face = track_from_motion(motion, np.array([1.0, 0.0, 0.0]), Fraction(1)).values[0]
    values[POSED : len(HEAD_NAMES)] = face[POSED:]
    return ControlState(state.names, values)
