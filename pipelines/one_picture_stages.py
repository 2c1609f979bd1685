"""The stage that makes an avatar of one picture as a function of a task, and the base model that it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.job import Task
from pipelines.one_picture_settings import OnePictureSettings

if TYPE_CHECKING:
    from studio.one_picture.base_models import ShelvedModel
    from studio.one_picture.person_files import PicturePerson

BASE_MODEL = "base_model"
"""Name of the input that is the base model's folder."""


def base_model(engine: str, settings: OnePictureSettings, home: Path) -> dict[str, tuple[Path, str]]:
    """The base model that an avatar is to be made with. Raises Problem when there is none of that name."""
    from studio.one_picture.base_models import Shelf
    from studio.project.lineage import KEY_LENGTH

    chosen = Shelf(engine).choose(home, settings.model)
    return {BASE_MODEL: (chosen.folder, chosen.digest[:KEY_LENGTH])}


@dataclass(frozen=True)
class Encoded:
    """A person, not written yet."""

    person: PicturePerson
    """What the avatar consists of."""
    frame: int
    """Which of the clip's frames is the picture."""
    model: ShelvedModel
    """The base model that draws it."""


def avatar(task: Task) -> None:
    """Clip or photo and TrackedSequence to an Avatar; the stage bears the engine's name."""
    leave(task, encoded(task))


def encoded(task: Task) -> Encoded:
    """The person of a task."""
    from pipelines.encode_identity import choose_source, encode_identity
    from pipelines.model_facts import model_facts
    from pipelines.people_systems import people_system
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
    return Encoded(person, frame, model)


def leave(task: Task, made: Encoded) -> None:
    """Say what there is to say, and write the avatar."""
    from pipelines.stages import sign
    from pipelines.training.reporter import reporter_of
    from studio.one_picture.person_files import save_person

    engine, person = task.step.id, made.person
    report = reporter_of(task.progress)
    for note in person.notes:
        report.say(note)
    save_person(task.out, engine, person)
    rest = person.base.mesh.rest_camera
    sign(task, engine, person.base.stage, (made.frame, made.frame + 1), rest)
