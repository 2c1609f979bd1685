"""``edit NAME``: find an edit of a person, or do something with those there are; one thing a call."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.bake_job import about_copy, bake_job, baked_copies, read_baked, remove_copy
from pipelines.build_job import find_avatar
from pipelines.cli.places import refuse_place
from pipelines.cli.screen import Screen, counted
from pipelines.cli.words import Chosen, Everywhere, parse
from pipelines.control_file import tell_strong
from pipelines.edit_avatar import (
    Copied,
    copy_edits,
    edited,
    find_edit,
    find_name,
    method_spec,
    order_edits,
    put_edit,
    refuse_engine,
    remove_edit,
    rename_edit,
    set_strength,
    switch_edit,
)
from pipelines.edit_job import edit_job, read_found, strengthened
from pipelines.edit_wishes import (
    HOWS,
    Wanted,
    attribute_wish,
    check_number,
    component_wish,
    emotion_wish,
    file_wish,
    judged_wish,
    recolour_wish,
    relight_wish,
    shape_wish,
    text_wish,
)
from studio.domain.avatar import Avatar
from studio.domain.controls import ControlSheet
from studio.domain.edits import Edit, EditStack
from studio.domain.problem import Problem
from studio.editing.attributes import ATTRIBUTES
from studio.editing.colours import LOOKS
from studio.editing.emotions import EMOTIONS
from studio.editing.shapes import SHAPES
from studio.project.command_words import command_line
from studio.project.edit_files import unknown_edits
from studio.project.store import SubjectFolder

Words = Annotated[str | None, tyro.conf.arg(metavar="WORDS", help_behavior_hint="")]
Which = Annotated[str | None, tyro.conf.arg(metavar="EDIT", help_behavior_hint="")]
Sheet = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
Number = Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")]
Numbers = Annotated[str | None, tyro.conf.arg(metavar="N,N,…", help_behavior_hint="")]
_SHAPE = (
    f"Find another shape of the face: {', '.join(shape.name for shape in SHAPES)}, or coefficients "
    'as in "0:1.5 3:-2"; works with any avatar.'
)
_EMOTION = (
    f"Shift what the face expresses to an emotion: {', '.join(one.name for one in EMOTIONS)}; lips go on "
    "speaking; works with any avatar."
)
_RECOLOUR = (
    "Find another colour of hair, skin, lips, eyes or person, or a look that knows its colour: "
    f"{', '.join(look.name for look in LOOKS)}; works with any avatar."
)
_ATTRIBUTE = (
    f"Find a direction for something that pictures tell without weights: {', '.join(ATTRIBUTES)}; needs a "
    "generator."
)
NamedShape = Annotated[str | None, tyro.conf.arg(metavar="SHAPE", help_behavior_hint="", help=_SHAPE)]
NamedEmotion = Annotated[str | None, tyro.conf.arg(metavar="EMOTION", help_behavior_hint="", help=_EMOTION)]
RegionOrLook = Annotated[str | None, tyro.conf.arg(metavar="REGION", help_behavior_hint="", help=_RECOLOUR)]
NamedAttribute = Annotated[
    str | None, tyro.conf.arg(metavar="ATTRIBUTE", help_behavior_hint="", help=_ATTRIBUTE)
]


@dataclass(frozen=True, kw_only=True)
class Find:
    """What to find."""

    text: Words = None
    """Find what words say, e.g. "with round eyeglasses", "chubby", "a kid"; needs a CLIP and a generator."""
    neutral: Words = None
    """What the text is seen against, e.g. "a face"; made from the text otherwise."""
    how: Annotated[str | None, tyro.conf.arg(metavar="{" + ",".join(HOWS) + "}", help_behavior_hint="")] = (
        None
    )
    """How words become an edit: global, a direction of styles (the default: seconds once the person is
    measured); optimise, one shift (minutes); mapper, a network (longest); learnt, a direction learnt from
    samples."""
    beta: Number = None
    """For global: how sure a channel must be to take part, 0..1; chosen by trying otherwise."""
    shape: NamedShape = None
    emotion: NamedEmotion = None
    recolour: RegionOrLook = None
    to: Annotated[str | None, tyro.conf.arg(metavar="COLOUR", help_behavior_hint="")] = None
    """The colour of --recolour, as in "#7a3b10"."""
    relight: Annotated[str | None, tyro.conf.arg(metavar="LIGHT", help_behavior_hint="")] = None
    """Find another light: left, right, above, below, front, brighter, darker, warm or cool, or where it comes
    from as in "-0.5,0.2,0" (right, up, towards the viewer); works with any avatar."""
    attribute: NamedAttribute = None
    against: Annotated[str | None, tyro.conf.arg(metavar="A,B,…", help_behavior_hint="")] = None
    """Attributes, or edits of this avatar, that the attribute must leave as they are, with commas."""
    component: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Find one of the directions along which this person varies most, as --components shows them."""
    direction: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Find a direction in a file: .npy, .npz, .safetensors or .pt."""
    like: Numbers = None
    """Find a direction towards the samples that you like, by their numbers on the sheet of --samples…"""
    dislike: Numbers = None
    """…and away from those that you do not like."""
    strength: Number = None
    """How much of it shows; what its method suggests otherwise. With --on: of that edit."""
    title: Words = None
    """What it is called; what its method calls it otherwise. With --rename: of that edit."""


@dataclass(frozen=True, kw_only=True)
class Do:
    """Or what to do."""

    listing: Annotated[bool, tyro.conf.arg(name="list")] = False
    """List the edits."""
    on: Which = None
    """Show an edit, by its name or title."""
    off: Which = None
    """Rest an edit at strength 0."""
    remove: Which = None
    """Remove an edit."""
    rename: Which = None
    """Give an edit another --title."""
    order: Annotated[tuple[str, ...], tyro.conf.arg(metavar="EDIT [EDIT ...]", help_behavior_hint="")] = ()
    """Apply edits in this order, the others behind them."""
    copy_to: Annotated[str | None, tyro.conf.arg(metavar="ENGINE", help_behavior_hint="")] = None
    """Give the edits of shape and colour to this person's avatar of another kind."""
    bake: bool = False
    """Bake the edits that show into a copy of the avatar, as far as its engine can."""
    baked: bool = False
    """List the copies with baked edits."""
    unbake: Annotated[str | None, tyro.conf.arg(metavar="KEY", help_behavior_hint="")] = None
    """Move a copy with baked edits to the trash; the avatar that it was made from is as it was."""
    sheet: Sheet = None
    """Write a PNG: every edit at several strengths, from the front and turned."""
    components: Sheet = None
    """Write a PNG: the directions along which this person varies most, to choose a --component."""
    samples: Sheet = None
    """Write a PNG: numbered samples of this person, to --like and --dislike."""
    methods: bool = False
    """List every way to find edits, its options, and what is missing for it here; needs no NAME."""
    overwrite: bool = False
    """Replace the PNG if there is such a file already."""


