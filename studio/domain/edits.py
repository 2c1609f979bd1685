"""Edits: what is changed about a person, as data; every edit is one more control of their avatar.

An edit says in which space it acts. Engines apply what their avatars have: shape and colour with every
engine, latents where there is a generator. The strength of each is a column of the control sheet, so sliders,
keyframes, control files, live pictures and exports know edits without being told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np

from studio.domain.camera import Floats
from studio.domain.controls import Control, ControlSheet, ControlState

Space = Literal["w", "w+", "style", "shape", "expression", "colour"]
"""Where an edit acts: one latent for all layers, a latent for each layer, StyleSpace, the head's own shape,
what the face expresses, or the picture's colours."""
Region = Literal["skin", "hair", "lips", "eyes", "person"]
"""Parts of a person that can have another colour; ``eyes`` are the irises."""
PREFIX = "edit_"
"""Begins the names of controls that are edits."""
GROUP = "Edits"
"""Heading under which they stand."""
REGIONS: tuple[Region, ...] = get_args(Region)
"""Every region."""
NAME = re.compile(r"[a-z0-9_]{1,48}")
"""What an edit may be called."""


@dataclass(frozen=True, eq=False)
class LatentShift:
    """Added to the latents: ``w⁺ + strength · rows``."""

    rows: Floats
    """``[num_ws, w_dim]``, or ``[1, w_dim]`` for all layers alike."""

    def __post_init__(self) -> None:
        _check(self.rows.ndim == 2 and self.rows.size > 0, self)


@dataclass(frozen=True, eq=False)
class StyleShift:
    """Added to the styles of StyleSpace: ``s + strength · channels``."""

    channels: Floats
    """``[C]``, in the order of ``SynthesisNetwork.styles``, one layer after the other."""

    def __post_init__(self) -> None:
        _check(self.channels.ndim == 1 and self.channels.size > 0, self)


@dataclass(frozen=True, eq=False)
class LatentMap:
    """A StyleCLIP mapper: ``w⁺ + strength · M(w⁺)``, by one network for each group of rows.

    Every network is a PixelNorm and L fully connected layers, all but the last followed by a leaky rectifier
    of slope 0.2; rows that no group holds are left alone.
    """

    groups: tuple[tuple[int, int], ...]
    """First row and one past the last of each group G."""
    weights: Floats
    """``[G, L, w_dim, w_dim]`` as they are multiplied: output, input."""
    biases: Floats
    """``[G, L, w_dim]``."""
    scale: float = 0.1
    """What a network gives is multiplied by this."""

    def __post_init__(self) -> None:
        ends = [end for group in self.groups for end in group]
        _check(self.biases.ndim == 3 and len(self.biases) == len(self.groups) > 0, self)
        _check(self.weights.shape == (*self.biases.shape, self.biases.shape[-1]), self)
        # In order and apart from each other, so that no row is moved twice.
        _check(all(a < b for a, b in self.groups) and ends == sorted(ends) and ends[0] >= 0, self)


@dataclass(frozen=True, eq=False)
class ShapeShift:
    """Added to the person's identity: another shape of the same head."""

    identity: Floats
    """``[I]`` coefficients of the head model's identity basis, standard deviations over people."""
    head_model: str
    """Which model they belong to."""

    def __post_init__(self) -> None:
        _check(self.identity.ndim == 1 and self.identity.size > 0, self)


@dataclass(frozen=True, eq=False)
class ExpressionShift:
    """Added to what the face expresses, whatever moves it; lips keep their motion
    (:mod:`studio.head.lips`)."""

    direction: Floats
    """``[55]`` change of expression, jaw and eyelids, in the head model's own units. Eyelids take it the less
    the more they are closed, so that a blink stays one."""
    head_model: str
    """Which model they belong to."""
    calm: float = 0.0
    """Share of the face's own expression that is taken away, but for what opens and closes the lips, 0..1."""

    def __post_init__(self) -> None:
        _check(self.direction.shape == (55,) and 0.0 <= self.calm <= 1.0, self)


@dataclass(frozen=True, eq=False)
class Recolour:
    """A region's colours moved in CIE Lab."""

    region: Region
    """What is recoloured."""
    shift: tuple[float, float, float]
    """Added to L (0..100), a and b at strength 1."""

    def __post_init__(self) -> None:
        _check(self.region in REGIONS and len(self.shift) == 3, self)


