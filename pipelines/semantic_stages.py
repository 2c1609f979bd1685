"""The semantic engine's stage as a function of a task, and the base model that it reads."""

from __future__ import annotations

from pathlib import Path

from pipelines.job import Task
from pipelines.semantic_avatar_settings import SemanticAvatarSettings

BASE_MODEL = "base_model"
"""Name of the input that is the base model's folder."""


def base_model(settings: SemanticAvatarSettings, home: Path) -> dict[str, tuple[Path, str]]:
    """The base model that an avatar is to be made with. Raises Problem when there is none of that name."""
    from studio.engines.semantic.model_shelf import choose_base_model
    from studio.project.lineage import KEY_LENGTH

    chosen = choose_base_model(home, settings.model)
    return {BASE_MODEL: (chosen.folder, chosen.digest[:KEY_LENGTH])}


def avatar(task: Task) -> None:
    """Clip or photo and TrackedSequence to a semantic Avatar."""
    from pipelines.encode_identity import choose_source, encode_identity
    from pipelines.stages import sign
    from studio.engines.semantic.artefact import save_semantic
    from studio.engines.semantic.model_shelf import PREFIX, ShelvedModel
    from studio.project.sequence_files import load_sequence

    sequence = load_sequence(task.inputs["track"])
    held_out = task.step.held_out
    frame = choose_source(sequence, task.settings, sequence.split(held_out)[0] if held_out else sequence.used)
    folder = task.inputs[BASE_MODEL].resolve()
    model = ShelvedModel(folder, folder.name.removeprefix(PREFIX), 0.0)
    parts = encode_identity(
        task.inputs["clip"], task.inputs["track"], sequence, frame, model, task.settings, task.progress
    )
    save_semantic(task.out, parts)
    sign(task, "semantic", parts.base.stage, (frame, frame + 1), parts.base.mesh.rest_camera)
