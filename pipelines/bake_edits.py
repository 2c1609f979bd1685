"""Edits baked into a copy of an avatar: it shows them for nothing, and undoing it is removing the copy.

The copy is an avatar like any other of its engine, with a key of its own: that of the avatar it was made
from, with what the edits do and how strongly. What edits are called does not matter. The original stays as it
is. What is the same is linked and not copied.

Latents go into a generator (:mod:`pipelines.bake_latents`), and shapes into the mesh that warping draws on;
turning what was added with the head still costs what one shape edit costs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.animate_avatar import source_sequence
from pipelines.bake_job import BAKED_INTO
from pipelines.bake_latents import Change, FitSettings, latents_baked
from pipelines.build_job import BAKED
from pipelines.edit_avatar import check_strength
from studio.devices import choose_device
from studio.domain.avatar import Avatar
from studio.domain.camera import Floats
from studio.domain.edits import LATENT, Edit, EditStack, LatentMap, ShapeShift
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.engines.pvp.artefact import load_pvp, save_pvp
from studio.engines.pvp.latent_edits import check_latent_edits
from studio.project.atomic import new_folder
from studio.project.avatar_files import load_avatar, save_avatar
from studio.project.lineage import KEY_LENGTH, key_of
from studio.project.sequence_files import load_sequence
from studio.project.store import SubjectFolder
from studio.warping.parts import WarpParts
from studio.warping.reshape import shape_change
from studio.warping.warp_files import link_parts, load_parts

VERSION = 1
"""Raised whenever what is baked changes for equal avatars and edits."""


def bake(
    subject: SubjectFolder,
    avatar: Avatar,
    strengths: Mapping[str, float] | None = None,
    progress: Progress = silent,
    settings: FitSettings | None = None,
    device: str | None = None,
) -> Avatar:
    """A copy of an avatar into which its edits are baked; what is there already is found again.

    Args:
        subject: whose avatar it is.
        avatar: with the edits to bake. Those at strength 0 are left out; none of them is left on the copy.
        strengths: edits' names to strengths; those not named are baked as they rest.
        progress: told often; may raise Interrupted, and then nothing is left.
        settings: how latent mappers are trained in.
        device: torch's word for where; None for the fastest.

    Raises:
        Problem: there is nothing to bake, a strength is beyond its limits, an edit does not fit the avatar or
            cannot be baked into its engine, or files are missing or damaged.
    """
    asked = asked_strengths(avatar.edits, strengths)
    chosen = [(edit, asked[edit.name]) for edit in avatar.edits.edits if asked[edit.name]]
    if not chosen:
        raise Problem("There is nothing to bake: no edit of this avatar is shown.")
    fit = settings or FitSettings()
    _refuse(avatar, [edit for edit, _ in chosen])
    key = baked_key(avatar, chosen, fit)
    target = subject.avatar(avatar.engine, key)
    if (target / "avatar.json").is_file():
        return load_avatar(target)
    # All that can fail for what is in the edits does so before anything is written.
    baking = _Baking(subject, avatar, chosen, fit, progress, torch.device(device or choose_device().kind))
    write = _BAKERS[avatar.engine](baking)
    with new_folder(target) as folder:
        write(folder)
        save_avatar(folder, signed(avatar, chosen, key, folder))
    return load_avatar(target)


@dataclass(frozen=True)
class _Baking:
    """What is to be done."""

    subject: SubjectFolder
    avatar: Avatar
    chosen: list[tuple[Edit, float]]
    fit: FitSettings
    progress: Progress
    device: torch.device


def _bake_pvp(baking: _Baking) -> Callable[[Path], None]:
    parts = load_pvp(baking.avatar.folder)
    latent = [(edit, strength) for edit, strength in baking.chosen if isinstance(edit.effect, LATENT)]
    check_latent_edits(EditStack(tuple(edit for edit, _ in latent)), parts)
    change = _shape(parts.base, baking.chosen)
    changes: list[Change] = [(edit.effect, strength) for edit, strength in latent]
    motion = _motion(baking.subject, baking.avatar)
    baked, figures = latents_baked(parts, changes, motion, baking.fit, baking.progress, baking.device)
    notes, figures = (*parts.notes, *_notes(baking.chosen, figures)), {**parts.figures, "bake": figures}

    def write(folder: Path) -> None:
        base = folder / "reshaped"
        base.mkdir()
        link_parts(baking.avatar.folder / "base", base, change)
        save_pvp(folder, replace(baked, notes=notes, figures=figures), base)
        shutil.rmtree(base)

    return write


def _bake_instant(baking: _Baking) -> Callable[[Path], None]:
    change = _shape(load_parts(baking.avatar.folder), baking.chosen)
    return lambda folder: link_parts(baking.avatar.folder, folder, change)


_BAKERS: Mapping[str, Callable[[_Baking], Callable[[Path], None]]] = {
    "pvp": _bake_pvp,
    "instant": _bake_instant,
}
"""Engine id to what works out a copy and gives what writes its files into an empty folder."""


def _shape(base: WarpParts, chosen: list[tuple[Edit, float]]) -> Floats | None:
    """The shape that the copy is drawn with, see :class:`WarpParts`: what the avatar has, and the edits'."""
    total = base.change
    for edit, strength in chosen:
        if isinstance(edit.effect, ShapeShift):
            more = np.float32(strength) * shape_change(base.mesh, edit.title, edit.effect)
            total = more if total is None else total + more
    return total


