"""Warper: RenderRequest to Frame, by warping and blending pivots."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, View
from studio.domain.controls import ControlSheet, ControlState, motion_from_values
from studio.domain.edits import EditStack
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Frame, Quality, RenderRequest
from studio.head.rasterise import Visibility, rasterise
from studio.warping.mesh import PersonMesh, shell_features
from studio.warping.paint import Pivots, Textures, paint, soften_silhouettes
from studio.warping.parts import WarpParts, facing, pivot_positions
from studio.warping.recolour import Behind, Drawn, Recolourer
from studio.warping.regions import PivotChooser, region_weights
from studio.warping.reshape import Reshaper

SILHOUETTE = 0.012
"""Metres between neighbouring pixels from which one part of the head is seen before another."""
DRAFT_BLENDS = (2, 2, 1, 1)
"""Pivots per region while dragging."""
UNEDITED = EditStack()
"""A person as filmed."""


@dataclass(frozen=True)
class Posed:
    """A person in one state, to be drawn in any number of views."""

    motion: HeadMotion
    """Parameters of the one frame."""
    positions: Floats
    """``[V, 3]`` where every vertex is drawn, source pixels: with the edits of the person's shape."""
    own: Floats
    """``[V, 3]`` where the person's own shape has it; the very same array where no such edit shows."""
    built: Floats
    """``[V, 3]`` where the avatar's shape has it, with what was baked in; the same array as ``own`` where
    nothing was."""
    chosen: npt.NDArray[np.int32]
    """``[R, K]`` pivots to blend in each region, -1 for none."""
    share: Floats
    """``[R, K]`` how much of each."""
    quality: Quality
    """How much time may be spent."""

    @property
    def reshaped(self) -> bool:
        """Whether an edit of the shape shows."""
        return self.positions is not self.own

    @property
    def as_filmed(self) -> Posed:
        """The same without edits of the shape."""
        return replace(self, positions=self.own, built=self.own)

    @property
    def as_built(self) -> Posed:
        """The same with no other shape than the one that was baked in."""
        return replace(self, positions=self.built)


