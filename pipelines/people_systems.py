"""The systems that learn from many people to animate one picture: what differs between them, as data."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.people_variants import EXPORT3D_VARIANTS, NOFA_VARIANTS, SEMANTIC_VARIANTS
from studio.domain.problem import Problem
from studio.one_picture.base_models import Shelf


@dataclass(frozen=True)
class PeopleSystem:
    """One of them. Everything that needs torch is named as ``module:name`` and imported when it is used."""

    engine: str
    """The engine's identifier."""
    title: str
    """What cards call it."""
    what: str
    """What it does, a sentence or two, for cards."""
    sizes: tuple[str, ...]
    """Named sizes of its network."""
    sides: tuple[int, ...]
    """Sides of the pictures that it can be made for, pixels."""
    settings: str
    """Function of size and side to the settings of a training, which have ``network.side``, ``loop`` and
    ``frames``."""
    train: str
    """Function that trains it; see :func:`pipelines.train_semantic.train_semantic`."""
    check: str
    """Function of a shelved model and a head model's identifier to the network's settings; it raises Problem
    where they do not go together."""
    save: str
    """Function of folder, network and head model's identifier that writes a base model."""
    load: str
    """Function of a folder to something with ``network`` and ``head_model``."""
    contender: str
    """Class of network, head model and name whose objects are contenders of evaluations."""
    trunk: str
    """Entry of the assets' manifest with its perceptual loss's trunk."""
    teachers: tuple[str, ...] = ()
    """Entries of other networks of the user's that teach it where they are there; ``train`` is given the
    paths of those as ``teachers``."""
    forms: str = ""
    """Function of network, head model, name and steps of fine-tuning to further contenders: the same base
    model in other forms, which may say a sentence each; empty for none."""
    complete: str = ""
    """Function of a base model's folder, which is not in its place yet, and of the clips that it has learnt
    from, which adds what else the model keeps; empty for none."""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What ``ablate-people`` takes out: name to fields of the settings and their values."""

    @property
    def shelf(self) -> Shelf:
        """Its base models."""
        return Shelf(self.engine)

    def find(self, part: str) -> Any:
        """Import one of the parts that are named: ``train``, ``check``…"""
        module, name = getattr(self, part).split(":")
        return getattr(importlib.import_module(module), name)


SEMANTIC = PeopleSystem(
    engine="semantic",
    title="Semantic prior",
    what=(
        "Animates one picture of a face: a network that has learnt from many people how faces move, driven "
        "by the numbers of a head model (Controllable One-Shot Face Video Synthesis With Semantic Aware "
        "Prior)."
    ),
    sizes=("tiny", "small", "middle", "full"),
    sides=(64, 128, 256, 512),
    settings="pipelines.semantic_training_settings:training_settings",
    train="pipelines.train_semantic:train_semantic",
    check="studio.engines.semantic.shelf:check",
    save="studio.engines.semantic.base_model:save_base_model",
    load="studio.engines.semantic.base_model:load_base_model",
    contender="pipelines.semantic_of_one:SemanticOfOne",
    trunk="perceptual-vgg19",
    variants=SEMANTIC_VARIANTS,
)
EXPORT3D = PeopleSystem(
    engine="export3d",
    title="Export3D",
    what=(
        "Animates one picture of a face in three dimensions: a network that has learnt from many people "
        "makes a volume of the picture with the expression that it is told (Learning to Generate Conditional "
        "Tri-plane for 3D-aware Expression Controllable Portrait Animation)."
    ),
    sizes=("tiny", "small", "middle", "full"),
    sides=(64, 128, 256, 512),
    settings="pipelines.export3d_training_settings:training_settings",
    train="pipelines.train_export3d:train_export3d",
    check="studio.engines.export3d.shelf:check",
    save="studio.engines.export3d.base_model:save_base_model",
    load="studio.engines.export3d.base_model:load_base_model",
    contender="pipelines.export3d_of_one:Export3DOfOne",
    trunk="lpips-vgg",
    complete="pipelines.learn_expression_space:keep_way_back",
    variants=EXPORT3D_VARIANTS,
)
NOFA = PeopleSystem(
    engine="nofa",
    title="NOFA",
    what=(
        "Animates one picture of a face in three dimensions: a generator of heads finds the person's own "
        "at rest, what it forgot of the picture is added, and expressions are led back to it (NOFA: "
        "NeRF-based One-shot Facial Avatar Reconstruction)."
    ),
    sizes=("tiny", "small", "middle", "full"),
    sides=(64, 128, 256, 512),
    settings="pipelines.nofa_training_settings:training_settings",
    train="pipelines.train_nofa:train_nofa",
    check="studio.engines.nofa.shelf:check",
    save="studio.engines.nofa.base_model:save_base_model",
    load="studio.engines.nofa.base_model:load_base_model",
    contender="pipelines.nofa_of_one:NofaOfOne",
    forms="pipelines.nofa_forms:forms",
    trunk="lpips-vgg",
    teachers=("identity-arcface", "gfpgan"),
    variants=NOFA_VARIANTS,
)
SYSTEMS: dict[str, PeopleSystem] = {system.engine: system for system in (SEMANTIC, EXPORT3D, NOFA)}
"""By engine."""


def people_system(engine: str) -> PeopleSystem:
    """The system of an engine. Raises Problem when the engine is none that learns from people."""
    if engine not in SYSTEMS:
        raise Problem(
            f"Base models of the engine {engine!r} cannot be trained: there are {', '.join(SYSTEMS)}."
        )
    return SYSTEMS[engine]
