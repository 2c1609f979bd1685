"""A few words to what a method of editing is asked for; what is said wrong is told at once, in a sentence."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.control_names import near_names
from studio.domain.problem import Problem

HOWS = {
    "global": "styleclip-global",
    "optimise": "styleclip-optimise",
    "mapper": "styleclip-mapper",
    "learnt": "interfacegan",
}
"""How words become an edit, to the method: StyleCLIP's three, or a direction learnt from what CLIP sees."""


@dataclass(frozen=True)
class Wanted:
    """A method and what is asked of it."""

    method: str
    """Its id."""
    wish: Any
    """Settings of its own class."""


def text_wish(text: str, neutral: str = "", how: str = "global", beta: float | None = None) -> Wanted:
    """An edit from words.

    Args:
        text: what should be different.
        neutral: what it is seen against; empty to have it made from the text.
        how: one of :data:`HOWS`.
        beta: for ``global``, how sure a channel must be to take part, 0..1; None to have it chosen.

    Raises:
        Problem: there are no words in it, far too many, there is no such way, or β does not belong there.
    """
    from studio.editing.clip_prompts import read_words
    from studio.editing.interfacegan import InterfaceGanWish
    from studio.editing.styleclip_wishes import GlobalWish, MapperWish, OptimiseWish

    if how not in HOWS:
        raise Problem(f"--how cannot be {how!r}: choose from {', '.join(HOWS)}.")
    read_words(text, neutral)
    if how == "global":
        if beta is None:
            return Wanted(HOWS[how], GlobalWish(text, neutral))
        if not 0.0 <= beta <= 1.0:
            raise Problem(f"--beta must be from 0 to 1, not {beta:g}; the paper takes 0.08 to 0.2.")
        return Wanted(HOWS[how], GlobalWish(text, neutral, auto_beta=False, beta=beta))
    if beta is not None:
        raise Problem(f"--beta is for words as a direction (--how global): leave it out with --how {how}.")
    if how == "learnt":
        return Wanted(HOWS[how], InterfaceGanWish(text=text, neutral=neutral))
    kind = OptimiseWish if how == "optimise" else MapperWish
    return Wanted(HOWS[how], kind(text, neutral))


def shape_wish(words: str) -> Wanted:
    """A named shape, or coefficients as in ``0:1.5 3:-2``. Raises Problem for a shape that there is not."""
    from studio.editing.shapes import SHAPES, ShapeWish

    if ":" in words or "=" in words:
        return Wanted("shape", ShapeWish("coefficients", words))
    names = [shape.name for shape in SHAPES]
    titles = {shape.title.casefold(): shape.name for shape in SHAPES}
    name: Any = titles.get(words.strip().casefold(), words.strip())
    if name not in names:
        raise Problem(f"There is no shape {words!r}; {_meant(words, names)}")
    return Wanted("shape", ShapeWish(name))


def emotion_wish(words: str) -> Wanted:
    """An emotion by its name. Raises Problem for one that there is not."""
    from studio.editing.emotions import EMOTIONS, EmotionWish

    names = [emotion.name for emotion in EMOTIONS]
    name: Any = words.strip().lower()
    if name not in names:
        raise Problem(f"There is no emotion {words!r}; {_meant(words, names)}")
    return Wanted("emotion", EmotionWish(name))


def recolour_wish(region: str, to: str | None = None) -> Wanted:
    """Another colour of a region.

    Args:
        region: one of ``studio.editing.colours.REGIONS``, or the name of a look, which knows its colour.
        to: ``#7a3b10``, ``7a3b10`` or ``#abc``, or the name of a look of that region.

    Raises:
        Problem: there is no such region, look or colour, or no colour is said.
    """
    from studio.editing.colours import LOOKS, REGIONS, RecolourWish

    looks = {look.name: look.region for look in LOOKS}
    place = region.strip().lower()
    if place in looks and to is None:
        return Wanted("recolour", RecolourWish(looks[place], place))
    if place not in REGIONS:
        raise Problem(f"There is no region or look {region!r}; {_meant(place, [*REGIONS, *looks])}")
    if to is None:
        raise Problem(f'Say which colour: --recolour {place} --to "#7a3b10", or a look such as blond_hair.')
    name = to.strip().lower()
    if name in looks:
        if looks[name] != place:
            raise Problem(f"{name} is a look of {looks[name]}, not of {place}: name one of the same.")
        return Wanted("recolour", RecolourWish(looks[name], name))
    found = re.fullmatch(r"#?([0-9a-f]{6}|[0-9a-f]{3})", name)
    if found is None:
        fitting = ", ".join(look for look, of in looks.items() if of == place)
        more = f", or name one of {fitting}" if fitting else ""
        raise Problem(f"{to!r} is no colour: write red, green and blue as in #7a3b10{more}.")
    digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
    kind: Any = place
    return Wanted("recolour", RecolourWish(kind, f"#{digits}"))