@dataclass(frozen=True, eq=False)
class Relight:
    """The person lit from another side: brightness times ``1 + strength · (n · direction + ambient)``."""

    direction: tuple[float, float, float]
    """As the viewer sees it: x to the right, y up, z towards the viewer; its length is the contrast."""
    ambient: float = 0.0
    """Added everywhere on the person."""
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """How much of that red, green and blue take part in."""

    def __post_init__(self) -> None:
        _check(len(self.direction) == 3 and len(self.tint) == 3, self)


Effect = LatentShift | StyleShift | LatentMap | ShapeShift | ExpressionShift | Recolour | Relight
EFFECTS: Mapping[str, type[Any]] = {
    "latent": LatentShift,
    "style": StyleShift,
    "map": LatentMap,
    "shape": ShapeShift,
    "expression": ExpressionShift,
    "recolour": Recolour,
    "relight": Relight,
}
"""What an effect is called in files, to its class."""
LATENT: tuple[type[Effect], ...] = (LatentShift, StyleShift, LatentMap)
"""Effects that mean something to one generator alone."""


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of a person. Raises ValueError for a name, strengths or ways of finding that cannot be."""

    name: str
    """Short, of small letters, digits and underscores: its control is ``edit_<name>``."""
    title: str
    """What a person reads, e.g. the prompt."""
    method: str
    """Id of the method that found it, e.g. ``styleclip-global``."""
    effect: Effect
    """What it does."""
    strength: float = 1.0
    """How much of it shows where nothing else is said; beyond ``suggested`` at the user's own risk."""
    suggested: tuple[float, float] = (0.0, 1.0)
    """Strengths at which the person stays who they are, as far as it was measured."""
    limits: tuple[float, float] = (-2.0, 2.0)
    """Strengths that are accepted."""
    on: bool = True
    """Whether it shows; one that is off rests at strength 0."""
    found: Mapping[str, Any] = field(default_factory=dict)
    """How it was found (prompts, settings, figures), as JSON values."""

    def __post_init__(self) -> None:
        low, high = self.limits
        if NAME.fullmatch(self.name) is None:
            raise ValueError(f"no name for an edit: {self.name!r}")
        numbers = (*self.limits, *self.suggested, self.strength)
        if not np.isfinite(numbers).all() or not low <= 0.0 <= high or low == high:
            raise ValueError(f"no strengths: {self.strength} suggested {self.suggested} within {self.limits}")
        if not low <= self.strength <= high or not low <= self.suggested[0] <= self.suggested[1] <= high:
            raise ValueError(f"{self.strength} or suggested {self.suggested} is not within {self.limits}")
        # Through JSON, so that it is the same after it was stored, and nobody can change it from outside.
        try:
            found = json.loads(json.dumps(dict(self.found), allow_nan=False))
        except TypeError as error:
            raise ValueError(f"how {self.name!r} was found holds what JSON does not know: {error}") from error
        object.__setattr__(self, "found", found)

    @property
    def control_name(self) -> str:
        """Name of its control."""
        return PREFIX + self.name

    @property
    def space(self) -> Space:
        """Where it acts."""
        effect = self.effect
        if isinstance(effect, LatentShift):
            return "w" if len(effect.rows) == 1 else "w+"
        if isinstance(effect, LatentMap):
            return "w+"
        if isinstance(effect, StyleShift):
            return "style"
        if isinstance(effect, ExpressionShift):
            return "expression"
        return "shape" if isinstance(effect, ShapeShift) else "colour"

    @property
    def rests_at(self) -> float:
        """How much of it shows where nothing else is said."""
        return self.strength if self.on else 0.0

    @property
    def control(self) -> Control:
        """It as a knob; at rest it shows at its strength, or not at all when it is off."""
        low, high = self.limits
        return Control(
            name=self.control_name,
            label=self.title,
            kind="amount",
            group=GROUP,
            low=low,
            high=high,
            default=self.rests_at,
            hint="Strength of this edit; 0 shows the person as filmed.",
            reliable=self.suggested,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Edit) and _plain(self) == _plain(other)

    def __hash__(self) -> int:
        return hash((self.name, self.title, self.method))


