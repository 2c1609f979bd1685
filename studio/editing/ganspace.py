"""GANSpace (Härkönen et al., NeurIPS 2020): the directions along which a person's latents vary most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Interval

from studio.assets import AssetLibrary
from studio.domain.edits import Edit, LatentShift
from studio.domain.problem import Problem
from studio.editing.layer_rows import RowGroup
from studio.editing.method import MethodSpec, Workplace

if TYPE_CHECKING:  # torch, which a list of methods must not load
    from studio.domain.camera import Floats
    from studio.editing.person import LatentPerson

ID = "ganspace"
_WITHIN = (2.0, 98.0)
"""Percentiles of the samples between which strengths are suggested."""


@dataclass(frozen=True)
class GanSpaceWish:
    """Which component becomes an edit."""

    component: Annotated[int, Ge(1)] = 1
    """Which one, the strongest first; the contact sheet shows them."""
    rows: RowGroup = "all"
    """Rows that move: coarse ones shape pose and form, fine ones colour."""
    space: Literal["w", "w+"] = "w+"
    """w: components of the mean over the rows, the same for each. w+: of all rows together."""
    samples: Annotated[int, Interval(ge=40, le=5000)] = 1000
    """Latents of the person from which components are worked out; none is drawn."""
    seed: Annotated[int, Ge(0)] = 0
    """Of the samples."""


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of a person's latents, K of them, the strongest first."""

    space: Literal["w", "w+"]
    """Of the mean over the rows, or of all rows."""
    num_ws: int
    """Rows of a latent."""
    directions: Floats
    """``[K, 1 or num_ws, w_dim]``, each of length 1."""
    deviations: Floats
    """``[K]`` standard deviation of the samples along each."""
    shares: Floats
    """``[K]`` of the samples' whole variance; they sum to 1 at most."""
    within: Floats
    """``[K, 2]`` between which most samples lie, in deviations."""

    def shift(self, component: int, rows: RowGroup = "all") -> LatentShift:
        """One deviation along a component, counted from 0, on some of the rows. Raises Problem for rows that
        there are none of."""
        from studio.editing.layer_rows import rows_of, shift_of

        chosen = rows_of(rows, self.num_ws)
        step = self.deviations[component] * self.directions[component]
        return shift_of(step if len(step) == 1 else step[chosen.start : chosen.stop], chosen, self.num_ws)


def find(person: LatentPerson | None, wish: Any, workplace: Workplace) -> Edit:
    """One component as an edit; strength 1 is one standard deviation. Raises Problem when there are fewer."""
    assert person is not None
    assert isinstance(wish, GanSpaceWish)
    workplace.progress(0, None, "looking at how this person varies")
    found = principal_components(person, wish.space, wish.samples, wish.seed)
    if wish.component > len(found.deviations):
        raise Problem(
            f"This person's latents have {len(found.deviations)} components, so there is none of number "
            f"{wish.component}: choose a smaller one."
        )
    k = wish.component - 1
    low, high = (round(float(end), 3) for end in found.within[k])
    low, high = min(low, -0.5), max(high, 0.5)
    limit = 2.0 * max(high, -low)
    where = "" if wish.rows == "all" else f"_{wish.rows}"
    return Edit(
        name=f"component_{wish.component}{where}",
        title=f"Component {wish.component}{'' if wish.rows == 'all' else f' ({wish.rows})'}",
        method=ID,
        effect=found.shift(k, wish.rows),
        strength=min(1.0, high),
        suggested=(low, high),
        limits=(-limit, limit),
        found={
            "component": wish.component,
            "space": wish.space,
            "rows": wish.rows,
            "samples": wish.samples,
            "seed": wish.seed,
            "share_of_variance": round(float(found.shares[k]), 5),
        },
    )


def principal_components(
    person: LatentPerson, space: Literal["w", "w+"], samples: int = 1000, seed: int = 0, most: int = 80
) -> Components:
    """Components of a person's latents, always the same for the same arguments.

    Args:
        person: gives the samples.
        space: ``w``: the mean over the rows counts. ``w+``: all rows count.
        samples: how many latents.
        seed: of the samples.
        most: how many components at most (GANSpace publishes 80).

    Returns:
        Those along which the samples vary at all. A component's largest number is positive.
    """
    import numpy as np

    ws = person.sample(samples, seed).ws.detach().cpu().double().numpy()
    flat = ws.mean(1) if space == "w" else ws.reshape(len(ws), -1)
    flat = flat - flat.mean(0)
    _, strengths, axes = np.linalg.svd(flat, full_matrices=False)
    kept = min(most, int((strengths > 1e-6 * max(strengths[0], 1e-12)).sum()))
    if kept == 0:
        raise Problem("This person's samples are all the same, so they have no components.")
    axes = axes[:kept]
    largest = np.abs(axes).argmax(1)
    axes *= np.sign(axes[np.arange(kept), largest])[:, None]
    along = flat @ axes.T
    deviations = along.std(0)
    return Components(
        space,
        person.num_ws,
        axes.reshape(kept, -1, person.w_dim).astype(np.float32),
        deviations.astype(np.float32),
        (strengths[:kept] ** 2 / (strengths**2).sum()).astype(np.float32),
        (np.percentile(along, _WITHIN, axis=0) / deviations).T.astype(np.float32),
    )


def _missing(_: AssetLibrary) -> str | None:
    return None


SPEC = MethodSpec(
    id=ID,
    title="Main variation (GANSpace)",
    summary=(
        "Moves latents along the directions in which this person's own vary most; a contact sheet shows what "
        "each does. Takes seconds."
    ),
    spaces=("w", "w+"),
    generator=True,
    finder="studio.editing.ganspace:find",
    wish="studio.editing.ganspace:GanSpaceWish",
    missing=_missing,
)
"""The catalog's entry."""
