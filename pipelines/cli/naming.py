"""``controls [NAME]``: what a control file can ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from pipelines.cli.screen import Screen
from pipelines.cli.words import Chosen, Everywhere, parse
from studio.domain.controls import ControlSheet
from studio.domain.edits import GROUP


@dataclass(frozen=True, kw_only=True)
class ControlsOptions(Everywhere):
    """What ``controls`` can be told."""

    name: Annotated[
        str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]", help_behavior_hint="")
    ] = None
    """A subject, to see what the newest avatar's clip showed of each control."""
    engine: Chosen = None
    """Which kind of avatar; the newest of any kind otherwise."""
    clip: Chosen = None
    """Avatar of which of the subject's clips, by title or key; the newest avatar otherwise."""


def command(words: list[str]) -> int:
    """Run the command."""
    options: ControlsOptions = parse(
        ControlsOptions, words, "controls", "List what control files can name, with units and limits."
    )
    from pipelines.control_list import camera_sheet, control_entries, handle_entries
    from studio.head import builtin_head
    from studio.head.sheet import carried_by_one_picture

    sheet = _sheet(options)
    screen = Screen()
    picture = carried_by_one_picture(sheet)
    ranges = "one picture carries well" if picture else "the avatar's clip showed"
    screen.say("Controls" + (f", with the range that {ranges}" if options.name else ""))
    word = "good" if picture else "shown"
    edits = tuple(control for control in sheet.controls if control.group == GROUP)
    sheet = ControlSheet(tuple(control for control in sheet.controls if control.group != GROUP))
    entries = control_entries(sheet, reliable=options.name is not None)
    width = max(len(e.name) for e in entries)
    for entry in entries:
        shown = f"  {f'{word} {entry.reliable}' if entry.reliable else '':<22}" if options.name else ""
        limits = f"{entry.low} to {entry.high}"
        screen.say(f"  {entry.name:<{width}}  {limits:<22}{shown}  {entry.does}")
    if edits:
        screen.say("\nEdits of this person, at rest with the strength that they have")
        for entry in control_entries(ControlSheet(edits), reliable=True):
            limits = f"{entry.low} to {entry.high}, rests at {entry.neutral}"
            screen.say(f"  {entry.name:<{width}}  {limits:<29}  suggested {entry.reliable:<12}  {entry.does}")
    if options.name is None:
        screen.say("\nCamera, for avatars that it can go around")
        for entry in control_entries(camera_sheet(), reliable=False):
            limits = f"{entry.low} to {entry.high}"
            screen.say(f"  {entry.name:<{width}}  {limits:<22}  {entry.does}")
    screen.say("\nHandles: 0 is neutral, 1 fully expressed; they may be combined")
    for entry in handle_entries(sheet, builtin_head().handles):
        limits = f"{entry.low} to {entry.high}"
        screen.say(f"  {entry.name:<{width}}  {limits:<22}  {entry.does}")
    screen.say("\nLeft and right are the viewer's. docs/controls.md shows how a control file is written.")
    return 0


def _sheet(options: ControlsOptions) -> ControlSheet:
    from pipelines.control_list import plain_sheet

    if options.name is None:
        return plain_sheet()
    from pipelines.build_job import find_avatar
    from pipelines.edit_avatar import edited
    from studio.engines.catalog import engine_spec

    subject = options.store.find(options.name)
    avatar = find_avatar(
        subject, options.engine, None if options.clip is None else subject.clip(options.clip)
    )
    engine = engine_spec(avatar.engine).load(edited(avatar))
    try:
        return engine.sheet
    finally:
        engine.close()
