"""Tri²-plane's stages as functions of a task."""

from __future__ import annotations

from pipelines.job import Task


def material(task: Task) -> None:
    """Clip, TrackedSequence, PivotSet and instant Avatar to wide pictures with their maps."""
    from pipelines.cut_volume_material import cut_volume_material
    from studio.project.pivot_files import load_pivots
    from studio.project.sequence_files import load_sequence
    from studio.warping.warp_files import load_parts

    tracked = task.inputs["track"]
    cut_volume_material(
        task.inputs["clip"],
        tracked,
        load_sequence(tracked),
        load_pivots(task.inputs["pivots"]),
        load_parts(task.inputs["instant"]),
        task.settings,
        task.out,
        task.progress,
    )


def avatar(task: Task) -> None:
    """Wide pictures with their maps to a Tri²-plane Avatar."""
    from pipelines.build_tri2plane import build_tri2plane
    from pipelines.cut_volume_material import load_volume_material
    from pipelines.pvp_stages import fastest
    from pipelines.stages import sign
    from studio.assets import AssetLibrary
    from studio.engines.tri2plane.artefact import save_tri2plane
    from studio.project.avatar_files import load_avatar
    from studio.project.pivot_files import load_pivots
    from studio.warping.warp_files import load_parts

    base = task.inputs["instant"]
    parts = build_tri2plane(
        load_volume_material(task.inputs["volume_material"]),
        load_parts(base),
        task.settings,
        AssetLibrary(task.home),
        task.progress.scratch(task.step),
        fastest(),
        task.progress,
    )
    save_tri2plane(task.out, parts, base)
    instant = load_avatar(base)
    pivots = load_pivots(task.inputs["pivots"])
    sign(task, "tri2plane", instant.stage, pivots.learnt_from, parts.base.mesh.rest_camera)
