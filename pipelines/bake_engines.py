"""What baking comes to in each engine: an avatar's files with edits in them, and how exact that is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.animate_avatar import source_sequence
from pipelines.bake_colours import textures_recoloured
from pipelines.bake_job import COLOUR
from pipelines.bake_latents import Change, FitSettings, latents_baked
from pipelines.bake_volume import judged_of, moments_of, volume_baked
from pipelines.bake_volume_settings import VolumeFitSettings
from pipelines.edit_person import typical_moments
from studio.domain.avatar import Avatar
from studio.domain.camera import Floats
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.edits import LATENT, Edit, EditStack, Effect, ShapeShift
from studio.domain.motion import HeadMotion
from studio.domain.progress import Progress
from studio.domain.rendering import RenderRequest
from studio.engines.engine import Engine
from studio.engines.pvp.artefact import load_pvp, save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.latent_edits import check_latent_edits
from studio.engines.tri2plane.artefact import load_tri2plane, save_tri2plane
from studio.engines.tri2plane.engine import Tri2PlaneEngine
from studio.project.sequence_files import load_sequence
from studio.project.store import SubjectFolder
from studio.warping.parts import WarpParts
from studio.warping.reshape import shape_change
from studio.warping.warp_files import link_parts, load_parts, save_parts
from studio.warping.warper import Warper


@dataclass(frozen=True)
class Baking:
    """What is to be done."""

    subject: SubjectFolder
    """Whose avatar it is."""
    avatar: Avatar
    """The original."""
    chosen: list[tuple[Edit, float]]
    """Edits and their strengths, in the stack's order."""
    fit: FitSettings
    """How latent mappers are trained in."""
    volume: VolumeFitSettings
    """How a volume is tuned."""
    scratch: Path
    """For checkpoints."""
    progress: Progress
    """Told often; may raise Interrupted."""
    device: torch.device
    """Where to compute."""

    def of(self, *kinds: type[Effect]) -> list[tuple[Edit, float]]:
        """What is baked with effects of these kinds."""
        return [(edit, strength) for edit, strength in self.chosen if isinstance(edit.effect, kinds)]


@dataclass(frozen=True)
class Made:
    """A copy that is worked out."""

    write: Callable[[Path], None]
    """Writes its files into an empty folder."""
    figures: dict[str, Any]
    """What was measured."""


def _bake_pvp(baking: Baking) -> Made:
    parts = load_pvp(baking.avatar.folder)
    latent, colours = baking.of(*LATENT), baking.of(*COLOUR)
    check_latent_edits(EditStack(tuple(edit for edit, _ in latent)), parts)
    base, write_base = _bake_base(parts.base, baking.avatar.folder / "base", baking)
    motion = _motion(baking.subject, baking.avatar)
    changes: list[Change] = [(edit.effect, strength) for edit, strength in latent]
    baked, fitted = latents_baked(parts, changes, motion, baking.fit, baking.progress, baking.device)
    figures: dict[str, Any] = {"latents": fitted} if fitted else {}
    if colours:
        latent_only, recoloured = baked, replace(baked, base=replace(base, change=parts.base.change))
        where = str(baking.device)
        figures["colours"] = _differences(
            lambda edits: PvpEngine(latent_only, where, edits),
            PvpEngine(recoloured, where),
            base,
            baking,
            colours,
            motion,
        )
    baked = replace(
        baked,
        notes=(*parts.notes, *_notes(baking.chosen, figures)),
        figures={**parts.figures, "bake": figures},
    )

    def write(folder: Path) -> None:
        aside = folder / "made"
        aside.mkdir()
        write_base(aside)
        save_pvp(folder, baked, aside)
        shutil.rmtree(aside)

    return Made(write, figures)


def _bake_instant(baking: Baking) -> Made:
    own, colours = load_parts(baking.avatar.folder), baking.of(*COLOUR)
    base, write = _bake_base(own, baking.avatar.folder, baking)
    figures: dict[str, Any] = {}
    if colours:
        recoloured = Warper(replace(base, change=own.change))
        motion = _motion(baking.subject, baking.avatar)
        figures["colours"] = _differences(
            lambda edits: Warper(own, edits), recoloured, base, baking, colours, motion
        )
    return Made(write, figures)


def _bake_tri2plane(baking: Baking) -> Made:
    parts, motion = load_tri2plane(baking.avatar.folder), _motion(baking.subject, baking.avatar)
    base, write_base = _bake_base(parts.base, baking.avatar.folder / "base", baking)
    some, where = moments_of(motion, parts, baking.volume), str(baking.device)
    baked, took = volume_baked(
        parts, base, baking.chosen, some, baking.volume, baking.scratch, baking.progress, baking.device
    )
    differences = _differences(
        lambda edits: Tri2PlaneEngine(parts, where, edits),
        Tri2PlaneEngine(baked, where),
        base,
        baking,
        baking.chosen,
        some.take(judged_of(len(some))),
    )
    figures: dict[str, Any] = {"volume": {**differences, **took}}
    baked = replace(
        baked,
        notes=(*parts.notes, *_notes(baking.chosen, figures)),
        figures={**parts.figures, "bake": figures},
    )

    def write(folder: Path) -> None:
        aside = folder / "made"
        aside.mkdir()
        write_base(aside)
        save_tri2plane(folder, baked, aside)
        shutil.rmtree(aside)

    return Made(write, figures)


