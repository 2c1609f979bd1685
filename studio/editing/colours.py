"""Other colours and other light, as data: no weights, every avatar, and no text that is understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from studio.domain.edits import Edit, Recolour, Region, Relight
from studio.domain.problem import Problem
from studio.editing.method import MethodSpec

if TYPE_CHECKING:
    from studio.editing.method import Workplace
    from studio.editing.person import LatentPerson

Lab = tuple[float, float, float]
LEAST_SEEN: Mapping[Region, float] = {
    "skin": 0.02,
    "hair": 0.01,
    "lips": 0.001,
    "eyes": 0.0002,
    "person": 0.0,
}
"""Share of the person that a region must cover to be there at all."""
REGIONS: Mapping[Region, str] = {
    "skin": "Skin",
    "hair": "Hair",
    "lips": "Lips",
    "eyes": "Irises",
    "person": "Whole person",
}
"""What can be recoloured, to what a person reads."""


DULLER = 2.0
"""Power of light by which a look has less colour where it keeps more darkness."""


@dataclass(frozen=True)
class Look:
    """Another colour by name."""

    name: str
    """Stable identifier; what its edit is called."""
    title: str
    """What a person reads."""
    region: Region
    """What is recoloured."""
    to: str = ""
    """The colour that the region's mean comes to at strength 1, ``#rrggbb``; or…"""
    shift: Lab = (0.0, 0.0, 0.0)
    """…what is added to its Lab."""
    keeps: float = 0.0
    """Share of its own lightness that the region's mean keeps, 0..1: on black hair red is auburn, and on fair
    hair copper."""

    def colour(self, own: Lab) -> Lab:
        """Lab that a mean of Lab ``own`` comes to at strength 1."""
        if not self.to:
            return own[0] + self.shift[0], own[1] + self.shift[1], own[2] + self.shift[2]
        lightness, a, b = lab_of(self.to)
        kept = lightness + self.keeps * (own[0] - lightness)
        light = min((kept + 16.0) / (lightness + 16.0), 1.0) ** DULLER
        return kept, a * light, b * light


LOOKS = (
    Look("blond_hair", "Blond hair", "hair", "#a38058", keeps=0.4),
    Look("red_hair", "Red hair", "hair", "#6d4426", keeps=0.5),
    Look("brown_hair", "Brown hair", "hair", "#4f3422", keeps=0.3),
    Look("black_hair", "Black hair", "hair", "#1d1916", keeps=0.1),
    Look("grey_hair", "Grey hair", "hair", "#8b8781", keeps=0.4),
    Look("blue_hair", "Blue hair", "hair", "#40506a", keeps=0.5),
    Look("tanned", "Tanned", "skin", shift=(-5.0, 1.5, 3.5)),
    Look("pale", "Pale", "skin", shift=(5.0, -2.0, -3.0)),
    Look("rosy", "Rosy", "skin", shift=(0.0, 4.0, 1.0)),
    Look("red_lips", "Red lips", "lips", "#9a4843", keeps=0.4),
    Look("soft_lips", "Soft lips", "lips", shift=(4.0, -5.0, 2.0)),
    Look("blue_eyes", "Blue eyes", "eyes", "#4a6078", keeps=0.4),
    Look("green_eyes", "Green eyes", "eyes", "#5c674d", keeps=0.4),
    Look("brown_eyes", "Brown eyes", "eyes", "#4d3320"),
)
"""Colours by name."""


@dataclass(frozen=True)
class Light:
    """Another light by name; see :class:`studio.domain.edits.Relight`."""

    name: str
    """Stable identifier; what its edit is called."""
    title: str
    """What a person reads."""
    direction: Lab
    """Where it comes from, as the viewer sees it (right, up, towards them); its length is the contrast."""
    ambient: float = 0.0
    """Added everywhere on the person."""
    tint: Lab = (1.0, 1.0, 1.0)
    """How much of that red, green and blue take part in."""


LIGHTS = (
    Light("light_left", "Light from the left", (-0.55, 0.15, 0.0)),
    Light("light_right", "Light from the right", (0.55, 0.15, 0.0)),
    Light("light_above", "Light from above", (0.0, 0.55, 0.1), -0.05),
    Light("light_below", "Light from below", (0.0, -0.5, 0.1), -0.05),
    Light("light_front", "Light from the front", (0.0, 0.0, 0.6), -0.4),
    Light("brighter", "Brighter", (0.0, 0.0, 0.0), 0.25),
    Light("darker", "Darker", (0.0, 0.0, 0.0), -0.25),
    Light("warm_light", "Warm light", (0.0, 0.0, 0.0), 0.14, (1.0, 0.1, -1.2)),
    Light("cool_light", "Cool light", (0.0, 0.0, 0.0), 0.12, (-0.9, 0.0, 1.2)),
)
"""Lights by name."""

