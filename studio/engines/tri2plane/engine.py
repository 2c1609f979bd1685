"""Tri2PlaneEngine: RenderRequest to Frame, by a volume laid over the warped rendering."""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np
import torch

from studio.devices import choose_device
from studio.domain.camera import Floats, Similarity, View
from studio.domain.controls import ControlSheet, ControlState, motion_from_values
from studio.domain.edits import EditStack
from studio.domain.free_camera import FreeCamera, camera_controls, orbited
from studio.domain.layer_pictures import depth_picture, normals_picture
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.tri2plane.artefact import Tri2Parts
from studio.engines.tri2plane.lay_volume import Picture, fills, lay_volume
from studio.engines.tri2plane.live_volume import LiveVolume, Seen
from studio.head.neutral_crop import aligned_crop
from studio.warping.reshape import reread
from studio.warping.warper import UNEDITED, Warper

LEAST_ROOM = 0.2
"""Share of the way between eye and head's plane that a vertex is kept away from the eye."""


class Tri2PlaneEngine:
    """Draws a Tri²-plane avatar. Safe to use from one thread at a time."""

    def __init__(self, parts: Tri2Parts, device: str | None = None, edits: EditStack = UNEDITED) -> None:
        """
        Args:
            parts: what to draw with.
            device: torch's word for it; None takes the fastest that is here.
            edits: what is changed about the person.

        Raises:
            Problem: an edit does not belong to this avatar.
        """
        self._parts = parts
        self._warper = Warper(parts.base, edits)
        self._volume: LiveVolume | None = LiveVolume(parts, torch.device(device or choose_device().kind))
        self._sheet = edits.sheet(ControlSheet((*parts.base.sheet.controls, *camera_controls())))

    @property
    def sheet(self) -> ControlSheet:
        """Head controls with the clip's own ranges, then the camera's, then the edits'."""
        return self._sheet

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said while it was built."""
        return self._parts.notes

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame; see :class:`studio.engines.engine.Engine`."""
        began = time.perf_counter()
        volume = self._opened()
        person, state = self._parts.person, request.state
        motion = motion_from_values(state.values[None], person.rest_camera)
        free = FreeCamera.from_state(state)
        # Dolly and pan move all of the picture alike, so they are a part of what the picture shows.
        view = View(
            free.similarity(motion.camera[0]).then(request.view.placement),
            request.view.width,
            request.view.height,
        )
        turned = orbited(motion, free)
        window = widened(aligned_crop(person.neutral, turned), self._parts.margin)
        seen = volume.look(motion, window, free, request.quality)
        to_window = view.placement.inverse().then(window)
        # Warping cannot go around a head, but its body may turn as if it had.
        values = state.values.copy()
        values[:3] = turned.angles[0]
        around = replace(request, state=ControlState(state.names, values), view=view)
        if request.layer != "picture":
            behind = None
            image, cover = self._layer(volume, seen, around, to_window)
        else:
            behind = self._warper.background(view)
            image, cover = self._picture(volume, seen, around, behind, to_window)
        image, cover = self._edited(image, cover, behind, around, turned, free)
        return Frame(image, cover, request, (time.perf_counter() - began) * 1000.0)

    def window(self, state: ControlState, behind: Picture) -> tuple[Picture, Picture]:
        """What the volume alone shows in all of its window, its camera where it was tracked; for whoever
        learns from it.

        Args:
            state: what is asked.
            behind: ``[R, R, 3]`` the background in the same window.

        Returns:
            Picture ``[R, R, 3]`` with edits before that background, and coverage ``[R, R]``.
        """
        volume, person, side = self._opened(), self._parts.person, len(behind)
        motion, free = motion_from_values(state.values[None], person.rest_camera), FreeCamera()
        window = widened(aligned_crop(person.neutral, motion), self._parts.margin)
        drawn = volume.picture(volume.look(motion, window, free, "full"))
        if len(drawn) != side:
            smooth = cv2.INTER_AREA if len(drawn) > side else cv2.INTER_LINEAR
            drawn = np.asarray(cv2.resize(drawn, (side, side), interpolation=smooth), np.float32)
        amount = drawn[..., 3:].clip(0.0, 1.0)
        whole = 255.0 * drawn[..., :3] + (1.0 - amount) * behind
        image, covered = (np.rint(x.clip(0.0, 255.0)).astype(np.uint8) for x in (whole, 255.0 * amount))
        request = RenderRequest(state, View(window.scaled(side), side, side))
        image, cover = self._edited(image, covered[..., 0], behind, request, motion, free)
        assert cover is not None
        return image, cover

    def close(self) -> None:
        """Let go of textures and networks."""
        self._warper.close()
        self._volume = None

    def _opened(self) -> LiveVolume:
        if self._volume is None:
            raise RuntimeError("render comes before close")
        return self._volume

    def _edited(
        self,
        image: Picture,
        cover: Picture | None,
        behind: Picture | None,
        request: RenderRequest,
        turned: HeadMotion,
        free: FreeCamera,
    ) -> tuple[Picture, Picture | None]:
        """A finished picture with the edits that a state asks for, and its coverage.

        Args:
            image, cover, behind: see :func:`~studio.warping.reshape.reread`.
            request: its view is where the picture lies, its head is turned as the camera sees it.
            turned: that motion.
            free: the camera.
        """
        warper, state, place = self._warper, request.state, request.view.placement
        reshapes, recolours = warper.reshapes(state), request.layer == "picture" and warper.recolours(state)
        if not reshapes and not recolours:
            return image, cover
        posed, mesh = warper.posed(state, request.quality), warper.mesh
        built, other = (
            place.apply(through_lens(at, turned, free, mesh.shell[1]))
            for at in (posed.built, posed.positions)
        )
        if reshapes:
            # The volume has the shape that it was built with only.
            image, cover = reread(image, cover, behind, mesh.triangles, built, other)
        if recolours:
            image = warper.coloured(image, cover, posed, request.view, state, other)
        return image, cover

    def _picture(
        self,
        volume: LiveVolume,
        seen: Seen,
        request: RenderRequest,
        behind: Picture | None,
        to_window: Similarity,
    ) -> tuple[Picture, Picture | None]:
        drawn, view = volume.picture(seen), request.view
        if behind is not None and fills((view.width, view.height), to_window):
            return lay_volume(behind, np.zeros(behind.shape[:2], np.uint8), behind, drawn, to_window)
        posed = self._warper.posed(request.state, request.quality)
        around, cover = self._warper.draw(posed.as_built, view)
        return lay_volume(around, cover, behind, drawn, to_window)

    @staticmethod
    def _layer(
        volume: LiveVolume, seen: Seen, request: RenderRequest, to_window: Similarity
    ) -> tuple[Picture, Picture | None]:
        """Depth or normals of what the volume holds; black where it holds nothing."""
        if request.layer == "depth":
            height, cover = volume.height(seen)
            shown = depth_picture(height, cover)
        else:
            facing, cover = volume.normals(seen)
            shown = normals_picture(facing, cover)
        drawn = np.dstack([shown.astype(np.float32) / 255.0, cover])
        black = np.zeros((request.view.height, request.view.width, 3), np.uint8)
        return lay_volume(black, black[..., 0].copy(), black, drawn, to_window)


def through_lens(positions: Floats, motion: HeadMotion, free: FreeCamera, fixed: int) -> Floats:
    """Where a free camera's lens shows vertices that parallel rays show at ``positions [V, 3]``, in pixels.

    Args:
        positions: of a mesh that is turned as the camera sees it.
        motion: the one frame.
        free: the camera; its dolly and pan are left to the view.
        fixed: the first vertex of those that are not in the scene but around the picture.
    """
    out = positions.copy()
    scale, origin = motion.camera[0, 0], motion.camera[0, 1:]
    scene = out[:fixed]
    room = np.maximum(1.0 - free.nearness * scene[:, 2:] / scale, LEAST_ROOM)
    scene[:, :2] = origin + (scene[:, :2] - origin) / room
    return out


def widened(crop: Similarity, margin: float) -> Similarity:
    """A crop, source pixels to its unit square, grown on every side by a share of its side."""
    share = 1.0 / (1.0 + 2.0 * margin)
    return crop.then(Similarity(share, 0.0, margin * share, margin * share))
