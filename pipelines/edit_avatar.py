"""The edits of an avatar: found, kept, switched, put in order, and given to another avatar."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.control_names import near_names
from studio.domain.avatar import Avatar
from studio.domain.edits import LATENT, PREFIX, Edit, EditStack
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.project.command_words import command_line
from studio.project.edit_files import (
    change_edits,
    edit_cache,
    load_edits,
    remove_unknown,
    unknown_edits,
)
from studio.project.settings_json import settings_to_plain
from studio.project.store import SubjectFolder

if TYPE_CHECKING:
    from studio.assets import AssetLibrary
    from studio.domain.region_colours import RegionColours
    from studio.editing.method import MethodSpec

LONGEST_NAME = 32
"""Letters of a name that is made from a title, without the number behind it."""


def edited(avatar: Avatar) -> Avatar:
    """An avatar as it is shown to people: with its stored edits. Raises Problem when they are damaged."""
    return replace(avatar, edits=load_edits(avatar.folder))


def put_edit(avatar: Avatar, edit: Edit) -> Avatar:
    """Store an edit, at the end or in the place of the one of its name. Raises Problem when it cannot be."""
    return _changed(avatar, lambda stack: stack.put(edit))


def remove_edit(avatar: Avatar, name: str) -> Avatar:
    """Remove an edit, also one that a newer program made. Raises Problem when there is none of that name."""
    try:
        return _changed(avatar, lambda stack: stack.without(name))
    except KeyError:
        if all(one.name != name for one in unknown_edits(avatar.folder)):
            raise _no_edit(avatar, load_edits(avatar.folder), name) from None
        remove_unknown(avatar.folder, name)
        return edited(avatar)


def order_edits(avatar: Avatar, names: Sequence[str]) -> Avatar:
    """Put edits in order: these first, the others behind them as they were.

    Raises:
        Problem: there is none of such a name, or one is named twice.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Problem(f"The order names “{twice}” twice: name every edit once.")
    return _changing(avatar, names, lambda stack: stack.ordered(names))


def switch_edit(avatar: Avatar, name: str, on: bool) -> Avatar:
    """Show an edit, or rest it at strength 0. Raises Problem when there is none of that name."""
    return _changing(avatar, (name,), lambda stack: stack.changed(name, on=on))


def set_strength(avatar: Avatar, name: str, strength: float) -> Avatar:
    """Show an edit at another strength. Raises Problem when there is none of that name, or for a strength
    beyond its limits."""

    def change(stack: EditStack) -> EditStack:
        check_strength(stack.find(name), strength)
        return stack.changed(name, strength=strength, on=True)

    return _changing(avatar, (name,), change)


def suggest(avatar: Avatar, name: str, strengths: tuple[float, float]) -> Avatar:
    """Suggest other strengths of an edit, the weakest and the strongest. Raises Problem when there is none of
    that name."""
    return _changing(avatar, (name,), lambda stack: stack.changed(name, suggested=strengths))


def rename_edit(avatar: Avatar, name: str, title: str) -> Avatar:
    """Give an edit another title; its name, which timelines and control files use, stays.

    Raises:
        Problem: there is none of that name, or the title is empty.
    """
    title = tidy_title(title)
    return _changing(avatar, (name,), lambda stack: stack.changed(name, title=title))


def check_strength(edit: Edit, strength: float) -> None:
    """Raise Problem for a strength that an edit does not take."""
    low, high = edit.limits
    if not low <= strength <= high:
        first, last = edit.suggested
        raise Problem(
            f"The strength of “{edit.title}” can be from {low:g} to {high:g}, not {strength:g}; "
            f"{first:g} to {last:g} is suggested."
        )


def tidy_title(title: str) -> str:
    """A title without outer or doubled white space. Raises Problem when nothing is left."""
    title = " ".join(unicodedata.normalize("NFC", title).split())
    if not title or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in title):
        raise Problem("An edit needs a title that can be read: give one that is not empty.")
    return title


