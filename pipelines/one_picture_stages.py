"""The stage that makes an avatar of one picture as a function of a task, and the base model that it reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipelines.job import Task
from pipelines.one_picture_settings import OnePictureSettings

BASE_MODEL = "base_model"
"""Name of the input that is the base model's folder."""


def base_model(engine: str, settings: OnePictureSettings, home: Path) -> dict[str, tuple[Path, str]]:
    """The base model that an avatar is to be made with. Raises Problem when there is none of that name."""
    from studio.one_picture.base_models import Shelf
    from studio.project.lineage import KEY_LENGTH

    chosen = Shelf(engine).choose(home, settings.model)
    return {BASE_MODEL: (chosen.folder, chosen.digest[:KEY_LENGTH])}


def avatar(task: Task) -> None:
    """Clip or photo and TrackedSequence to an Avatar; the stage bears the engine's name."""
    from pipelines.encode_identity import choose_source, encode_identity
    from pipelines.model_facts import model_facts
    from pipelines.people_systems import people_system
    from pipelines.stages import sign
    from pipelines.training.reporter import reporter_of
    from studio.one_picture.person_files import save_person
    from studio.project.sequence_files import load_sequence

    system = people_system(task.step.id)
    sequence = load_sequence(task.inputs["track"])
    held_out = task.step.held_out
    frame = choose_source(sequence, task.settings, sequence.split(held_out)[0] if held_out else sequence.used)
    model = system.shelf.at(task.inputs[BASE_MODEL].resolve())
    side = system.find("check")(model, sequence.head_model).side
    person = encode_identity(
        task.inputs["clip"],
        task.inputs["track"],
        sequence,
        frame,
        side,
        model.reference,
        task.settings,
        task.progress,
    )
    facts = model_facts(model.folder)
    if facts is not None and facts.a_try is not None:
        person = replace(person, notes=(*person.notes, f"About the base model “{model.name}”: {facts.a_try}"))
    report = reporter_of(task.progress)
    for note in person.notes:
        report.say(note)
    save_person(task.out, system.engine, person)
    sign(task, system.engine, person.base.stage, (frame, frame + 1), person.base.mesh.rest_camera)
