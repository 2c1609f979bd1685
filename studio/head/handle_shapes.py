"""Semantic handles: each is said in millimetres at a few points, the model's statistics fill in the rest.

A handle's coefficients are the most probable ones (least standard deviations) that take the named points
where the recipe says while the still regions stay: the conditional mean of a Gaussian. So a smile raises
the cheeks because people's smiles do, not because the recipe says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.motion import EXPRESSIONS
from studio.head import topology as mesh
from studio.head.handles import Handle
from studio.head.model import HeadModel

Move = tuple[tuple[int, ...], tuple[float | None, float | None, float | None]]
"""Points and how far they go in x, y, z in millimetres; None leaves that axis free. x points away from the
middle plane (outwards), so that one line serves both sides."""

BROW_OUTER = (70, 63, 46, 53, 300, 293, 276, 283)
BROW_MIDDLE = (105, 52, 334, 282)
BROW_INNER = (66, 107, 65, 55, 296, 336, 295, 285)
UPPER_LIP = (0, 37, 267, 39, 269)
LOWER_LIP = (17, 84, 314, 181, 405)
INNER_UPPER = (13, 82, 312, 81, 311)
INNER_LOWER = (14, 87, 317, 178, 402)
LIP_LINE = (13, 14, 82, 312, 87, 317, 81, 311, 178, 402)
CORNERS = (61, 291)
UPPER_LID_MIDDLES = (160, 159, 158, 387, 386, 385)
LOWER_LID_MIDDLES = (144, 145, 153, 373, 374, 380)


@dataclass(frozen=True)
class Recipe:
    """What a handle does at amount 1, on both sides of the face."""

    name: str
    """Stable identifier."""
    label: str
    """What a person reads."""
    group: str
    """``Mouth``, ``Eyes`` or ``Brows``."""
    moves: tuple[Move, ...] = ()
    """Where points go."""
    jaw: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Jaw rotation in radians."""
    eyelids: tuple[float, float] = (0.0, 0.0)
    """Lid closure."""
    low: float = 0.0
    """Smallest sensible amount."""
    high: float = 1.5
    """Largest sensible amount."""
    sided: bool = False
    """Whether ``_left`` and ``_right`` handles are made as well."""
    whole: bool = False
    """The move's x is meant as it stands, to the viewer's right, and not outwards."""