def find_name(avatar: Avatar, words: str) -> str:
    """The name of the edit that somebody means: by its name, its control's name, or its title.

    Raises:
        Problem: there is none, naming the nearest, or several have that title.
    """
    stack = load_edits(avatar.folder)
    unknown = unknown_edits(avatar.folder)
    names = [*(edit.name for edit in stack.edits), *(one.name for one in unknown)]
    for wanted in (words, words.removeprefix(PREFIX)):
        if wanted in names:
            return wanted
    titles = [(edit.title, edit.name) for edit in stack.edits] + [(one.title, one.name) for one in unknown]
    fitting = [name for title, name in titles if _plain(title) == _plain(words)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise Problem(f"Several edits are called “{words}”: choose one by its name: {', '.join(fitting)}.")
    raise _no_edit(avatar, stack, words)


def free_name(title: str, taken: Collection[str]) -> str:
    """A name for an edit of this title: small ASCII letters, digits and underscores, unlike those taken."""
    latin = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:LONGEST_NAME].strip("_") or "edit"
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


@dataclass(frozen=True)
class Copied:
    """What became of edits that were copied."""

    avatar: Avatar
    """The avatar that they were copied to, with all its edits."""
    titles: tuple[str, ...]
    """Those that are there now."""
    refused: str = ""
    """Why the others are not, in one sentence; empty when all are."""


def copy_edits(source: Avatar, target: Avatar) -> Copied:
    """Give an avatar's edits of shape and colour, which work with any engine, to another avatar, behind its
    own ones; an edit that is there already, by method and title, is replaced.

    Raises:
        Problem: there are none, or none of them can be copied.
    """
    if source.folder == target.folder:
        raise Problem("Both are the same avatar: name another engine to copy the edits to.")
    edits = load_edits(source.folder).edits
    if not edits:
        raise Problem(f"The {source.engine} avatar of {source.subject} has no edits to copy.")
    latent = [edit.title for edit in edits if isinstance(edit.effect, LATENT)]
    left = [edit for edit in edits if not isinstance(edit.effect, LATENT)]
    sentence = ""
    if latent:
        sentence = (
            f"{_quoted(latent)} cannot be copied, because latents of one generator mean nothing to another: "
            f"find {'it' if len(latent) == 1 else 'them'} again for the {target.engine} avatar."
        )
    if not left:
        raise Problem(sentence)

    def change(stack: EditStack) -> EditStack:
        for edit in left:
            stack = stack.put(named(edit, stack, target))
        return stack

    return Copied(_changed(target, change), tuple(edit.title for edit in left), sentence)


def named(edit: Edit, stack: EditStack, avatar: Avatar) -> Edit:
    """An edit under a name that is its own in a stack: that of the one with the same method and title, which
    it replaces, else its own with a number behind it if need be."""
    for one in stack.edits:
        if (one.method, one.title) == (edit.method, edit.title):
            return replace(edit, name=one.name)
    taken = [*(one.name for one in stack.edits), *(one.name for one in unknown_edits(avatar.folder))]
    return replace(edit, name=free_name(edit.name, taken))


def method_spec(method_id: str) -> MethodSpec:
    """A way to find edits, by its id. Raises Problem when there is none."""
    from studio.editing.catalog import METHODS

    if method_id not in METHODS:
        raise Problem(f"There is no way to edit named {method_id!r}; there are: {', '.join(METHODS)}.")
    return METHODS[method_id]


def find_edit(
    subject: SubjectFolder,
    avatar: Avatar,
    method_id: str,
    wish: Any,
    home: Path,
    progress: Progress = silent,
    title: str = "",
) -> Edit:
    """Find an edit of a person. It is not stored yet: see :func:`put_edit`.

    Args:
        subject: whose avatar it is.
        avatar: the avatar; its stored edits are known to the method and not shown.
        method_id: one of ``studio.editing.catalog.METHODS``.
        wish: settings of the method's own class.
        home: the home folder, where the user's weights are.
        progress: told often; what was worked out until it raises is kept for the next time.
        title: what it shall be called; empty for what its method calls it.

    Returns:
        The edit, under a name that is free, or that of the edit of the same method and title.

    Raises:
        Problem: the wish cannot be met, or something that the method needs is missing.
    """
    from studio.assets import AssetLibrary

    spec = method_spec(method_id)
    if not isinstance(wish, spec.wish_class):
        raise TypeError(f"a wish of {method_id} is a {spec.wish_class.__name__}, not {wish!r}")
    assets = AssetLibrary(home)
    refuse_method(subject, avatar, spec, assets)
    stack = load_edits(avatar.folder)
    place = edit_cache(avatar.folder)
    found = _find(spec, wish, avatar, _Means(assets, place, stack, progress))
    found = replace(
        found,
        name=free_name(title, ()) if title else found.name,
        method=spec.id,
        title=tidy_title(title or found.title),
        found={"wish": settings_to_plain(wish), **found.found},
    )
    return named(found, stack, avatar)


