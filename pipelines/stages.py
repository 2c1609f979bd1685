"""The stages of recipes as functions of a task: read the inputs, call the verb, leave the artefact."""

from __future__ import annotations

import numpy as np

from pipelines.job import Task
from studio.domain.avatar import Avatar
from studio.domain.camera import Floats, View


def track(task: Task) -> None:
    """Video to TrackedSequence."""
    from pipelines.track_video import track_video

    track_video(task.inputs["clip"], task.out, task.settings, task.progress)


def pick(task: Task) -> None:
    """TrackedSequence to PivotSet."""
    from pipelines.pick_pivots import pick_pivots
    from studio.project.pivot_files import save_pivots
    from studio.project.sequence_files import load_sequence

    sequence = load_sequence(task.inputs["track"])
    train = sequence.split(task.step.held_out)[0] if task.step.held_out else sequence.used
    save_pivots(task.out, pick_pivots(sequence, task.settings, train, task.progress))


def build_instant_avatar(task: Task) -> None:
    """Clip, TrackedSequence and PivotSet to an instant Avatar."""
    from pipelines.build_instant import build_instant
    from studio.project.pivot_files import load_pivots

    pivots = load_pivots(task.inputs["pivots"])
    clip, tracked = task.inputs["clip"], task.inputs["track"]
    stage = build_instant(clip, tracked, pivots, task.settings, task.out, task.progress)
    with np.load(task.out / "warp.npz", allow_pickle=False) as numbers:
        rest_camera = numbers["rest_camera"]
    sign(task, "instant", stage, pivots.learnt_from, rest_camera)


def sign(task: Task, engine: str, stage: View, learnt_from: tuple[int, int], rest_camera: Floats) -> None:
    """Write the card that every avatar has; its head controls are relative to ``rest_camera`` ``[3]``."""
    from studio.project.avatar_files import save_avatar

    step = task.step
    lineage = {
        "inputs": step.input_keys,
        "settings": step.settings,
        "held_out": task.step.held_out,
        "learnt_from": list(learnt_from),
        "rest_camera": [float(value) for value in rest_camera],
    }
    save_avatar(task.out, Avatar(task.subject, engine, step.key, task.out, stage, lineage))