@dataclass(frozen=True, kw_only=True)
class EditOptions(Everywhere):
    """What ``edit`` can be told: exactly one thing to find or to do."""

    name: Annotated[
        str | None, tyro.conf.Positional, tyro.conf.arg(metavar="NAME", help_behavior_hint="")
    ] = None
    """The subject whose avatar is edited."""
    engine: Chosen = None
    """Which kind of avatar; the newest of any kind otherwise."""
    clip: Chosen = None
    """Avatar of which of the subject's clips, by title or key; the newest avatar otherwise."""
    find: Annotated[Find, tyro.conf.arg(name="")] = field(default_factory=Find)
    do: Annotated[Do, tyro.conf.arg(name="")] = field(default_factory=Do)


OPTIONS = {
    "shape": ("--shape SHAPE",),
    "emotion": ("--emotion EMOTION",),
    "recolour": ("--recolour REGION --to COLOUR", "--recolour LOOK"),
    "relight": ("--relight LIGHT",),
    "styleclip-global": ("--text WORDS",),
    "styleclip-optimise": ("--text WORDS --how optimise",),
    "styleclip-mapper": ("--text WORDS --how mapper",),
    "interfacegan": ("--attribute ATTRIBUTE", "--like N,N,… --dislike N,N,…", "--text WORDS --how learnt"),
    "ganspace": ("--component N",),
    "direction-file": ("--direction FILE",),
}
"""How each method is asked for."""
FINDERS = ("text", "shape", "emotion", "recolour", "relight", "attribute", "component", "direction", "like")
"""Options that find an edit."""
DOERS = (
    *("listing", "on", "off", "remove", "rename", "order", "copy_to", "bake", "baked", "unbake"),
    *("sheet", "components", "samples", "methods"),
)
"""Options that do something with what is there."""
BELONG: dict[str, tuple[str, ...]] = {
    "neutral": ("text",),
    "how": ("text",),
    "beta": ("text",),
    "to": ("recolour",),
    "against": ("attribute",),
    "dislike": ("like",),
    "strength": (*FINDERS, "on"),
    "title": (*FINDERS, "rename"),
    "overwrite": ("sheet", "components", "samples"),
}
"""Options that say more about another one."""


