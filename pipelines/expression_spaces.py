"""Which base models' expression spaces a home has, and the one that retargeting asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipelines.retarget_motion import RetargetSettings
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.engines.export3d.expression_space import has_way_back, load_expression_space
from studio.engines.export3d.settings import Export3DSettings
from studio.engines.export3d.shelf import SHELF
from studio.head import builtin_head
from studio.one_picture.base_models import ShelvedModel
from studio.project.command_words import command_line


def models_with_space(home: Path, head_model: str) -> tuple[ShelvedModel, ...]:
    """Base models through whose space motions of a head model can go, the newest last."""
    return tuple(model for model in SHELF.models(home) if not _unfit(model, head_model))


def missing_space(home: Path, head_model: str) -> str | None:
    """None where there is such a model, otherwise one sentence: what is missing and what to do."""
    if models_with_space(home, head_model):
        return None
    shelf = SHELF.models(home)
    if shelf:
        return f"A driver's expression cannot be told apart from their face: {_unfit(shelf[-1], head_model)}"
    train = command_line("train-people", "CORPUS", f"--engine {SHELF.engine}")
    return (
        "Telling a driver's expression apart from their face needs an Export3D base model, and there is none "
        f"yet: train one with {train}."
    )


def choose_space(home: Path, head_model: str, name: str = "") -> ShelvedModel:
    """The model of a name or of the beginning of one, the newest that fits where no name is given.

    Raises:
        Problem: there is none, none of that name or several, or it does not fit.
    """
    if name:
        model = SHELF.choose(home, name)
        unfit = _unfit(model, head_model)
        if unfit:
            raise Problem(unfit)
        return model
    sentence = missing_space(home, head_model)
    if sentence is not None:
        raise Problem(sentence)
    return models_with_space(home, head_model)[-1]


def carrier(
    home: Path, head_model: str, settings: RetargetSettings
) -> Callable[[HeadMotion], HeadMotion] | None:
    """What carries a driver's motion through the space that settings ask for; None for the head model's own.

    Raises:
        Problem: as :func:`choose_space`, or the model is damaged.
    """
    if settings.expression_space == "head":
        return None
    chosen = choose_space(home, head_model, settings.space_model)
    space = load_expression_space(chosen.folder, chosen.name)
    return partial(space.carry, model=builtin_head())


def _unfit(model: ShelvedModel, head_model: str) -> str:
    """Why a motion cannot go through a model's space, a sentence; empty where it can."""
    settings, drives = model.read(Export3DSettings)
    if drives != head_model:
        return (
            f"The base model “{model.name}” is driven by the head model “{drives}”, and the clip was tracked "
            f"with “{head_model}”: choose another base model, or the expression space head."
        )
    if settings.encoding != "clebs":
        return (
            f"The base model “{model.name}” was not taught by contrast what is expression and what is the "
            f"person: train one whose encoding is clebs, or choose the expression space head."
        )
    if not has_way_back(model.folder):
        learn = command_line("expression-space", "CORPUS", f"--base-model {model.name}")
        return (
            f"The base model “{model.name}” was trained before expression spaces were kept: add one with "
            f"{learn}, CORPUS being what it was trained on."
        )
    return ""
