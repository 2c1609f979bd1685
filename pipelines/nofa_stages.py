"""NOFA's stage as a function of a task: an avatar of one picture whose network is fitted to that picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.job import Task
from pipelines.one_picture_stages import encoded, leave

if TYPE_CHECKING:
    from pipelines.one_picture import OnePicture
    from studio.one_picture.person_files import PicturePerson


def avatar(task: Task) -> None:
    """Clip or photo and TrackedSequence to an Avatar, with weights of its own where it is fine-tuned."""
    made, settings = encoded(task), task.settings
    if not settings.fine_tune:
        leave(task, made)
        return
    from pipelines.fine_tune_nofa import fine_tune
    from pipelines.nofa_teachers import ARCFACE
    from pipelines.pvp_stages import fastest
    from studio.assets import AssetLibrary
    from studio.engines.nofa.base_model import load_base_model
    from studio.engines.nofa.own_weights import save_own_weights

    assets, person = AssetLibrary(task.home), made.person
    network = load_base_model(made.model.folder).network
    arcface = assets.find(ARCFACE)
    tuned = fine_tune(
        network,
        picture_of(person),
        person.base.mesh.model,
        settings.tune,
        task.progress.scratch(task.step) / "fine_tuning",
        task.progress,
        trunk=assets.find("lpips-vgg"),
        teachers={} if arcface is None else {ARCFACE: arcface},
        device=fastest(),
    )
    notes = (*person.notes, *tuned.notes)
    figures = {**person.figures, **tuned.figures(settings.tune)}
    leave(task, replace(made, person=replace(person, notes=notes, figures=figures)))
    save_own_weights(task.out, network, settings.tune.optimise)


def picture_of(person: PicturePerson) -> OnePicture:
    """An avatar's square with its camera in the square's pixels."""
    import numpy as np

    from pipelines.one_picture import OnePicture

    mesh, motion, picture = person.base.mesh, person.base.motion, person.picture
    to_pixels = person.window.scaled(len(picture))
    camera = np.empty_like(motion.camera)
    camera[:, 0] = motion.camera[:, 0] * to_pixels.scale
    camera[:, 1:] = to_pixels.apply(motion.camera[:, 1:])
    return OnePicture(
        picture[..., :3], picture[..., 3], mesh.identity, mesh.offset, replace(motion, camera=camera)
    )