@dataclass(frozen=True)
class EditStack:
    """Edits in the order in which they are applied; names are different from each other."""

    edits: tuple[Edit, ...] = ()
    """First applied first."""

    def __post_init__(self) -> None:
        names = [edit.name for edit in self.edits]
        if len(set(names)) != len(names):
            raise ValueError(f"edits of the same name: {names}")

    def __len__(self) -> int:
        return len(self.edits)

    def find(self, name: str) -> Edit:
        """The edit of a name. Raises KeyError when there is none."""
        for edit in self.edits:
            if edit.name == name:
                return edit
        raise KeyError(name)

    def put(self, edit: Edit) -> EditStack:
        """With an edit in the place of the one of its name, or at the end."""
        if any(one.name == edit.name for one in self.edits):
            return EditStack(tuple(edit if one.name == edit.name else one for one in self.edits))
        return EditStack((*self.edits, edit))

    def without(self, name: str) -> EditStack:
        """Without the edit of a name. Raises KeyError when there is none."""
        gone = self.find(name)
        return EditStack(tuple(one for one in self.edits if one is not gone))

    def moved(self, name: str, place: int) -> EditStack:
        """With an edit at another place, 0 first. Raises KeyError when there is none of that name."""
        edit = self.find(name)
        rest = [one for one in self.edits if one is not edit]
        rest.insert(min(max(place, 0), len(rest)), edit)
        return EditStack(tuple(rest))

    def changed(self, name: str, /, **changes: Any) -> EditStack:
        """With fields of one edit changed, its name if need be; it keeps its place.

        Raises:
            KeyError: there is none of that name.
            ValueError: the changes make no edit, or its new name is another's.
        """
        old = self.find(name)
        new = replace(old, **changes)
        return EditStack(tuple(new if one is old else one for one in self.edits))

    def ordered(self, names: Sequence[str]) -> EditStack:
        """With these edits first, in this order, the others behind them as they were. Raises KeyError when
        there is none of such a name, ValueError when one is named twice."""
        first = [self.find(name) for name in names]
        if len(set(names)) != len(names):
            raise ValueError(f"an order names an edit twice: {list(names)}")
        return EditStack((*first, *(one for one in self.edits if one.name not in names)))

    def sheet(self, sheet: ControlSheet) -> ControlSheet:
        """A sheet with a control for every edit behind its own."""
        return ControlSheet((*sheet.controls, *(edit.control for edit in self.edits)))

    def strengths(self, state: ControlState) -> Floats:
        """``[E]`` how much of each edit a state asks for; where it does not say, what the edit rests at."""
        places = _places(state.names, tuple(edit.control_name for edit in self.edits))
        rest = [edit.rests_at for edit in self.edits]
        values = [rest[k] if place < 0 else state.values[place] for k, place in enumerate(places)]
        return np.array(values, np.float32)

    def of(self, *kinds: type[Effect]) -> tuple[int, ...]:
        """Places of the edits with effects of these kinds, in order."""
        return tuple(k for k, edit in enumerate(self.edits) if isinstance(edit.effect, kinds))


@lru_cache(maxsize=64)
def _places(names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...]:
    position = {name: k for k, name in enumerate(names)}
    return tuple(position.get(name, -1) for name in wanted)


def _check(fits: bool, effect: object) -> None:
    """Raise ValueError unless an effect's parts fit each other and every number is one."""
    values = [getattr(effect, one.name) for one in fields(effect)]  # type: ignore[arg-type]
    numbers = [value for value in values if not isinstance(value, str)]
    if not fits or not all(np.isfinite(value).all() for value in numbers):
        shapes = [value.shape if isinstance(value, np.ndarray) else value for value in values]
        raise ValueError(f"no {type(effect).__name__}: {shapes}")


def _plain(edit: Edit) -> tuple[object, ...]:
    """An edit as values that compare."""
    effect = [
        (value.shape, np.asarray(value, np.float32).tobytes()) if isinstance(value, np.ndarray) else value
        for value in (getattr(edit.effect, one.name) for one in fields(edit.effect))
    ]
    own = [getattr(edit, one.name) for one in fields(edit) if one.name not in ("effect", "found")]
    return (type(edit.effect), *effect, *own, dict(edit.found))
