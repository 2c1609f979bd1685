"""A corpus of people becomes a base model in the home: trained, put into place as a whole, with its card."""

from __future__ import annotations

from pathlib import Path

from pipelines.semantic_training_settings import SemanticTrainingSettings
from pipelines.training.reporter import Reporter
from pipelines.training.settings import MachineSettings
from studio.project.atomic import explaining_disk, new_folder, remove_folder
from studio.project.lineage import file_key, key_of

MODELS = "models"
"""Folder of a home in which base models lie."""
TRAININGS = "trainings"
"""Folder of a home in which checkpoints of unfinished ones lie."""
VERSION = 1
"""Raised whenever equal settings give another model."""
VGG19 = "perceptual-vgg19"
"""Entry of the manifest with the perceptual loss's trunk."""


def base_key(corpus: Path, settings: SemanticTrainingSettings) -> str:
    """The key of the base model that the corpus in a folder and settings give."""
    from studio.corpus.corpus import FILE

    return key_of("train_semantic", VERSION, {"corpus": file_key(corpus / FILE)}, settings)


def build_base(
    corpus: Path,
    home: Path,
    settings: SemanticTrainingSettings,
    title: str,
    progress: Reporter,
    *,
    licence: str = "",
    machines: MachineSettings | None = None,
) -> Path | None:
    """Train a semantic base model, or find the one that is there.

    Args:
        corpus: a prepared folder.
        home: where base models and checkpoints lie.
        settings: of the training.
        title: what the card calls it.
        progress: told at every step.
        licence: what the card says about rights in the clips and people's consent.
        machines: what it runs on.

    Returns:
        The base model's folder; None in processes that only help the first one.

    Raises:
        Interrupted: asked to stop; the same call continues.
        Problem: no corpus, nothing readable in it, memory or disk used up.
    """
    # All of it now: who changes the program during a long training must not find it broken at its end.
    from pipelines.semantic_card import card_of
    from pipelines.train_semantic import train_semantic
    from pipelines.training.launch import launch
    from pipelines.training.model_card import write_card
    from studio.assets import AssetLibrary
    from studio.corpus.corpus import Corpus
    from studio.devices import use_threads
    from studio.engines.semantic.base_model import save_base_model

    opened = Corpus.open(corpus)
    key = base_key(corpus, settings)
    place = home / MODELS / f"semantic-{key}"
    if (place / "settings.json").is_file():
        return place
    scratch = home / TRAININGS / f"semantic-{key}"
    with explaining_disk(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
    fabric = launch(machines or MachineSettings(), settings.loop.precision)
    if fabric.world_size == 1:
        use_threads()
    assets = AssetLibrary(home)
    vgg19 = None if assets.missing(VGG19) else assets.find(VGG19)
    try:
        trained = train_semantic(
            opened.clips, settings, scratch, progress, vgg19=vgg19, device=fabric.device, fabric=fabric
        )
    finally:
        opened.forget()
    if not fabric.is_global_zero:
        return None
    with new_folder(place) as aside:
        save_base_model(aside, trained.network, opened.head_model)
        write_card(aside, card_of(title, licence, opened, settings, trained, fabric))
    remove_folder(scratch)
    return place
