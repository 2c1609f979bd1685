"""What can be edited here, and how: read on a thread."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pipelines.bake_job import baked_into
from pipelines.colour_job import measured_colours
from studio.domain.avatar import Avatar
from studio.domain.edits import LATENT, Edit, EditStack, Effect, Recolour
from studio.domain.problem import Problem
from studio.domain.progress import silent
from studio.project.settings_json import settings_to_plain
from studio.project.store import SubjectFolder
from ui.widgets.edit_tiles import Offer

if TYPE_CHECKING:
    from studio.editing.method import MethodSpec, Workplace

MEASURED = "recolour"
"""Method that must know the person's colours to offer others."""
Group = Literal["shape", "emotion", "colour"]
"""Where offers stand."""


@dataclass(frozen=True)
class Way:
    """One way to find an edit, as it is here."""

    spec: MethodSpec
    """Its entry in the catalog."""
    wish: type[Any]
    """Class of what can be wished for."""
    missing: str
    """Why it cannot be used, and what to do; empty when it can."""
    weights: bool
    """Whether it is weights that are missing, and not another avatar."""


@dataclass(frozen=True)
class Possible:
    """Everything that can be done to an avatar."""

    ways: tuple[Way, ...] = ()
    """In the catalog's order; those whose edits need no searching as well."""
    offers: Mapping[Group, Sequence[Offer]] = field(default_factory=dict)
    """Edits that can be had at once."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Id and title of everything that a direction can be learnt for."""
    elsewhere: tuple[Avatar, int] | None = None
    """Another avatar of the same person that has edits, and how many; the newest."""
    unmeasured: bool = False
    """Whether more can be offered once the person's colours are measured."""
    baked: tuple[type[Effect], ...] = ()
    """Effects that can be baked into a copy of it."""


def read_possible(home: Path, avatar: Avatar, subject: SubjectFolder | None = None) -> Possible:
    """Look through the catalog.

    Args:
        home: where the user's weights are.
        avatar: what shall be edited.
        subject: whose avatar it is; their other avatars are looked at, too.
    """
    from pipelines.edit_avatar import GENERATORS
    from studio.assets import AssetLibrary
    from studio.editing.attributes import ATTRIBUTES
    from studio.editing.catalog import METHODS
    from studio.editing.method import Workplace

    assets = AssetLibrary(home)
    colours = None if subject is None else measured_colours(subject, avatar)
    workplace = Workplace(
        assets,
        avatar.folder / "edits" / "cache",
        silent,
        edits=EditStack(),
        colours=None if colours is None else lambda: colours,
    )
    ways, offers = [], dict[Group, list[Offer]]()
    for spec in METHODS.values():
        missing = spec.missing(assets) or ""
        lacking = spec.generator and avatar.engine not in GENERATORS
        weights = bool(missing)
        if lacking:
            # Either takes somebody a while, so neither is kept from them until they have the other.
            missing = " ".join(filter(None, (_no_generator(avatar, GENERATORS), missing)))
        ways.append(Way(spec, spec.wish_class, missing, weights))
        if not spec.generator and not missing:
            group = group_of(spec)
            if spec.id != MEASURED or colours is not None:
                offers.setdefault(group, []).extend(offered_by(spec, workplace))
    titles = tuple((name, attribute.title) for name, attribute in ATTRIBUTES.items())
    unmeasured = MEASURED in METHODS and colours is None
    bakes: tuple[type[Effect], ...] = ()
    with suppress(Problem):
        bakes = baked_into(avatar)
    return Possible(tuple(ways), offers, titles, _elsewhere(subject, avatar), unmeasured, bakes)


def _elsewhere(subject: SubjectFolder | None, avatar: Avatar) -> tuple[Avatar, int] | None:
    from pipelines.build_job import avatars
    from studio.project.edit_files import load_edits

    for other in reversed(avatars(subject) if subject is not None else []):
        if other.folder == avatar.folder:
            continue
        with suppress(Problem):
            edits = load_edits(other.folder).edits
            if count := sum(not isinstance(edit.effect, LATENT) for edit in edits):
                return other, count
    return None


def group_of(spec: MethodSpec) -> Group:
    """Where the offers of a method that needs no searching stand."""
    groups: Mapping[tuple[str, ...], Group] = {("shape",): "shape", ("expression",): "emotion"}
    return groups.get(spec.spaces, "colour")


def offered_by(spec: MethodSpec, workplace: Workplace) -> list[Offer]:
    """The edits that a method without searching knows by name, one for each choice that its wish begins with;
    choices that want more said are left to its form."""
    found = []
    for wish in _named_wishes(spec):
        try:
            edit = spec.find(None, wish, workplace)
        except Problem:
            continue
        found.append(offer_of(spec.id, wish, edit, spec.summary))
    return found


def _named_wishes(spec: MethodSpec) -> list[Any]:
    kind = spec.wish_class
    if spec.id == MEASURED:
        from studio.editing.colours import LOOKS

        return [kind(region=look.region, to=look.name) for look in LOOKS]
    types = get_type_hints(kind)
    choice = next((one.name for one in fields(kind) if get_origin(types[one.name]) is Literal), None)
    return [] if choice is None else [kind(**{choice: value}) for value in get_args(types[choice])]


def offer_of(method: str, wish: Any, edit: Edit, hint: str = "") -> Offer:
    """An edit as it is offered: it says what was wished for, as one that a command has found."""
    plain = settings_to_plain(wish)
    low, high = edit.suggested
    strength = min(max(edit.strength, low), high)
    known = replace(edit, method=method, strength=strength, found={"wish": plain, **edit.found})
    return Offer(offer_key(known), hint, known)


def offer_key(edit: Edit) -> str:
    """The same for all edits that the same wish gave."""
    return f"{edit.method} {json.dumps(edit.found.get('wish'), sort_keys=True)}"


def used(stack: EditStack, offer: Offer) -> str | None:
    """Name of the edit that does what is offered, if there is one."""
    return next((edit.name for edit in stack.edits if offer_key(edit) == offer.key), None)


def given_up(stack: EditStack, offer: Offer) -> Edit | None:
    """The edit that makes room for an offer: hair is of one colour, and another one takes its place."""
    wanted = offer.edit.effect
    if not isinstance(wanted, Recolour):
        return None
    same = (edit for edit in stack.edits if edit.method == offer.edit.method)
    return next(
        (e for e in same if isinstance(e.effect, Recolour) and e.effect.region == wanted.region), None
    )


def _no_generator(avatar: Avatar, having: Sequence[str]) -> str:
    from ui.words import avatar_title, engine_title, tr

    words = tr(
        "This needs an avatar with a generator of its own, such as {engine}; {here} has none. Build one on "
        "the Train page, then come back."
    )
    return words.format(engine=engine_title(having[0]), here=avatar_title(avatar))
