"""Edits baked into a copy of an avatar: it shows them for nothing, and undoing it is removing the copy.

The copy is an avatar like any other of its engine, with a key of its own: that of the avatar it was made
from, with what the edits do and how strongly. What edits are called does not matter. The original stays as it
is. What is the same is linked and not copied.

Latents go into a generator (:mod:`pipelines.bake_latents`), colours and lights into the pictures that warping
reads (:mod:`pipelines.bake_colours`), and shapes into the mesh that it draws on, where turning what was added
with the head still costs what one shape edit costs. A volume is tuned to show them all by itself
(:mod:`pipelines.bake_volume`). What is not exact is measured: see :func:`signed`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from pipelines.bake_engines import BAKERS, Baking
from pipelines.bake_job import BAKED_INTO, baked_into
from pipelines.bake_latents import FitSettings
from pipelines.bake_volume_settings import VolumeFitSettings
from pipelines.build_job import BAKED
from pipelines.edit_avatar import check_strength
from studio.devices import choose_device
from studio.domain.avatar import Avatar
from studio.domain.edits import Edit, EditStack, LatentMap
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.project.atomic import new_folder
from studio.project.avatar_files import load_avatar, save_avatar
from studio.project.lineage import KEY_LENGTH, key_of
from studio.project.store import SubjectFolder

VERSION = 1
"""Raised whenever what is baked changes for equal avatars and edits."""


def bake(
    subject: SubjectFolder,
    avatar: Avatar,
    strengths: Mapping[str, float] | None = None,
    progress: Progress = silent,
    settings: FitSettings | None = None,
    device: str | None = None,
    volume: VolumeFitSettings | None = None,
    scratch: Path | None = None,
) -> Avatar:
    """A copy of an avatar into which its edits are baked; what is there already is found again.

    Args:
        subject: whose avatar it is.
        avatar: with the edits to bake. Those at strength 0 are left out; none of them is left on the copy.
        strengths: edits' names to strengths; those not named are baked as they rest.
        progress: told often; may raise Interrupted, and then nothing is left.
        settings: how latent mappers are trained in.
        device: torch's word for where; None for the fastest.
        volume: how a volume is tuned.
        scratch: where checkpoints go, from which a stopped or killed tuning goes on; None for nowhere
            that lasts.

    Raises:
        Problem: there is nothing to bake, a strength is beyond its limits, an edit does not fit the avatar or
            cannot be baked into its engine, or files are missing or damaged.
    """
    asked = asked_strengths(avatar.edits, strengths)
    chosen = [(edit, asked[edit.name]) for edit in avatar.edits.edits if asked[edit.name]]
    if not chosen:
        raise Problem("There is nothing to bake: no edit of this avatar is shown.")
    fit, tuned = settings or FitSettings(), volume or VolumeFitSettings()
    _refuse(avatar, [edit for edit, _ in chosen])
    key = baked_key(avatar, chosen, fit, tuned)
    target = subject.avatar(avatar.engine, key)
    if (target / "avatar.json").is_file():
        return load_avatar(target)
    # All that can fail for what is in the edits does so before anything is written.
    where = torch.device(device or choose_device().kind)
    with TemporaryDirectory() as passing:
        # By its key, because edits may have been changed since somebody stopped.
        lasting = Path(passing) if scratch is None else scratch / key
        baking = Baking(subject, avatar, chosen, fit, tuned, lasting, progress, where)
        made = BAKERS[avatar.engine](baking)
        with new_folder(target) as folder:
            made.write(folder)
            save_avatar(folder, signed(avatar, chosen, key, folder, made.figures))
    return load_avatar(target)


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


def baked_key(
    avatar: Avatar, chosen: list[tuple[Edit, float]], settings: FitSettings, volume: VolumeFitSettings
) -> str:
    """The copy's key, by what changes it: the original, what edits do in their order, and how a latent mapper
    or a volume is trained, where there is one."""
    fitted = any(isinstance(edit.effect, LatentMap) for edit, _ in chosen)
    content: dict[str, Any] = {
        "edits": [{"effect": effect_key(edit), "strength": strength} for edit, strength in chosen],
        "fit": settings if fitted else None,
    }
    if avatar.engine == "tri2plane":
        content["volume"] = volume
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


def signed(
    avatar: Avatar, chosen: list[tuple[Edit, float]], key: str, folder: Path, figures: Mapping[str, Any]
) -> Avatar:
    """The copy's card; its lineage says what is baked in: ``from``, the folder's name of the original;
    ``edits``, what each is called, does and how strongly; and ``figures``, what was measured where baking is
    not exact: under ``latents`` where a mapper was trained in (see :func:`latents_baked`), and under
    ``colours``, or ``volume`` where that was tuned, mean differences of pictures in levels of 255, ``levels``
    to the edited ones and ``changed`` between those and the plain ones."""
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
            "figures": dict(figures),
        },
    }
    return replace(avatar, key=key, folder=folder, lineage=lineage, edits=EditStack())


def _refuse(avatar: Avatar, edits: list[Edit]) -> None:
    kinds = baked_into(avatar)
    for edit in edits:
        if isinstance(edit.effect, kinds):
            continue
        why = f"into an avatar of the engine {avatar.engine} yet"
        if isinstance(edit.effect, BAKED_INTO.get(avatar.engine, ())):
            why = "here, because this avatar's generator draws the face by itself and not from pictures"
        raise Problem(f"“{edit.title}” cannot be baked {why}: keep it as an edit, which shows the same.")