BAKERS: Mapping[str, Callable[[Baking], Made]] = {
    "pvp": _bake_pvp,
    "instant": _bake_instant,
    "tri2plane": _bake_tri2plane,
}
"""Engine id to what works out a copy."""


def _bake_base(own: WarpParts, folder: Path, baking: Baking) -> tuple[WarpParts, Callable[[Path], None]]:
    """What warping draws with, with shapes and colours in it, and what writes that; ``folder``: where it is
    now."""
    change, colours = _shape(own, baking.chosen), baking.of(*COLOUR)
    if not colours:
        return replace(own, change=change), lambda target: link_parts(folder, target, change)
    textures = textures_recoloured(own, colours, baking.progress)
    made = replace(own, change=change, textures=textures)
    return made, lambda target: save_parts(target, made)


def _differences(
    engine: Callable[[EditStack], Engine],
    copied: Engine,
    base: WarpParts,
    baking: Baking,
    chosen: list[tuple[Edit, float]],
    motion: HeadMotion,
) -> dict[str, float]:
    """Mean differences of whole pictures of a clip's typical moments, levels of 255.

    Args:
        engine: the avatar with edits.
        copied: the one that has these in it.
        base: what warping draws with.
        baking: what is done.
        chosen: edits, and their strengths.
        motion: frames among which moments are typical.

    Returns:
        ``levels`` between the copy and the avatar with these edits, and ``changed`` between that and the
        avatar without them.
    """
    edits = EditStack(tuple(edit for edit, _ in chosen))
    plain, edited = engine(EditStack()), engine(edits)
    strengths = np.array([strength for _, strength in chosen], np.float32)
    places, _ = typical_moments(motion)
    track = track_from_motion(motion.take(places), base.mesh.rest_camera, Fraction(1))
    found = []
    for moment in range(len(track)):
        baking.progress(moment, len(track), "Looking at the copy")
        own = track.state(moment)
        names = (*own.names, *(edit.control_name for edit in edits.edits))
        asked = ControlState(names, np.append(own.values, strengths))
        shown = [
            one.render(RenderRequest(state, baking.avatar.stage)).image.astype(np.float32)
            for one, state in ((copied, own), (edited, asked), (plain, own))
        ]
        found.append([np.abs(shown[k] - shown[1]).mean() for k in (0, 2)])
    for one in (copied, plain, edited):
        one.close()
    levels, changed = np.mean(found, 0)
    return {"levels": float(levels), "changed": float(changed)}


def _shape(base: WarpParts, chosen: list[tuple[Edit, float]]) -> Floats | None:
    """The shape that the copy is drawn with, see :class:`WarpParts`: what the avatar has, and the edits'."""
    total = base.change
    for edit, strength in chosen:
        if isinstance(edit.effect, ShapeShift):
            more = np.float32(strength) * shape_change(base.mesh, edit.title, edit.effect)
            total = more if total is None else total + more
    return total


def _motion(subject: SubjectFolder, avatar: Avatar) -> HeadMotion:
    """The good frames that the avatar has learnt from."""
    sequence = load_sequence(source_sequence(subject, avatar))
    learnt = np.arange(*avatar.lineage["learnt_from"])
    return sequence.motion.take(learnt[sequence.good[learnt]])


def _notes(chosen: list[tuple[Edit, float]], figures: Mapping[str, Any]) -> list[str]:
    titles = ", ".join(f"“{edit.title}” at {strength:g}" for edit, strength in chosen)
    notes = [f"Baked into this copy: {titles}."]
    latents, colours, volume = (figures.get(name) for name in ("latents", "colours", "volume"))
    if latents:
        notes.append(
            "What follows the face's own latents was trained in: on frames left out of that training, "
            f"pictures differ from the edited ones by {latents['levels']:.2f} levels of 255 on average, "
            f"where the edits change {latents['changed']:.2f}."
        )
    if colours:
        notes.append(
            "Colours and lights are in the pictures that this copy is warped from: its frames differ from "
            f"the edited ones by {colours['levels']:.2f} levels of 255 on average, where the edits change "
            f"{colours['changed']:.2f}."
        )
    if volume:
        notes.append(
            "The volume was tuned to show this by itself: in moments left out, its frames differ from "
            f"the edited ones by {volume['levels']:.2f} levels of 255 on average, where the edits change "
            f"{volume['changed']:.2f}."
        )
    return notes