LightName = Literal[
    "light_left",
    "light_right",
    "light_above",
    "light_below",
    "light_front",
    "brighter",
    "darker",
    "warm_light",
    "cool_light",
    "own",
]
"""What can be wished for: a light's name, or numbers of one's own."""


@dataclass(frozen=True)
class RecolourWish:
    """Which other colour something should have."""

    region: Region = "hair"
    """Skin, hair, lips, eyes (their irises) or the whole person."""
    to: str = ""
    """The colour that its mean becomes at strength 1, as in #7a3b10, or the name of a look such as
    blond_hair."""
    shift: Lab = (0.0, 0.0, 0.0)
    """Instead of a colour: what is added to its L (0..100), a and b in CIE Lab."""


@dataclass(frozen=True)
class RelightWish:
    """Which other light should fall on the person."""

    light: LightName = "light_left"
    """A light by name, or own for numbers of your own."""
    direction: Lab = (0.0, 0.0, 0.0)
    """With the light own: where it comes from, as the viewer sees it (right, up, towards the viewer)."""
    ambient: float = 0.0
    """With the light own: what is added everywhere on the person."""


def find_recolour(person: LatentPerson | None, wish: RecolourWish, workplace: Workplace) -> Edit:
    """An edit of a region's colour; see :class:`studio.editing.method.EditMethod`. Needs no generator.

    Raises:
        Problem: a colour that cannot be read or changes nothing, or a region that this person does not show.
    """
    look = next((one for one in LOOKS if one.name == wish.to.strip().lower()), None)
    if look is not None:
        wish = RecolourWish(look.region, look.to, look.shift)
    to = wish.to.strip().lower()
    if to and not re.fullmatch(r"#[0-9a-f]{6}", to):
        named = ", ".join(one.name for one in LOOKS)
        raise Problem(f"“{wish.to}” is not a colour: write one as in #7a3b10, or name one of {named}.")
    if workplace.colours is None:
        raise ValueError("recolouring needs to know the person's own colours")
    colours = workplace.colours()
    mean = colours[wish.region].lab
    share = colours[wish.region].share / max(colours["person"].share, 1e-9)
    what = REGIONS[wish.region].lower()
    if share < LEAST_SEEN[wish.region]:
        raise Problem(
            f"This avatar shows hardly any {what} ({100 * share:.2g} % of the person), so there is nothing "
            "to colour: choose another region."
        )
    shift = wish.shift
    if to:
        wanted = lab_of(to) if look is None else look.colour(mean)
        shift = (wanted[0] - mean[0], wanted[1] - mean[1], wanted[2] - mean[2])
    if not any(shift):
        raise Problem(f"Say which colour the {what} should have: a colour as in #7a3b10, or a shift in Lab.")
    title = look.title if look is not None else f"{REGIONS[wish.region]} {to or 'recoloured'}"
    name = look.name if look is not None else f"{wish.region}_{to.removeprefix('#') or 'colour'}"
    return Edit(
        name=name,
        title=title,
        method="recolour",
        effect=Recolour(wish.region, shift),
        suggested=(0.0, 1.0),
        found={
            "to": to,
            "region": wish.region,
            "mean": [round(v, 1) for v in mean],
            "share": round(share, 4),
        },
    )


def find_relight(person: LatentPerson | None, wish: RelightWish, workplace: Workplace) -> Edit:
    """An edit of the light; see :class:`studio.editing.method.EditMethod`. Needs no generator.

    Raises:
        Problem: a light that changes nothing.
    """
    light = next((one for one in LIGHTS if one.name == wish.light), None)
    if light is None:
        if not any(wish.direction) and wish.ambient == 0.0:
            raise Problem("A light of your own needs a direction or an ambient that is not 0.")
        light = Light("own_light", "Own light", wish.direction, wish.ambient)
    return Edit(
        name=light.name,
        title=light.title,
        method="relight",
        effect=Relight(light.direction, light.ambient, light.tint),
        suggested=(0.0, 1.0),
        found={"light": wish.light},
    )


def lab_of(colour: str) -> Lab:
    """CIE Lab of ``#rrggbb``."""
    import numpy as np

    from studio.warping.lab import lab_from_srgb

    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0
    lightness, a, b = (float(v) for v in lab_from_srgb(rgb))
    return lightness, a, b


RECOLOUR = MethodSpec(
    id="recolour",
    title="Colour",
    summary=(
        "Another colour of skin, hair, lips or irises, found by place and colour. Works at once with every "
        "avatar; understands no text."
    ),
    spaces=("colour",),
    generator=False,
    finder="studio.editing.colours:find_recolour",
    wish="studio.editing.colours:RecolourWish",
    missing=lambda assets: None,
)
RELIGHT = MethodSpec(
    id="relight",
    title="Light",
    summary=(
        "Light from another side, brighter or warmer. Works at once with every avatar; understands no text."
    ),
    spaces=("colour",),
    generator=False,
    finder="studio.editing.colours:find_relight",
    wish="studio.editing.colours:RelightWish",
    missing=lambda assets: None,
)
