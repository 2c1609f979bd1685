"""PVP's stages as functions of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.job import Task

if TYPE_CHECKING:
    import torch


def material(task: Task) -> None:
    """Clip, TrackedSequence, PivotSet and instant Avatar to training material."""
    from pipelines.cut_material import cut_material
    from studio.project.pivot_files import load_pivots
    from studio.project.sequence_files import load_sequence
    from studio.warping.warp_files import load_parts
    from studio.warping.warper import Warper

    tracked = task.inputs["track"]
    cut_material(
        task.inputs["clip"],
        tracked,
        load_sequence(tracked),
        load_pivots(task.inputs["pivots"]),
        Warper(load_parts(task.inputs["instant"])),
        task.settings,
        task.out,
        task.progress,
    )


def prior(task: Task) -> None:
    """Training material to a personal generator with its pivots' latents."""
    from pipelines.cut_material import load_material
    from pipelines.make_prior import make_prior, save_prior
    from studio.assets import AssetLibrary

    made = make_prior(
        load_material(task.inputs["material"]),
        task.settings,
        AssetLibrary(task.home),
        task.progress.scratch(task.step),
        fastest(),
        task.progress,
    )
    save_prior(task.out, made)


def avatar(task: Task) -> None:
    """Prior to a PVP Avatar: tune, distil the estimator, train the mappers."""
    from pipelines.build_pvp import build_pvp
    from pipelines.cut_material import load_material
    from pipelines.make_prior import load_prior
    from pipelines.stages import sign
    from studio.assets import AssetLibrary
    from studio.engines.pvp.artefact import save_pvp
    from studio.project.avatar_files import load_avatar
    from studio.project.pivot_files import load_pivots
    from studio.warping.warp_files import load_parts

    base = task.inputs["instant"]
    parts = build_pvp(
        load_material(task.inputs["material"]),
        load_prior(task.inputs["prior"]),
        load_parts(base),
        task.settings,
        AssetLibrary(task.home),
        task.progress.scratch(task.step),
        fastest(),
        task.progress,
    )
    save_pvp(task.out, parts, base)
    pivots = load_pivots(task.inputs["pivots"])
    instant = load_avatar(base)
    rest_camera = np.array(instant.lineage["rest_camera"], np.float32)
    sign(task, "pvp", instant.stage, pivots.learnt_from, rest_camera)


def fastest() -> torch.device:
    """The fastest device; on the processor, all of it."""
    import torch

    from studio.devices import choose_device, use_threads

    use_threads()
    return torch.device(choose_device().kind)