def command(words: list[str]) -> int:
    """Run the command."""
    words, more = _settings_apart(words)
    wants_help = [word for word in words if word in ("-h", "--help")]
    told = any(word.split("=")[0] in {f"--{_typed(name)}" for name in FINDERS} for word in words)
    if wants_help and told:
        # Settings of a method are explained once it is known which.
        words, more = [word for word in words if word not in wants_help], [*more, "--help"]
    description = "Edit a person: words, shapes, colours and directions become sliders that every pose keeps."
    options: EditOptions = parse(EditOptions, words, "edit", description)
    wish = _one_thing(options)
    if more and wish not in FINDERS:
        raise Problem("--wish.… says more about what is to be found: name that, too, e.g. with --text.")
    check_number(options.find.strength)
    screen = Screen()
    if wish == "methods":
        _show_methods(screen, options)
        return 0
    wanted = _wanted(options, wish, more) if wish in FINDERS else None
    if options.name is None:
        raise Problem('edit needs NAME: say whose avatar is edited, e.g. edit "My name" --list.')
    for sheet in (options.do.sheet, options.do.components, options.do.samples):
        if sheet is not None:
            refuse_place(sheet, (".png",), store=options.store, overwrite=options.do.overwrite, what="a PNG")
    subject = options.store.find(options.name)
    avatar = _avatar(subject, options, options.engine)
    if wanted is not None:
        find(screen, subject, avatar, wanted, options)
    else:
        _DO[wish](screen, subject, avatar, options)
    return 0


def find(
    screen: Screen, subject: SubjectFolder, avatar: Avatar, wanted: Wanted, options: EditOptions
) -> None:
    """Find an edit, with progress shown, and give it to the avatar; where a generator is needed, in a job."""
    title = options.find.title or ""
    if method_spec(wanted.method).generator:
        job = edit_job(subject, avatar, wanted.method, wanted.wish, title, options.find.strength)
        screen.follow(job)
        edit = read_found(job)
    else:
        home = options.store.home
        with screen.working() as progress:
            found = find_edit(subject, avatar, wanted.method, wanted.wish, home, progress, title)
        edit = strengthened(found, options.find.strength)
        put_edit(avatar, edit)
    for note in edit.found.get("notes", ()):
        screen.note(str(note))
    _warn(screen, edit)
    low, high = edit.suggested
    screen.say(
        f"“{edit.title}” is {edit.control_name} of the {avatar.engine} avatar of {subject.name}: "
        f"strength {edit.strength:g}, suggested {low:g} to {high:g}."
    )
    screen.say(f"Next: {command_line('edit', subject.name, f'--engine {avatar.engine} --sheet edits.png')}")


def _one_thing(options: EditOptions) -> str:
    """What is to be found or done. Raises Problem unless it is one thing, said in full."""
    said = {
        name: value
        for name, value in {**vars(options.find), **vars(options.do)}.items()
        if value is not None and value is not False and value != ()
    }
    given = [name for name in (*FINDERS, *DOERS) if name in said]
    if len(given) > 1:
        names = " and ".join(f"--{_typed(name)}" for name in given)
        raise Problem(f"{names} are several things: do one a call.")
    one = given[0] if given else ""
    for name, owners in BELONG.items():
        if name in said and one not in owners:
            named = " or ".join(f"--{_typed(owner)}" for owner in owners)
            raise Problem(f"--{_typed(name)} says more about {named}: give that, too.")
    if not given:
        raise Problem(
            "Say what to find, e.g. --shape chubby, or what to do, e.g. --list: python main.py edit --help "
            "names everything."
        )
    for name, needed in (("like", "dislike"), ("rename", "title")):
        if one == name and needed not in said:
            raise Problem(f"--{name} needs --{needed}, too.")
    return one


