"""InterfaceGAN (Shen et al., CVPR 2020), learnt in the studio from a person's own samples.

What makes the difference between samples is an attribute that pictures tell without weights, a pair of
descriptions by CLIP, or the user's own thumbs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval, Le

from studio.assets import AssetLibrary
from studio.domain.edits import Edit, LatentShift
from studio.domain.problem import Problem
from studio.editing.attributes import ATTRIBUTES, EXPRESSION, POSE
from studio.editing.layer_rows import RowGroup
from studio.editing.method import MethodSpec, Workplace

if TYPE_CHECKING:  # torch and scikit-learn, which a list of methods must not load
    from torch import Tensor

    from studio.domain.camera import Floats
    from studio.editing.direction_learning import Judged
    from studio.editing.person import LatentPerson, Samples
    from studio.editing.scored_samples import Scores

ID = "interfacegan"
FEWEST_JUDGED = 6
"""Thumbs of each kind."""


@dataclass(frozen=True)
class InterfaceGanWish:
    """What direction is learnt. One of an attribute, a text and thumbs says what it is about."""

    attribute: str = ""
    """What there shall be more of: smile, mouth_open, eyes_open, brow_raise, face_width, eye_size,
    mouth_width, skin_light, skin_red, hair_light, hair_warm, brightness, contrast, warmth, yaw, pitch or
    roll."""
    text: str = ""
    """Or what CLIP shall see more of, e.g. "a face with rosy cheeks"."""
    neutral: str = ""
    """What CLIP sees the text against; made from the text when empty."""
    clip: str = ""
    """CLIP file, or its id in the manifest; the first that is there when empty."""
    likes: tuple[int, ...] = ()
    """Or numbers of the samples that have it, as the sheet of samples shows them…"""
    dislikes: tuple[int, ...] = ()
    """…and of those that have it not."""
    judged: Annotated[int, Interval(ge=10, le=400)] = 60
    """How many samples that sheet shows."""
    without: tuple[str, ...] = ()
    """Attributes or other latent edits that must stay as they are: their directions are projected out."""
    keep_pose_and_expression: bool = True
    """Also project out yaw, pitch, roll, smile, open mouth, open eyes and raised brows, but for what is
    wanted itself and what cannot be told apart from it. In a clip of one person nearly everything goes along
    with them."""
    space: Literal["w", "w+"] = "w+"
    """w: one shift for all rows. w+: each row has its own."""
    rows: RowGroup = "all"
    """Rows that move: coarse ones shape pose and form, fine ones colour."""
    samples: Annotated[int, Interval(ge=40, le=5000)] = 600
    """Pictures of the person that are drawn and measured; they are kept for the next direction."""
    extreme: Annotated[float, Gt(0), Le(0.5)] = 0.25
    """Share of them, at each end, that the boundary is learnt from."""
    seed: Annotated[int, Ge(0)] = 0
    """The same seed learns the same direction."""


def find(person: LatentPerson | None, wish: Any, workplace: Workplace) -> Edit:
    """Learn a direction. Raises Problem; see :func:`studio.editing.direction_learning.learn_direction`."""
    assert person is not None
    assert isinstance(wish, InterfaceGanWish)
    name, title = _names(wish)
    kept, edits = _kept(wish, workplace)
    from studio.editing.direction_learning import Learning, learn_direction
    from studio.editing.scored_samples import attribute_scores

    wanted, about = _wanted(person, wish, workplace)
    learnt = learn_direction(
        person,
        wanted,
        attribute_scores(kept, _reader(kept, workplace)),
        Learning(wish.space, wish.rows, wish.samples, wish.extreme, wish.seed),
        edits,
        if_possible=[name for name in kept if name not in wish.without],
        cache=workplace.cache,
        progress=workplace.progress,
    )
    low, high = learnt.suggested
    limit = max(2.0, 2.0 * high, -2.0 * low)
    return Edit(
        name=name,
        title=title,
        method=ID,
        effect=learnt.shift,
        strength=min(1.0, high),
        suggested=(low, high),
        limits=(-limit, limit),
        found={
            **about,
            "space": wish.space,
            "rows": wish.rows,
            "seed": wish.seed,
            "extreme": wish.extreme,
            **learnt.found,
        },
    )


def shown_to_judge(person: LatentPerson, wish: InterfaceGanWish) -> Samples:
    """The samples that thumbs are about: numbers in ``likes`` and ``dislikes`` count them from 0. All are
    drawn in the most usual moment, so that only latents make a difference."""
    from studio.editing.person import Samples

    samples = person.sample(wish.judged, wish.seed)
    usual = person.usual(1).moments.to(samples.moments.device)
    return Samples(samples.ws, usual[:1].expand(len(samples)))


def _names(wish: InterfaceGanWish) -> tuple[str, str]:
    """Name and title of what is wanted. Raises Problem unless it is exactly one thing that there is."""
    kinds = [bool(wish.attribute), bool(wish.text.strip()), bool(wish.likes or wish.dislikes)]
    if sum(kinds) != 1:
        raise Problem(
            "Say what the direction is about by exactly one of an attribute "
            f"({', '.join(ATTRIBUTES)}), a text, or likes and dislikes."
        )
    if wish.attribute:
        _known(wish.attribute, ATTRIBUTES)
        return wish.attribute, ATTRIBUTES[wish.attribute].title
    if wish.text.strip():
        title = " ".join(wish.text.split())
        return _short(title), title
    numbers = [*wish.likes, *wish.dislikes]
    if min(len(wish.likes), len(wish.dislikes)) < FEWEST_JUDGED:
        raise Problem(
            f"{len(wish.likes)} likes and {len(wish.dislikes)} dislikes are too few to learn from: judge at "
            f"least {FEWEST_JUDGED} of each."
        )
    if min(numbers) < 0 or max(numbers) >= wish.judged:
        raise Problem(f"Samples are numbered from 0 to {wish.judged - 1}: judge those.")
    if len(set(numbers)) != len(numbers):
        raise Problem("A sample is judged twice: name each one once, among the likes or the dislikes.")
    return "liked", "More of what I like"


def _kept(
    wish: InterfaceGanWish, workplace: Workplace
) -> tuple[tuple[str, ...], list[tuple[str, LatentShift]]]:
    """Attributes and edits that must stay."""
    attributes = [*POSE, *EXPRESSION] if wish.keep_pose_and_expression else []
    edits = []
    for name in wish.without:
        if name in ATTRIBUTES:
            attributes.append(name)
            continue
        known = [edit.name for edit in workplace.edits.edits]
        _known(name, [*ATTRIBUTES, *known])
        effect = workplace.edits.find(name).effect
        if not isinstance(effect, LatentShift):
            raise Problem(f"The edit {name!r} is no direction of latents, so it cannot be projected out.")
        edits.append((name, effect))
    return tuple(name for name in dict.fromkeys(attributes) if name != wish.attribute), edits


def _wanted(
    person: LatentPerson, wish: InterfaceGanWish, workplace: Workplace
) -> tuple[Scores | Judged, dict[str, Any]]:
    """What makes the difference, and words about it."""
    from studio.editing.scored_samples import attribute_scores

    if wish.attribute:
        attribute = ATTRIBUTES[wish.attribute]
        scores = attribute_scores([attribute.id], _reader([attribute.id], workplace))
        return scores, {"attribute": attribute.id, "unit": attribute.unit}
    if wish.text.strip():
        return _by_clip(person, wish, workplace)
    from studio.editing.direction_learning import Judged

    numbers = [*wish.likes, *wish.dislikes]
    shown = shown_to_judge(person, wish)
    liked = np.arange(len(numbers)) < len(wish.likes)
    about = {"likes": list(wish.likes), "dislikes": list(wish.dislikes), "judged": wish.judged}
    return Judged(shown.ws[numbers], liked), about


def _by_clip(
    person: LatentPerson, wish: InterfaceGanWish, workplace: Workplace
) -> tuple[Scores, dict[str, Any]]:
    """How much more a picture looks like one description than like another, to CLIP."""
    from studio.editing.clip_prompts import read_words
    from studio.editing.clip_words import meaning_of, open_clip_network
    from studio.editing.scored_samples import own_score

    words = read_words(wish.text, wish.neutral)
    clip = open_clip_network(workplace.assets, wish.clip, "auto", person.device)
    change = meaning_of(words, clip).change

    def likeness(pictures: Tensor) -> Floats:
        return np.asarray((clip.pictures(pictures) @ change).detach().cpu().numpy(), np.float32)

    key = f"clip:{clip.about.digest}:{clip.about.quick_gelu}:{words.target}:{words.neutral}"
    about = {
        "text": words.target,
        "neutral": words.neutral,
        "unit": "CLIP cosine",
        "notes": list(words.notes),
    }
    return own_score(words.title, likeness, key), about


def _reader(names: Sequence[str], workplace: Workplace) -> Any:
    """The workplace's reader of faces, if any of the attributes looks at one."""
    return workplace.faces if any(ATTRIBUTES[name].of_faces for name in names) else None


def _known(name: str, names: Sequence[str] | Any) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, list(names), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}."
        raise Problem(f"There is no attribute or edit named {name!r}; {hint}")


def _short(title: str) -> str:
    """A name made from words."""
    plain = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:40].strip("_")
    return plain or "direction"


def _missing(_: AssetLibrary) -> str | None:
    return None


SPEC = MethodSpec(
    id=ID,
    title="Learnt direction (InterfaceGAN)",
    summary=(
        "Draws some hundred pictures of the person, tells those with more of something from those with less, "
        "and moves latents across that boundary. Takes a minute or two; later ones are quicker."
    ),
    spaces=("w", "w+"),
    generator=True,
    finder="studio.editing.interfacegan:find",
    wish="studio.editing.interfacegan:InterfaceGanWish",
    missing=_missing,
)
"""The catalog's entry."""