RECIPES = (
    Recipe("jaw_open", "Jaw open", "Mouth", jaw=(0.17, 0.0, 0.0), high=1.3),
    Recipe("jaw_side", "Jaw to the side", "Mouth", jaw=(0.0, 0.06, 0.0), low=-1.0, high=1.0),
    Recipe(
        "mouth_open",
        "Mouth open",
        "Mouth",
        ((INNER_UPPER, (None, 1.5, None)), (INNER_LOWER, (None, -4.5, None)), (CORNERS, (-0.5, -1.0, None))),
        jaw=(0.07, 0.0, 0.0),
    ),
    Recipe("smile", "Smile", "Mouth", ((CORNERS, (5.0, 4.5, -2.5)),), sided=True),
    Recipe(
        "frown",
        "Mouth corners down",
        "Mouth",
        ((CORNERS, (0.5, -3.5, None)), (LIP_LINE, (None, -0.4, None))),
        sided=True,
    ),
    Recipe(
        "mouth_wide",
        "Mouth wide",
        "Mouth",
        ((CORNERS, (5.0, 0.0, None)), (LIP_LINE, (None, 0.0, None))),
        low=-0.5,
    ),
    Recipe(
        "pucker",
        "Pucker",
        "Mouth",
        (
            (CORNERS, (-6.5, 0.0, None)),
            ((13, 14, 82, 312, 87, 317), (None, 0.0, 2.5)),
            ((0, 17), (None, None, 3.0)),
        ),
    ),
    Recipe(
        "funnel",
        "Lips rounded",
        "Mouth",
        ((CORNERS, (-4.5, 0.0, None)), (INNER_UPPER, (None, 2.0, 1.5)), (INNER_LOWER, (None, -3.0, 1.5))),
    ),
    Recipe(
        "lip_press",
        "Lips pressed",
        "Mouth",
        (
            (UPPER_LIP, (None, -1.6, None)),
            (LOWER_LIP, (None, 1.6, None)),
            ((13, 82, 312), (None, -0.2, None)),
            ((14, 87, 317), (None, 0.2, None)),
            (CORNERS, (0.0, 0.0, None)),
        ),
    ),
    Recipe(
        "upper_lip_raise",
        "Upper lip raised",
        "Mouth",
        ((INNER_UPPER, (None, 2.5, None)), (UPPER_LIP, (None, 3.0, None)), (INNER_LOWER, (None, 0.0, None))),
    ),
    Recipe(
        "lower_lip_drop",
        "Lower lip lowered",
        "Mouth",
        (
            (INNER_LOWER, (None, -3.5, None)),
            (LOWER_LIP, (None, -3.5, None)),
            (INNER_UPPER, (None, 0.0, None)),
        ),
    ),
    Recipe(
        "mouth_shift",
        "Mouth to the side",
        "Mouth",
        ((CORNERS, (4.5, None, None)), ((13, 14, 0, 17), (4.5, 0.0, None))),
        low=-1.0,
        high=1.0,
        whole=True,
    ),
    Recipe(
        "brow_raise",
        "Brows raised",
        "Brows",
        tuple((p, (None, 5.0, None)) for p in (BROW_INNER, BROW_MIDDLE, BROW_OUTER)),
        sided=True,
    ),
    Recipe(
        "brow_raise_inner",
        "Inner brows raised",
        "Brows",
        ((BROW_INNER, (None, 4.0, None)), (BROW_OUTER, (None, 0.0, None))),
    ),
    Recipe(
        "brow_raise_outer",
        "Outer brows raised",
        "Brows",
        ((BROW_OUTER, (None, 4.0, None)), (BROW_INNER, (None, 0.0, None))),
        sided=True,
    ),
    Recipe(
        "brow_lower",
        "Brows lowered",
        "Brows",
        (
            (BROW_INNER, (-1.5, -4.0, None)),
            (BROW_MIDDLE, (None, -3.5, None)),
            (BROW_OUTER, (None, -2.0, None)),
        ),
        sided=True,
    ),
    Recipe("blink", "Eyes closed", "Eyes", eyelids=(1.0, 1.0), high=1.0, sided=True),
    Recipe(
        "squint",
        "Squint",
        "Eyes",
        ((LOWER_LID_MIDDLES, (None, 1.3, None)), (UPPER_LID_MIDDLES, (None, -1.0, None))),
    ),
    Recipe(
        "eyes_wide",
        "Eyes wide",
        "Eyes",
        ((UPPER_LID_MIDDLES, (None, 1.5, None)), (LOWER_LID_MIDDLES, (None, -0.4, None))),
    ),
)
"""All handles. Puffed cheeks and wrinkled noses are missing: MediaPipe's points do not follow them."""

SIDES = (("left", "viewer's left", -1.0), ("right", "viewer's right", 1.0))


def make_handles(model: HeadModel, recipes: tuple[Recipe, ...] = RECIPES) -> dict[str, Handle]:
    """Handles for a model whose vertices are MediaPipe's points, in the order of the recipes."""
    handles = {}
    for recipe in recipes:
        handles[recipe.name] = _solve(model, recipe, 0.0)
        if recipe.sided:
            for suffix, side_label, side in SIDES:
                half = replace(recipe, name=f"{recipe.name}_{suffix}", label=f"{recipe.label}, {side_label}")
                handles[half.name] = _solve(model, half, side)
    return handles


def _solve(model: HeadModel, recipe: Recipe, side: float) -> Handle:
    """One handle; ``side`` -1 keeps the viewer's left half of it, 1 the right half, 0 both."""
    eyelids = np.array(recipe.eyelids, np.float32)
    if side:
        eyelids *= np.array([side < 0, side > 0], np.float32)
    expression = np.zeros(EXPRESSIONS)
    if recipe.moves:
        expression = _most_probable(model, recipe, side)
    return Handle(
        recipe.name,
        recipe.label,
        recipe.group,
        expression.astype(np.float32),
        np.array(recipe.jaw, np.float32),
        eyelids,
        recipe.low,
        recipe.high,
    )


