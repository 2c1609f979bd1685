"""A base model's space of expressions for other engines: to its coefficients and back. Loads no torch.

::

    <base model>/expression_space.safetensors    the way back; the way there is in the network's own weights

The way there is learned basis scaling (:mod:`studio.engines.export3d.expression`), n coefficients that were
taught by contrast not to tell who it is. The way back gives the mean of all expressions that have these
coefficients, over the people whom the model has learnt from: what coefficients do not say is nobody's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head import HeadModel
from studio.head.expression_numbers import EXPRESSION, expression_numbers, with_numbers
from studio.one_picture.base_models import WEIGHTS, damaged
from studio.project.atomic import write_bytes

FILE = "expression_space.safetensors"
"""The way back, in a base model's folder."""
SLOPE = 0.2
"""Of the leaky rectifier between the linear layers."""
_LAYERS = ("read.0.weight", "read.0.bias", "read.2.weight", "read.2.bias")
_VERSION = 1


@dataclass(frozen=True, eq=False)
class ScalingLayers:
    """The way there: two linear layers, those of
    :meth:`~studio.engines.export3d.expression.BasisScaling.scales`."""

    weight: Floats
    """``[hidden, 57]``"""
    bias: Floats
    """``[hidden]``"""
    last_weight: Floats
    """``[n, hidden]``"""
    last_bias: Floats
    """``[n]``"""

    def scales(self, numbers: Floats) -> Floats:
        """Expressions ``[T, 57]`` to coefficients λ ``[T, n]``."""
        hidden = np.arcsinh(numbers) @ self.weight.T + self.bias
        hidden = np.where(hidden > 0.0, hidden, SLOPE * hidden)
        return np.asarray(hidden @ self.last_weight.T + self.last_bias, np.float32)


@dataclass(frozen=True, eq=False)
class WayBack:
    """The way back: ``mean + (λ - centre) @ weight``."""

    centre: Floats
    """``[n]`` mean coefficients of the people who were learnt from."""
    mean: Floats
    """``[57]`` their mean expression."""
    weight: Floats
    """``[n, 57]`` how an expression changes with each coefficient."""
    people: int
    """How many people it was learnt from."""
    strength: float
    """The ridge's, over coefficients of deviation one."""

    def numbers(self, scales: Floats) -> Floats:
        """Coefficients ``[T, n]`` to the mean expression ``[T, 57]`` that has them."""
        return np.asarray(self.mean + (scales - self.centre) @ self.weight, np.float32)


@dataclass(frozen=True, eq=False)
class ExpressionSpace:
    """There and back."""

    there: ScalingLayers
    """To coefficients."""
    back: WayBack
    """From them."""
    name: str = ""
    """Of the base model."""

    def numbers(self, numbers: Floats) -> Floats:
        """``[T, 57]`` as far as coefficients tell it, in the mean of everybody who was learnt from."""
        return self.back.numbers(self.there.scales(numbers))

    def carry(self, motion: HeadMotion, model: HeadModel) -> HeadMotion:
        """A motion whose expression and jaw are those of its coefficients.

        Lids and gaze stay: retargeting counts them from each person's own open eyes and usual look already,
        and ten coefficients say too little about when an eye closes.
        """
        told = with_numbers(motion, self.numbers(expression_numbers(motion, model)), model)
        return replace(motion, expression=told.expression, jaw=told.jaw)


def load_layers(folder: Path) -> ScalingLayers:
    """The way there of the base model in a folder, from its network's weights.

    Raises:
        Problem: they are missing or damaged, or the network has no such coefficients.
    """
    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            names = [f"expression.{name}" for name in _LAYERS]
            layers = ScalingLayers(*(np.asarray(file.get_tensor(name), np.float32) for name in names))
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(folder, error) from error
    if layers.weight.shape[1] != EXPRESSION:
        raise damaged(folder, ValueError(f"{layers.weight.shape[1]} expression numbers"))
    return layers


def save_way_back(folder: Path, back: WayBack) -> None:
    """Write it into a base model's folder, replacing what is there."""
    tensors = {"centre": back.centre, "mean": back.mean, "weight": back.weight}
    about = {"version": _VERSION, "people": back.people, "strength": back.strength}
    plain = {name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}
    # One entry, because several have no order there, and equal files should be equal.
    write_bytes(folder / FILE, save(plain, {"about": json.dumps(about)}))


def has_way_back(folder: Path) -> bool:
    """Whether a base model has one."""
    return (folder / FILE).is_file()


def load_expression_space(folder: Path, name: str = "") -> ExpressionSpace:
    """The space of the base model in a folder.

    Raises:
        Problem: it has none, or files are damaged or of another version.
    """
    there = load_layers(folder)
    try:
        with safe_open(folder / FILE, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["about"])
            if about["version"] != _VERSION:
                raise Problem(
                    f"The expression space in {folder} was written by another version of the program: train "
                    "the base model again."
                )
            centre, mean, weight = (file.get_tensor(each) for each in ("centre", "mean", "weight"))
        back = WayBack(centre, mean, weight, int(about["people"]), float(about["strength"]))
    except (OSError, SafetensorError, ValueError, LookupError, TypeError) as error:
        raise damaged(folder, error) from error
    if back.weight.shape != (len(there.last_bias), EXPRESSION) or back.mean.shape != (EXPRESSION,):
        raise damaged(folder, ValueError(f"a way back of {back.weight.shape}"))
    return ExpressionSpace(there, back, name)