def _wanted(options: EditOptions, wish: str, more: list[str]) -> Wanted:
    """Method and wish, with the method's own settings."""
    makers: dict[str, Callable[[], Wanted]] = {
        "text": lambda: text_wish(
            options.find.text or "",
            options.find.neutral or "",
            options.find.how or "global",
            options.find.beta,
        ),
        "shape": lambda: shape_wish(options.find.shape or ""),
        "emotion": lambda: emotion_wish(options.find.emotion or ""),
        "recolour": lambda: recolour_wish(options.find.recolour or "", options.find.to),
        "relight": lambda: relight_wish(options.find.relight or ""),
        "attribute": lambda: attribute_wish(options.find.attribute or "", options.find.against or ""),
        "component": lambda: component_wish(options.find.component or 0),
        "direction": lambda: file_wish(options.find.direction or Path()),
        "like": lambda: judged_wish(options.find.like or "", options.find.dislike or ""),
    }
    wanted = makers[wish]()
    if not more:
        return wanted
    title = method_spec(wanted.method).title
    kind = make_dataclass(
        "MethodSettings", [("wish", type(wanted.wish), field(default=wanted.wish))], frozen=True, kw_only=True
    )
    kind.__doc__ = f"Settings of the method “{title}”."
    return Wanted(wanted.method, parse(kind, more, "edit", f"Settings of the method “{title}”.").wish)


def _settings_apart(words: list[str]) -> tuple[list[str], list[str]]:
    """Words of the command itself, and ``--wish.FIELD VALUE …`` of the method."""
    own: list[str] = []
    more: list[str] = []
    into = own
    for word in words:
        if word.startswith(("--wish.", "--no-wish.")):
            into = more
        elif word.startswith("-") and not word[1:2].isdigit() and word[1:2] != ".":
            into = own
        into.append(word)
    return own, more


def _avatar(subject: SubjectFolder, options: EditOptions, engine: str | None) -> Avatar:
    from studio.engines.catalog import engine_spec

    if engine is not None:
        engine_spec(engine)  # refuses what there is not
    return find_avatar(subject, engine, None if options.clip is None else subject.clip(options.clip))


