"""A corpus of people becomes a base model in the home: trained, put into place as a whole, with its card."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipelines.people_systems import PeopleSystem
from pipelines.training.reporter import Reporter
from pipelines.training.settings import MachineSettings
from pipelines.unfinished_trainings import PLACE, alone, note_training
from studio.project.atomic import explaining_disk, new_folder, remove_folder
from studio.project.lineage import file_key, key_of

VERSION = 1
"""Raised whenever equal settings give another model."""


def base_key(system: PeopleSystem, corpus: Path, settings: Any) -> str:
    """The key of the base model that the corpus in a folder and settings give."""
    from studio.corpus.corpus import FILE

    return key_of(f"train_{system.engine}", VERSION, {"corpus": file_key(corpus / FILE)}, settings)


def build_base(
    system: PeopleSystem,
    corpus: Path,
    home: Path,
    settings: Any,
    title: str,
    progress: Reporter,
    *,
    licence: str = "",
    machines: MachineSettings | None = None,
    again: str = "",
    shelf: Path | None = None,
) -> Path | None:
    """Train a base model, or find the one that is there.

    Args:
        system: what is trained.
        corpus: a prepared folder.
        home: where base models and checkpoints lie.
        settings: of the training.
        title: what the card calls it.
        progress: told at every step.
        licence: what the card says about rights in the clips and people's consent.
        machines: what it runs on.
        again: the command that goes on with it, for lists of what is not done.
        shelf: another home on whose shelf it is put, for models that nobody should choose by chance.

    Returns:
        The base model's folder; None in processes that only help the first one.

    Raises:
        Interrupted: asked to stop; the same call continues.
        Problem: no corpus, nothing readable in it, memory or disk used up, or the very training is at work
            in another process.
    """
    # All of it now: who changes the program during a long training must not find it broken at its end.
    from pipelines.people_card import card_of
    from pipelines.training.launch import launch
    from pipelines.training.model_card import write_card
    from studio.assets import AssetLibrary
    from studio.corpus.corpus import Corpus
    from studio.devices import use_threads

    train_people, save_base_model = system.find("train"), system.find("save")
    complete = system.find("complete") if system.complete else None
    opened = Corpus.open(corpus)
    key = base_key(system, corpus, settings)
    place = system.shelf.place(shelf or home, key)
    if (place / "settings.json").is_file():
        return place
    scratch = home / PLACE / place.name
    with explaining_disk(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
    fabric = launch(machines or MachineSettings(), settings.loop.precision)
    if fabric.world_size == 1:
        use_threads()
    assets = AssetLibrary(home)
    trunk = None if assets.missing(system.trunk) else assets.find(system.trunk)
    teachers = {name: assets.find(name) for name in system.teachers if not assets.missing(name)}
    more = {"teachers": teachers} if system.teachers else {}
    with ExitStack() as stack:
        stack.callback(opened.forget)
        if fabric.is_global_zero:
            stack.enter_context(alone(scratch))
            note_training(scratch, title, again)
        trained = train_people(
            opened.clips,
            settings,
            scratch,
            progress,
            trunk=trunk,
            device=fabric.device,
            fabric=fabric,
            **more,
        )
    if not fabric.is_global_zero:
        return None
    with new_folder(place) as aside:
        save_base_model(aside, trained.network, opened.head_model)
        if complete is not None:
            complete(aside, [clip for clip in opened.clips if clip.name in trained.learnt_from])
        write_card(aside, card_of(system, title, licence, opened, settings, trained, fabric))
    remove_folder(scratch)
    return place