def _most_probable(model: HeadModel, recipe: Recipe, side: float) -> npt.NDArray[np.float64]:
    basis = model.expression_basis.astype(np.float64) * 1e3
    x = model.template[:, 0]
    rows, wanted, weights = [], [], []
    # The jaw's part of the recipe moves points by itself: the expression adds what is missing.
    for points, target in recipe.moves:
        kept = [p for p in points if not side or x[p] * side > -0.002]
        for axis, millimetres in enumerate(target):
            if millimetres is None:
                continue
            for p in kept:
                outwards = 1.0 if recipe.whole or axis else float(np.sign(x[p]))
                if axis == 0 and not recipe.whole and abs(x[p]) < 0.002:
                    continue
                rows.append(basis[:, p, axis])
                wanted.append(millimetres * outwards)
                weights.append(1.0 / (MOVE_SLACK**2 * len(kept)))
    for still, slack in _still(model, recipe, side):
        for axis in range(3):
            rows.extend(basis[:, still, axis].T)
            wanted.extend([0.0] * len(still))
            weights.extend([1.0 / (slack**2 * len(still))] * len(still))
    a, b, w = np.array(rows), np.array(wanted), np.array(weights)
    if not side and not recipe.whole:
        # Both sides alike: only symmetric components take part (each is symmetric or its opposite).
        mirrored = model.expression_basis[:, mesh.topology().mirror] * np.array([-1.0, 1.0, 1.0])
        alike = (mirrored * model.expression_basis).sum((1, 2)) > 0
        a = a * alike
    normal = (a * w[:, None]).T @ a + np.eye(EXPRESSIONS) * PRIOR
    return np.asarray(np.linalg.solve(normal, a.T @ (w * b)))


MOVE_SLACK = 0.15
"""How exactly points go where the recipe says, millimetres."""
STILL_SLACK = 0.12
"""How still the still regions are, millimetres."""
PRIOR = 0.25
"""Weight of a standard deviation against the slacks."""


def _still(model: HeadModel, recipe: Recipe, side: float) -> list[tuple[npt.NDArray[np.intp], float]]:
    """Regions that must not move, with how strictly."""
    points: Floats = model.template
    eye_line = points[list(mesh.IRISES[0] + mesh.IRISES[1]), 1].mean()
    nose_base = points[2, 1]
    moved = {p for group, _ in recipe.moves for p in group}
    rest = np.array([v not in moved for v in range(len(points))])
    rest[list(np.ravel(mesh.IRISES))] = False
    regions: list[tuple[npt.NDArray[np.intp], float]] = []
    lower_face = points[:, 1] < nose_base + 0.004
    upper_face = points[:, 1] > eye_line + 0.008
    around_eyes = (points[:, 1] > eye_line - 0.012) & ~upper_face
    if recipe.group == "Mouth":
        regions.append((np.flatnonzero(rest & (upper_face | around_eyes)), STILL_SLACK))
    else:
        regions.append((np.flatnonzero(rest & lower_face), STILL_SLACK))
        if recipe.group == "Brows":
            lids = np.zeros(len(points), bool)
            lids[[p for s in (0, 1) for p in (*mesh.UPPER_LIDS[s], *mesh.LOWER_LIDS[s])]] = True
            regions.append((np.flatnonzero(lids), STILL_SLACK))
        else:
            regions.append((np.flatnonzero(rest & upper_face), STILL_SLACK * 2))
    if side:
        regions.append((np.flatnonzero(points[:, 0] * side < -0.006), STILL_SLACK * 0.6))
        others = np.array([p for p in moved if points[p, 0] * side < -0.006], np.intp)
        if len(others):
            regions.append((others, STILL_SLACK * 0.6))
    return regions