def refuse_method(subject: SubjectFolder, avatar: Avatar, spec: MethodSpec, assets: AssetLibrary) -> None:
    """Raise Problem for a method that needs what this avatar or this machine does not have; if both, it says
    both, because either takes somebody a while."""
    missing = spec.missing(assets)
    if spec.generator:
        refuse_engine(subject, avatar, spec, missing)
    if missing is not None:
        raise Problem(missing)


def refuse_engine(
    subject: SubjectFolder, avatar: Avatar, spec: MethodSpec, besides: str | None = None
) -> None:
    """Raise Problem for an avatar without a generator, saying which engine has one, behind what is missing
    besides."""
    if avatar.engine not in GENERATORS:
        having = " or ".join(GENERATORS)
        build = command_line("build", subject.name, f"--engine {GENERATORS[0]}")
        first = "" if besides is None else f"{besides} Besides, "
        raise Problem(
            f"{first}{spec.title} works with an avatar that has a generator ({having}), and this one is "
            f"{avatar.engine}: choose one with --engine, or build it with {build}"
        )


GENERATORS = ("pvp",)
"""Engines whose avatars have a generator."""


@dataclass(frozen=True)
class _Means:
    assets: Any
    place: Path
    stack: EditStack
    progress: Progress


def _find(spec: MethodSpec, wish: Any, avatar: Avatar, means: _Means) -> Edit:
    from studio.editing.method import Workplace

    workplace = Workplace(means.assets, means.place, means.progress, edits=means.stack)
    if not spec.generator:
        return spec.find(None, wish, replace(workplace, colours=partial(person_colours, avatar)))
    means.progress(0, None, "Opening the avatar")
    from pipelines.edit_person import latent_person
    from pipelines.face_reading import face_reader
    from studio.tracking.quiet import quiet

    person = latent_person(avatar)
    with quiet(), face_reader() as faces:
        return spec.find(person, wish, replace(workplace, faces=faces))


def person_colours(avatar: Avatar) -> RegionColours:
    """What colours an avatar's regions have, measured on what its engine stands on; a second or so. Raises
    Problem when its files are damaged."""
    from studio.warping.region_colours import measure_colours
    from studio.warping.warp_files import load_parts

    base = avatar.folder / "base"  # of engines that stand on the instant one
    return measure_colours(load_parts(base if base.is_dir() else avatar.folder))


def _changed(avatar: Avatar, change: Callable[[EditStack], EditStack]) -> Avatar:
    return replace(avatar, edits=change_edits(avatar.folder, change))


def _changing(avatar: Avatar, names: Sequence[str], change: Callable[[EditStack], EditStack]) -> Avatar:
    """A change of edits that must be there."""
    try:
        return _changed(avatar, change)
    except KeyError as error:
        raise _no_edit(avatar, load_edits(avatar.folder), str(error.args[0])) from None


def _no_edit(avatar: Avatar, stack: EditStack, words: str) -> Problem:
    newer = next((one for one in unknown_edits(avatar.folder) if one.name == words), None)
    if newer is not None:
        return Problem(
            f"“{newer.title}” was made by a newer version of Avatar Studio: update this one to use it."
        )
    names = [edit.name for edit in stack.edits]
    if not names:
        return Problem(
            f"This {avatar.engine} avatar of {avatar.subject} has no edits yet, so there is no “{words}”."
        )
    near = near_names(words, names, 1)
    meant = f"did you mean “{near[0]}”?" if near else f"there are: {', '.join(names)}."
    return Problem(f"This avatar has no edit “{words}”; {meant}")


def _plain(title: str) -> str:
    return " ".join(unicodedata.normalize("NFC", title).casefold().split())


def _quoted(titles: Sequence[str]) -> str:
    return ", ".join(f"“{title}”" for title in titles)