def asked_strengths(edits: EditStack, strengths: Mapping[str, float] | None) -> dict[str, float]:
    """Name to strength of every edit. Raises Problem for a name that is none's or a strength too large."""
    found = {edit.name: float(edit.control.default) for edit in edits.edits}
    for name, strength in (strengths or {}).items():
        if name not in found:
            raise Problem(
                f"There is no edit named {name!r} to bake; there are: {', '.join(found) or 'none'}."
            )
        check_strength(edits.find(name), strength)
        found[name] = float(strength)
    return found


def baked_key(avatar: Avatar, chosen: list[tuple[Edit, float]], settings: FitSettings) -> str:
    """The copy's key, by what changes it: the original, what edits do in their order, and how a latent mapper
    is trained in, where there is one."""
    fitted = any(isinstance(edit.effect, LatentMap) for edit, _ in chosen)
    content = {
        "edits": [{"effect": effect_key(edit), "strength": strength} for edit, strength in chosen],
        "fit": settings if fitted else None,
    }
    return key_of("bake", VERSION, {"avatar": avatar.key}, content)


def effect_key(edit: Edit) -> str:
    """What an edit does, whatever it is called, as a short hash."""
    digest = hashlib.sha256(type(edit.effect).__name__.encode())
    for one in fields(edit.effect):
        value = getattr(edit.effect, one.name)
        if isinstance(value, np.ndarray):
            value = (value.shape, np.ascontiguousarray(value, np.float32).tobytes())
        digest.update(repr((one.name, value)).encode())
    return digest.hexdigest()[:KEY_LENGTH]


def signed(avatar: Avatar, chosen: list[tuple[Edit, float]], key: str, folder: Path) -> Avatar:
    """The copy's card; its lineage says what is baked in: ``from``, the folder's name of the original, and
    ``edits``, what each is called, does and how strongly."""
    lineage: dict[str, Any] = {
        **avatar.lineage,
        "inputs": {**avatar.lineage.get("inputs", {}), "avatar": avatar.key},
        BAKED: {
            "from": avatar.folder.name,
            "edits": [
                {
                    "name": edit.name,
                    "title": edit.title,
                    "method": edit.method,
                    "space": edit.space,
                    "strength": strength,
                    "effect": effect_key(edit),
                }
                for edit, strength in chosen
            ],
        },
    }
    return replace(avatar, key=key, folder=folder, lineage=lineage, edits=EditStack())


def _refuse(avatar: Avatar, edits: list[Edit]) -> None:
    for edit in edits:
        if not isinstance(edit.effect, BAKED_INTO.get(avatar.engine, ())):
            raise Problem(
                f"“{edit.title}” cannot be baked into an avatar of the engine {avatar.engine} yet: keep it "
                "as an edit, which shows the same."
            )


def _motion(subject: SubjectFolder, avatar: Avatar) -> HeadMotion:
    """The good frames that the avatar has learnt from."""
    sequence = load_sequence(source_sequence(subject, avatar))
    learnt = np.arange(*avatar.lineage["learnt_from"])
    return sequence.motion.take(learnt[sequence.good[learnt]])


def _notes(chosen: list[tuple[Edit, float]], figures: Mapping[str, Any]) -> list[str]:
    titles = ", ".join(f"“{edit.title}” at {strength:g}" for edit, strength in chosen)
    notes = [f"Baked into this copy: {titles}."]
    if figures:
        notes.append(
            "What follows the face's own latents was trained in: on frames left out of that training, "
            f"pictures differ from the edited ones by {figures['levels']:.2f} levels of 255 on average, "
            f"where the edits change {figures['changed']:.2f}."
        )
    return notes