def _list(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    edits = edited(avatar).edits.edits
    newer = unknown_edits(avatar.folder)
    if not edits and not newer:
        screen.say(f"The {avatar.engine} avatar of {subject.name} has no edits yet.")
        return
    screen.say(
        f"Edits of the {avatar.engine} avatar of {subject.name}, in the order in which they are applied:"
    )
    width = max(map(len, [*(edit.name for edit in edits), *(one.name for one in newer)]))
    for edit in edits:
        screen.say(
            f"  {edit.name:<{width}}  {_state(edit):<6}  {_ranges(edit):<34}  {edit.title} ({edit.method})"
        )
    for one in newer:
        screen.say(
            f"  {one.name:<{width}}  made by a newer version of Avatar Studio, not shown here: {one.title}"
        )


def _on(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    name = find_name(avatar, options.do.on or "")
    if options.find.strength is None:
        changed = switch_edit(avatar, name, on=True)
    else:
        changed = set_strength(avatar, name, options.find.strength)
    edit = changed.edits.find(name)
    screen.say(f"“{edit.title}” shows at strength {edit.strength:g}.")
    _warn(screen, edit)


def _off(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    name = find_name(avatar, options.do.off or "")
    screen.say(f"“{switch_edit(avatar, name, on=False).edits.find(name).title}” is off.")


def _remove(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    name = find_name(avatar, options.do.remove or "")
    left = remove_edit(avatar, name).edits
    screen.say(f"Removed {name}; {counted(len(left), 'edit')} left.")


def _rename(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    name = find_name(avatar, options.do.rename or "")
    title = rename_edit(avatar, name, options.find.title or "").edits.find(name).title
    screen.say(f"{name} is called “{title}” now; control files go on naming it edit_{name}.")


def _order(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    names = [find_name(avatar, words) for words in options.do.order]
    ordered = order_edits(avatar, names).edits.edits
    screen.say(f"Applied in this order: {', '.join(edit.name for edit in ordered)}.")


def _copy_to(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    done: Copied = copy_edits(avatar, _avatar(subject, options, options.do.copy_to))
    if done.refused:
        screen.note(done.refused)
    count = counted(len(done.titles), "edit")
    screen.say(f"The {done.avatar.engine} avatar of {subject.name} has {count} of the {avatar.engine} one.")


def _bake(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    job = bake_job(subject, avatar)
    screen.follow(job)
    copy = read_baked(job)
    screen.say(f"{copy.key}: a copy of the {avatar.engine} avatar of {subject.name} with {about_copy(copy)}.")
    following = command_line(
        "animate", subject.name, f"--engine {copy.engine} --baked --drive CLIP.mp4 -o OUT.mp4"
    )
    screen.say(f"Next: {following}")


def _baked(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    copies = baked_copies(subject)
    for copy in copies:
        screen.say(f"{copy.key}  {copy.engine}  {about_copy(copy)}")
    if not copies:
        screen.say(f"{subject.name} has no copy with baked edits.")


def _unbake(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    entry = remove_copy(options.store, subject, options.do.unbake or "")
    screen.say(f"In the trash: {entry.title}. To bring it back: {command_line('restore', entry.title)}")


def _sheet(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    from pipelines.edit_sheet import edit_sheet

    assert options.do.sheet is not None
    with screen.working() as progress:
        edit_sheet(subject, edited(avatar), options.do.sheet, progress=progress)
    screen.say(f"{options.do.sheet}: every edit alone, then all together.")


def _components(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    refuse_engine(subject, avatar, method_spec("ganspace"))
    from pipelines.latent_sheets import components_sheet

    assert options.do.components is not None
    with screen.working() as progress:
        count = components_sheet(avatar, options.do.components, progress)
    following = command_line("edit", subject.name, f"--engine {avatar.engine} --component N --title “…”")
    screen.say(f"{options.do.components}: {counted(count, 'component')}. Next: {following}")


def _samples(screen: Screen, subject: SubjectFolder, avatar: Avatar, options: EditOptions) -> None:
    refuse_engine(subject, avatar, method_spec("interfacegan"))
    from pipelines.latent_sheets import judging_sheet

    assert options.do.samples is not None
    with screen.working() as progress:
        count = judging_sheet(avatar, options.do.samples, progress)
    following = command_line("edit", subject.name, f"--engine {avatar.engine} --like N,N,… --dislike N,N,…")
    screen.say(f"{options.do.samples}: {counted(count, 'sample')}, numbered from 0. Next: {following}")


_DO: dict[str, Callable[[Screen, SubjectFolder, Avatar, EditOptions], None]] = {
    "listing": _list,
    "on": _on,
    "off": _off,
    "remove": _remove,
    "rename": _rename,
    "order": _order,
    "copy_to": _copy_to,
    "bake": _bake,
    "baked": _baked,
    "unbake": _unbake,
    "sheet": _sheet,
    "components": _components,
    "samples": _samples,
}


def _show_methods(screen: Screen, options: EditOptions) -> None:
    from studio.assets import AssetLibrary
    from studio.editing.catalog import METHODS

    assets = AssetLibrary(options.store.home)
    missing: dict[str, list[str]] = {}
    for generator, heading in (
        (False, "With any avatar, at once; these understand no text:"),
        (True, f"With an avatar that has a generator ({command_line('build', 'NAME', '--engine pvp')}):"),
    ):
        screen.say(heading)
        for spec in METHODS.values():
            if spec.generator is not generator:
                continue
            lacking = spec.missing(assets)
            if lacking is not None:
                missing.setdefault(lacking, []).append(spec.title)
            screen.say(f"  {' or '.join(OPTIONS[spec.id])}{' (off, see below)' if lacking else ''}")
            told = f"{spec.title}, {spec.id}: {spec.summary.partition('. ')[0].rstrip('.')}."
            screen.say(textwrap.fill(told, 100, initial_indent="      ", subsequent_indent="      "))
    for sentence, titles in missing.items():
        screen.say(f"Off: {'; '.join(titles)}.")
        screen.say(f"  {sentence}")


def _warn(screen: Screen, edit: Edit) -> None:
    """Say so when an edit rests at more than is suggested."""
    sheet = EditStack((edit,)).sheet(ControlSheet(()))
    tell_strong(sheet, sheet.neutral().values[None], screen.note)


def _state(edit: Edit) -> str:
    return f"{edit.strength:g}" if edit.on else "off"


def _ranges(edit: Edit) -> str:
    (low, high), (least, most) = edit.suggested, edit.limits
    return f"suggested {low:g} to {high:g} of {least:g} to {most:g}"


def _typed(name: str) -> str:
    return {"listing": "list"}.get(name, name.replace("_", "-"))