class Warper:
    """Draws a person by warping pivots. Safe to use from one thread at a time."""

    def __init__(self, parts: WarpParts, edits: EditStack = UNEDITED) -> None:
        """
        Args:
            parts: what to draw with.
            edits: what is changed about the person; those of their shape are drawn here.

        Raises:
            Problem: an edit belongs to another head model than the avatar.
        """
        mesh = self._mesh = parts.mesh
        self._stage, self._settings, self._sheet = parts.stage, parts.settings, edits.sheet(parts.sheet)
        self._reshaper, self._baked = Reshaper(mesh, edits, parts.change), parts.change
        self._recolourer = Recolourer(parts, edits)
        self._rasterised: tuple[Floats, View, Visibility] | None = None
        self._still = parts.plate.still
        self._weights = region_weights(mesh)
        positions = pivot_positions(mesh, parts.motion, parts.shell)
        self._meshes = parts.stage.placement.apply(positions[..., :2])
        self._visible = facing(positions, mesh) * parts.trust
        trust = parts.trust @ self._weights / self._weights.sum(0)
        self._chooser = PivotChooser(mesh, parts.motion, trust)
        assert mesh.shell_motion is not None
        self._shell_residual = parts.shell - mesh.shell_motion.at(shell_features(parts.motion, mesh))
        # A camera that moves has no empty background: pivots bring their own surroundings along.
        textures = Textures.pack(parts.textures, whole=not self._still)
        self._levels = {0: (textures, np.ascontiguousarray(parts.plate.image[..., :3]))}

    @property
    def sheet(self) -> ControlSheet:
        """Head controls with the clip's own ranges, then the edits'."""
        return self._sheet

    @property
    def mesh(self) -> PersonMesh:
        """The person's mesh."""
        return self._mesh

    def render(self, request: RenderRequest, without: npt.NDArray[np.bool_] | None = None) -> Frame:
        """Draw one frame; equal requests give equal frames.

        Args:
            request: what to draw.
            without: ``[N]`` pivots that must not be used, at least one must be left: what trained engines
                learn to improve on must not have seen the very moment that it shows.
        """
        began = time.perf_counter()
        posed = self.posed(request.state, request.quality, without)
        image, cover = self.draw(posed, request.view)
        image = self.coloured(image, cover, posed, request.view, request.state)
        return Frame(image, cover, request, (time.perf_counter() - began) * 1000.0)

    def posed(
        self, state: ControlState, quality: Quality = "full", without: npt.NDArray[np.bool_] | None = None
    ) -> Posed:
        """The half of :meth:`render` that does not depend on the view: see there for the arguments."""
        mesh, settings = self._mesh, self._settings
        motion = motion_from_values(state.values[None], mesh.rest_camera)
        blends = (settings.outer_blend, settings.face_blend, settings.mouth_blend, settings.eyes_blend)
        if quality == "draft":
            blends = DRAFT_BLENDS
        face = mesh.face(motion)
        chosen, share = self._chooser.choose(motion, face, blends, without)
        positions = mesh.positions(motion, face)[0]
        # Hair and shoulders have a will of their own: what the pivots here deviate from what was learnt.
        own = share[0] @ self._shell_residual[chosen[0]].reshape(len(share[0]), -1)
        positions[slice(*mesh.shell), :2] += own.reshape(-1, 2) * motion.camera[0, 0]
        # Another shape is where pivots are drawn; which suit, and where they are read, is the person's own.
        asked, baked, shift = self._reshaper.change(state), self._baked, self._reshaper.shift
        built = positions if baked is None else positions + shift(baked, motion)
        shown = built if asked is None else positions + shift(asked, motion)
        return Posed(motion, shown, positions, built, chosen, share, quality)

    def reshapes(self, state: ControlState) -> bool:
        """Whether an edit shows another shape than the avatar was built with."""
        return self._reshaper.change(state) is not None

    def draw(self, posed: Posed, view: View) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
        """What a view shows of a posed person: picture ``[H, W, 3]`` and coverage ``[H, W]``, None where the
        background is not known."""
        mesh = self._mesh
        points = view.placement.apply(posed.positions)
        zoom = view.placement.scale / self._stage.placement.scale
        textures, plate, shrink = self._level(zoom)
        seen = rasterise(points, mesh.triangles, view.width, view.height)
        self._rasterised = (posed.positions, view, seen)
        image, alpha = paint(
            seen,
            mesh.triangles,
            self._weights,
            textures,
            Pivots(posed.chosen, posed.share, self._meshes * np.float32(shrink), self._visible),
            plate,
            view.placement.inverse().then(self._stage.placement).scaled(shrink),
        )
        if posed.quality == "full":
            step = SILHOUETTE * mesh.rest_camera[0] * view.placement.scale
            image = soften_silhouettes(image, alpha, seen.depth, step)
        return image, alpha if self._still else None

    def recolours(self, state: ControlState) -> bool:
        """Whether an edit of colour or light shows in a state."""
        return self._recolourer.changes(state)

    def coloured(
        self,
        image: npt.NDArray[np.uint8],
        cover: npt.NDArray[np.uint8] | None,
        posed: Posed,
        view: View,
        state: ControlState,
        points: Floats | None = None,
    ) -> npt.NDArray[np.uint8]:
        """A finished picture with the edits of colour and light that a state asks for.

        Args:
            image: ``[H, W, 3]`` what the view shows of the posed person, whoever drew it.
            cover: ``[H, W]`` coverage, None where it is not known.
            posed: the person.
            view: what the picture shows.
            state: what is asked.
            points: ``[V, 3]`` where the picture has the person's vertices, if not where the view puts them.

        Returns:
            Another picture, or the very same where none of these edits shows.
        """
        if not self._recolourer.changes(state):
            return image
        behind, seen, last = None, None, self._rasterised
        if self._still:
            _, plate, shrink = self._level(view.placement.scale / self._stage.placement.scale)
            behind = Behind(plate, view.placement.inverse().then(self._stage.placement).scaled(shrink))
        if points is None:
            points = view.placement.apply(posed.positions)
            if last is not None and last[0] is posed.positions and last[1] == view:
                seen = last[2]
        return self._recolourer.apply(state, Drawn(image, cover, behind, points, posed.motion, seen))

    def background(self, view: View) -> npt.NDArray[np.uint8] | None:
        """What is behind the person in a view, ``[H, W, 3]``; None where the background moves."""
        if not self._still:
            return None
        _, plate, shrink = self._level(view.placement.scale / self._stage.placement.scale)
        to_view = self._stage.placement.scaled(shrink).inverse().then(view.placement)
        drawn = cv2.warpAffine(
            plate, to_view.pixel_matrix, (view.width, view.height), borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(drawn, np.uint8)

    def close(self) -> None:
        """Let go of the textures."""
        self._levels.clear()

    def _level(self, zoom: float) -> tuple[Textures, npt.NDArray[np.uint8], float]:
        """Textures and plate shrunk so that sampling them at ``zoom`` does not alias, and by how much."""
        level = max(0, round(float(np.log2(1.0 / max(zoom, 1e-3))) - 0.1))
        if level not in self._levels:
            textures, plate = self._levels[0]
            size = (plate.shape[1] // 2**level, plate.shape[0] // 2**level)
            small = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
            self._levels[level] = (textures.shrunk(*size), np.asarray(small, np.uint8))
        textures, plate = self._levels[level]
        return textures, plate, plate.shape[1] / self._levels[0][1].shape[1]
