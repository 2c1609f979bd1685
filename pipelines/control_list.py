"""Every control and handle in words, for the command line and for docs/controls.md alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.control_names import unit_of
from studio.domain.controls import ControlSheet
from studio.domain.free_camera import camera_controls
from studio.domain.motion import HeadMotion
from studio.head import Handle
from studio.head.sheet import head_sheet

HEADS = ("name", "from", "to", "neutral", "what it does")


@dataclass(frozen=True)
class Entry:
    """One line of the list."""

    name: str
    """What control files call it; ``expression_00 … expression_49`` for the whole run of them."""
    low: str
    """Smallest value, with its unit."""
    high: str
    """Largest value, with its unit."""
    neutral: str
    """Where it stands when nothing is said."""
    does: str
    """One sentence."""
    reliable: str = ""
    """What an avatar's clip showed; empty without an avatar."""


def plain_sheet() -> ControlSheet:
    """The controls that every avatar has; what a clip showed of them is not known yet."""
    camera = np.array([1.0, 0.0, 0.0], np.float32)
    return head_sheet(HeadMotion.neutral(1, camera), camera)


def camera_sheet() -> ControlSheet:
    """What volumetric avatars have besides."""
    return ControlSheet(camera_controls())


def control_entries(sheet: ControlSheet, reliable: bool) -> list[Entry]:
    """The controls of a sheet; the expression coefficients, which nobody sets by hand, in one line."""
    entries, expressions = [], []
    for control in sheet.controls:
        if control.name.startswith("expression_"):
            expressions.append(control)
            continue
        shown = ""
        if reliable and control.reliable is not None:
            low, high = control.reliable
            shown = f"{_short(low)} to {_short(high)}"
        unit = unit_of(control)
        does = f"{control.label}. {control.hint}"
        limits = _short(control.low), _short(control.high) + unit
        entries.append(Entry(control.name, *limits, _short(control.default), does, shown))
    if expressions:
        first, last = expressions[0], expressions[-1]
        does = "Coefficients of the head model, for programs; for people there are the handles."
        limits = _short(first.low), _short(first.high) + unit_of(first)
        entries.append(Entry(f"{first.name} … {last.name}", *limits, _short(first.default), does))
    return entries


def handle_entries(sheet: ControlSheet, handles: Mapping[str, Handle]) -> list[Entry]:
    """The handles that are not controls by the same name."""
    return [
        Entry(name, _short(handle.low), _short(handle.high), "0", f"{handle.label}.")
        for name, handle in handles.items()
        if name not in sheet.names
    ]


def markdown(entries: list[Entry]) -> str:
    """A table for a page."""
    lines = [f"| {' | '.join(HEADS)} |", "|---|---:|---:|---:|---|"]
    lines += [f"| `{e.name}` | {e.low} | {e.high} | {e.neutral} | {e.does} |" for e in entries]
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    rounded = round(value, 2)
    return f"{rounded + 0.0:g}"  # + 0.0 takes the sign off a zero