def relight_wish(words: str) -> Wanted:
    """Light of another kind: its name, with or without ``light``, or three numbers of one's own as in
    ``-0.5,0.2,0``. Raises Problem when there is none."""
    from studio.editing.colours import LIGHTS, RelightWish

    names = {light.name.replace("light", "").strip("_"): light.name for light in LIGHTS}
    name = words.strip().lower().replace(" ", "_").replace("light", "").strip("_")
    if name in names:
        kind: Any = names[name]
        return Wanted("relight", RelightWish(kind))
    if "," in words:
        try:
            right, up, front = (float(part) for part in words.split(","))
        except ValueError:
            raise Problem(
                f"{words!r} is no direction of light: write how far to the right, up and towards the viewer "
                "it comes from, as in -0.5,0.2,0."
            ) from None
        if not all(map(math.isfinite, (right, up, front))):
            raise Problem(f"{words!r} is no direction of light: write three numbers, as in -0.5,0.2,0.")
        return Wanted("relight", RelightWish("own", (right, up, front)))
    raise Problem(f"There is no light {words!r}; {_meant(name, names)}")


def attribute_wish(attribute: str, against: str = "") -> Wanted:
    """A direction for an attribute that pictures tell.

    Args:
        attribute: its id.
        against: other attributes, or edits of the avatar, that must stay as they are; several with commas.

    Raises:
        Problem: there is no such attribute.
    """
    from studio.editing.attributes import ATTRIBUTES
    from studio.editing.interfacegan import InterfaceGanWish

    if attribute not in ATTRIBUTES:
        raise Problem(f"There is no attribute {attribute!r}; {_meant(attribute, ATTRIBUTES)}")
    return Wanted("interfacegan", InterfaceGanWish(attribute=attribute, without=listed(against)))


def judged_wish(likes: str, dislikes: str) -> Wanted:
    """A direction towards the samples that somebody likes, by the numbers on their sheet, with commas. Raises
    Problem when they are no numbers."""
    from studio.editing.interfacegan import InterfaceGanWish

    wish = InterfaceGanWish(likes=_numbers(likes), dislikes=_numbers(dislikes))
    return Wanted("interfacegan", wish)


def component_wish(component: int) -> Wanted:
    """One of the directions along which the person varies most. Raises Problem for a number below 1."""
    from studio.editing.ganspace import GanSpaceWish

    if component < 1:
        raise Problem(f"Components are numbered from 1, so there is none of number {component}.")
    return Wanted("ganspace", GanSpaceWish(component))


def file_wish(path: Path) -> Wanted:
    """A direction from a file. Raises Problem when it is not there."""
    from studio.editing.direction_files import DirectionFileWish

    if not path.is_file():
        raise Problem(f"There is no file {path}: check the name.")
    return Wanted("direction-file", DirectionFileWish(path.absolute()))


def check_number(strength: float | None) -> None:
    """Raise Problem for a strength that is no number; what an edit takes is known when it is found."""
    if strength is not None and not math.isfinite(strength):
        raise Problem(f"The strength must be a number such as 0.7, not {strength}.")


def listed(words: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(word.strip() for word in words.split(",") if word.strip())


def _numbers(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in listed(words))
    except ValueError:
        raise Problem(f"Samples are named by their numbers, as in 3,17,20, not {words!r}.") from None


def _meant(words: str, names: Iterable[str]) -> str:
    """The name that was meant, else all there are."""
    known = list(names)
    near = near_names(words, known, 1) if difflib.get_close_matches(words.lower(), known, 1, 0.5) else []
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}."
