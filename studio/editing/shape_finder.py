"""From measures to a shape: the likeliest person whose measures are as wished.

Identity coefficients are standard deviations over people, so the likeliest face among all with some measures
is the one of least squares: a Gaussian's conditional mean. Measures are ratios, and a few Gauss-Newton steps
take them as exactly as their slack says.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.edits import Edit, ShapeShift
from studio.domain.problem import Problem
from studio.editing.shape_measures import MEASURES, measured
from studio.editing.shapes import SHAPES, Shape, ShapeWish
from studio.head import HeadModel, builtin_head
from studio.head.topology import INNER_LOWER_LIP, INNER_UPPER_LIP, IRISES, topology

if TYPE_CHECKING:  # torch
    from studio.editing.method import Workplace
    from studio.editing.person import LatentPerson

EXACTNESS = 0.7
"""Percent by which a wished measure may miss, against one standard deviation of one coefficient."""
EYES_STAY = 0.3
"""Millimetres by which the middles of the eyes may move: a shape is no shift of the face."""
LIPS_STAY = 0.35
"""Millimetres by which the gap between closed lips may change: fuller lips do not bite each other."""
STEPS = 6
"""Gauss-Newton steps; after three nothing moves that one could see."""
FARTHEST = 6.0
"""Standard deviations beyond which a wished coefficient is nobody's."""
_PAIR = re.compile(r"(\d{1,4})\s*[:=]\s*([-+]?\d+(?:\.\d*)?|[-+]?\.\d+)", re.ASCII)


def find_shape(person: LatentPerson | None, wish: ShapeWish, workplace: Workplace) -> Edit:
    """An edit of the face's shape; see :class:`studio.editing.method.EditMethod`. Needs no person.

    Raises:
        Problem: coefficients that cannot be read, or that the head model does not have.
    """
    model = builtin_head()
    if wish.shape == "coefficients":
        identity = read_coefficients(wish.coefficients, model.identities)
        used, holds = [str(k) for k in np.flatnonzero(identity)], 1.0
        name, title = f"identity_{'_'.join(used)}"[:48], f"Identity {', '.join(used)}"
    else:
        if wish.coefficients.strip():
            raise Problem(
                f"Coefficients were given, but the shape wished for is {wish.shape}: ask for the shape "
                "coefficients, or leave them out."
            )
        shape = next(shape for shape in SHAPES if shape.name == wish.shape)
        identity, name, title = named_shape(shape.name).copy(), shape.name, shape.title
        holds = shape.holds
    growth = measured(model.neutral(identity, np.zeros_like(model.template))) - measured(model.template)
    return Edit(
        name=name,
        title=title,
        method="shape",
        effect=ShapeShift(identity, model.id),
        strength=holds,
        suggested=(-holds, holds),
        found={
            "shape": wish.shape,
            "deviations": round(float(np.linalg.norm(identity)), 2),
            "percent": {name: round(float(value), 1) for name, value in zip(MEASURES, growth)},
        },
    )


@cache
def named_shape(name: str) -> Floats:
    """``[I]`` identity coefficients of one of ``SHAPES``, of the built-in head. Not to be written to."""
    shape = next(shape for shape in SHAPES if shape.name == name)
    return shape_identity(builtin_head(), shape)


def shape_identity(model: HeadModel, shape: Shape) -> Floats:
    """``[I]`` the identity coefficients that a shape adds at strength 1.

    Args:
        model: a head whose vertices are MediaPipe's points.
        shape: what to do; both sides of the face alike.
    """
    basis, template = model.identity_basis.astype(np.float64), model.template.astype(np.float64)
    # Each component is symmetric or its opposite: only the former take part.
    mirrored = basis[:, topology().mirror] * np.array([-1.0, 1.0, 1.0])
    alike = np.flatnonzero((mirrored * basis).sum((1, 2)) > 0)
    basis = basis[alike]
    moves = dict(shape.moves)
    wanted = np.array([moves.get(name, 0.0) for name in MEASURES])
    slack = np.array([EXACTNESS if name in moves else m.slack for name, m in MEASURES.items()])
    weight = np.where([name in shape.free for name in MEASURES], 0.0, 1.0 / slack)
    eyes = 1e3 / EYES_STAY * basis[:, [eye[0] for eye in IRISES], :2]
    gaps = 1e3 / LIPS_STAY * (basis[:, INNER_UPPER_LIP, 1] - basis[:, INNER_LOWER_LIP, 1])
    still = np.concatenate([eyes.reshape(len(basis), -1), gaps], 1).T
    start = measured(template)

    def growth(amounts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(measured(template + np.tensordot(amounts, basis, 1)) - start, np.float64)

    amounts = np.zeros(len(basis))
    for _ in range(STEPS):
        slopes = np.stack(
            [(growth(amounts + d) - growth(amounts - d)) / 2e-3 for d in 1e-3 * np.eye(len(basis))]
        )
        rows = np.concatenate([slopes.T * weight[:, None], still])
        aims = np.concatenate([weight * (wanted - growth(amounts) + amounts @ slopes), np.zeros(len(still))])
        amounts = np.linalg.solve(rows.T @ rows + np.eye(len(basis)), rows.T @ aims)
    out = np.zeros(model.identities, np.float32)
    out[alike] = amounts
    return out


def read_coefficients(text: str, count: int) -> Floats:
    """``[count]`` from words like ``0:1.5 3:-2``.

    Raises:
        Problem: nothing, something else, or numbers out of range.
    """
    words = [word for word in re.split(r"[\s,;]+", re.sub(r"\s*([:=])\s*", r"\1", text.strip())) if word]
    if not words:
        raise Problem("Say which identity coefficients to move, and by how much, as in 0:1.5 3:-2.")
    out = np.zeros(count, np.float32)
    for word in words:
        found = _PAIR.fullmatch(word)
        if found is None:
            raise Problem(
                f"{word[:40]!r} is no identity coefficient: write number and amount, as in 0:1.5 3:-2."
            )
        number, amount = int(found[1]), float(found[2])
        if number >= count:
            raise Problem(f"There is no identity coefficient {number}: they go from 0 to {count - 1}.")
        if abs(amount) > FARTHEST:
            raise Problem(
                f"Identity coefficient {number} cannot be {amount:g}: nobody is farther than {FARTHEST:g} "
                "standard deviations from the average."
            )
        out[number] += np.float32(amount)
    if not out.any():
        raise Problem("These identity coefficients are all zero and change nothing: give one another amount.")
    return out


def all_shapes() -> dict[str, Floats]:
    """Every named shape's coefficients."""
    return {shape.name: named_shape(shape.name) for shape in SHAPES}
