"""What StyleCLIP's three methods share: what they begin with, and the edit that they give."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from studio.domain.edits import Edit, Effect
from studio.domain.problem import Problem
from studio.editing.clip_prompts import Words, read_words
from studio.editing.clip_words import Clip, Meaning, meaning_of, open_clip_network
from studio.editing.edited_pictures import draw_edited
from studio.editing.identity_drift import (
    BOUND,
    RUNGS,
    IdentityMeter,
    identity_meter,
    range_without_drift,
)
from studio.editing.method import Workplace
from studio.editing.person import LatentPerson, Samples
from studio.editing.styleclip_steps import Steps
from studio.editing.styleclip_wishes import GlobalWish, MapperWish, OptimiseWish

JUDGED = 6
"""Typical moments on which scores and drift are measured."""
Wish = GlobalWish | OptimiseWish | MapperWish


@dataclass(frozen=True, eq=False)
class Begun:
    """A search for an edit, before it has begun to search."""

    person: LatentPerson
    """Whom it is about."""
    words: Words
    """What was asked for."""
    clip: Clip
    """What it is seen with."""
    meaning: Meaning
    """What the words mean to it."""
    meter: IdentityMeter | None
    """Who it is, if that can be measured."""
    unmeasured: str
    """Why it cannot, as a sentence."""
    judged: Samples
    """Typical moments of the person."""


def begin(person: LatentPerson | None, wish: Wish, workplace: Workplace) -> Begun:
    """Read the words, and load what is needed.

    Raises:
        Problem: words that say nothing, no CLIP, no generator…
    """
    words = read_words(wish.text, wish.neutral)  # first: it is quick, and most often what is wrong
    if person is None:
        raise Problem(
            "Editing by words needs an avatar with a generator of its own: build one with --engine pvp, or "
            "use edits of shape and colour."
        )
    clip = open_clip_network(workplace.assets, wish.clip, wish.activation, person.device)
    meaning = meaning_of(words, clip)
    meter, unmeasured = identity_meter(workplace.assets, workplace.faces, person.device)
    return Begun(person, words, clip, meaning, meter, unmeasured, person.usual(JUDGED))


def goal_of(begun: Begun, wish: OptimiseWish | MapperWish) -> Tensor:
    """``[E]`` of length one: where CLIP's embedding of the pictures shall go."""
    return begun.meaning.target if wish.aim == "target" else begun.meaning.change


def finish(
    begun: Begun,
    wish: Wish,
    method: str,
    effect: Effect,
    strength: float,
    limits: tuple[float, float],
    cautious: tuple[float, float],
    steps: Steps,
    kept: bool | None = None,
    figures: Mapping[str, Any] | None = None,
) -> Edit:
    """The edit, with what is known of it: the words' score before and after, and strengths without drift.

    Args:
        method: its id.
        effect: what was found.
        strength: at which it is shown.
        limits: strengths that are accepted.
        cautious: suggested strengths where identity cannot be measured.
        steps: told :func:`finishing_steps`.
        kept: whether an identity loss took part; None for a method without one.
        figures: what else is known, as JSON values.
    """
    clip = begun.clip
    said = [*begun.words.notes, *clip.about.notes]
    before, after = (scores(begun, effect, at) for at in (0.0, strength))
    steps.took()
    aim = "change" if isinstance(wish, GlobalWish) else wish.aim
    if strength and (after[aim] - before[aim]) * strength <= 0:
        said.append(
            "On the person's typical pictures CLIP sees no more of what was asked for than before: say it in "
            "other words, give it more steps or strength, or use another method."
        )
    identity = _identity(begun, wish, effect, limits, cautious, steps, kept)
    said.extend(identity.notes)
    about = clip.about
    settings = {
        name: value for name, value in asdict(wish).items() if name not in ("text", "neutral", "clip")
    }
    found = {
        "target": begun.words.target,
        "neutral": begun.words.neutral,
        "clip": {
            "file": about.source,
            "sha256": about.digest,
            "architecture": about.architecture,
            "activation": "quick" if about.quick_gelu else "exact",
        },
        "settings": settings,
        "score": {name: [before[name], after[name]] for name in before},
        "identity": identity.figures,
        "notes": said,
        **(figures or {}),
    }
    return Edit(
        name=name_of(begun.words.title),
        title=begun.words.title,
        method=method,
        effect=effect,
        strength=strength,
        suggested=identity.suggested,
        limits=limits,
        found=found,
    )


def finishing_steps(begun: Begun, limits: tuple[float, float]) -> int:
    """Steps that :func:`finish` takes."""
    return 1 + (RUNGS * sum(limit != 0 for limit in limits) if begun.meter is not None else 0)


@torch.no_grad()
def scores(begun: Begun, effect: Effect, strength: float) -> dict[str, float]:
    """What CLIP sees in the person's typical pictures: mean cosine with the target description, and mean
    component along the change from the neutral one."""
    seen = begun.clip.pictures(draw_edited(begun.person, effect, begun.judged, strength))
    meaning = begun.meaning
    return {
        "target": float((seen @ meaning.target).mean()),
        "change": float((seen @ meaning.change).mean()),
    }


def name_of(title: str) -> str:
    """A name for an edit: small letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:40].strip("_") or "words"


@dataclass(frozen=True)
class _Identity:
    """What became of the person's identity."""

    suggested: tuple[float, float]
    """Strengths that leave them who they are, or a cautious guess."""
    figures: dict[str, Any] | None
    """What was measured."""
    notes: tuple[str, ...]
    """What could not be done, as sentences."""


def _identity(
    begun: Begun,
    wish: Wish,
    effect: Effect,
    limits: tuple[float, float],
    cautious: tuple[float, float],
    steps: Steps,
    kept: bool | None,
) -> _Identity:
    meter, why = begun.meter, begun.unmeasured
    lost = kept is False and not isinstance(wish, GlobalWish) and wish.identity > 0
    if meter is not None:
        taken = 0

        def told(done: int, total: int | None, what: str) -> None:
            nonlocal taken
            steps.took(done - taken, what)
            taken = done

        found = range_without_drift(begun.person, effect, meter, begun.judged, limits, progress=told)
        steps.took(finishing_steps(begun, limits) - 1 - taken)
        figures = {"network": meter.name, "bound": BOUND, "tried": [list(one) for one in found.tried]}
        if dict(found.tried)[0.0] is not None:
            name = meter.name
            needs = f"The identity loss took no part, because it needs ArcFace and {name} only measures."
            return _Identity((found.low, found.high), figures, (needs,) if lost else ())
        why = f"{meter.name} finds no face in the person's typical pictures."
    loss = " the identity loss took no part," if lost else ""
    note = (
        f"How far this edit takes the person from themselves was not measured,{loss} and the suggested "
        f"strengths are a cautious guess. {why}"
    )
    return _Identity(cautious, None, (note,))
