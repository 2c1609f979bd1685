"""Names and amounts as a person reads them; shared by the pages."""

from __future__ import annotations

import re

from PySide6.QtCore import QCoreApplication

from pipelines.build_job import BAKED
from studio.domain.avatar import Avatar
from studio.engines.catalog import ENGINES


def tr(text: str) -> str:
    """Translated, for code outside of widgets."""
    return QCoreApplication.translate("words", text)


def engine_title(engine: str) -> str:
    """An engine's name; one that this program does not know keeps its id."""
    spec = ENGINES.get(engine)
    return engine if spec is None else spec.title


def avatar_title(avatar: Avatar) -> str:
    """Engine and, where it was made to be judged, that the end of the clip was kept from it; or that edits
    are baked into it."""
    held = avatar.lineage.get("held_out")
    title = engine_title(avatar.engine)
    if BAKED in avatar.lineage:
        title = tr("{title}, baked").format(title=title)
    return tr("{title} (without the last {n} %)").format(title=title, n=round(100 * held)) if held else title


def signed(value: float) -> str:
    """A whole number with its sign: +1, −5, 0."""
    whole = round(value)
    return f"{whole:+d}".replace("-", "−") if whole else "0"


def pose(yaw: float, pitch: float) -> str:
    """How a head is held, from degrees."""
    return tr("turned {yaw}°, nodded {pitch}°").format(yaw=signed(yaw), pitch=signed(pitch))


def pivot_reason(kept: str) -> str:
    """Why a frame was chosen, as a sentence; what pivot sets keep names the pose as a file would."""
    words = re.sub(
        r"yaw ([+-]?\d+)°, pitch ([+-]?\d+)°", lambda found: pose(float(found[1]), float(found[2])), kept
    )
    return words[:1].upper() + words[1:] + "."


def duration(seconds: float) -> str:
    """0:07, 12:30 or 1:02:03."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def about(seconds: float) -> str:
    """A wait in words: under a minute by tens of seconds, under an hour in minutes, then in hours."""
    if seconds < 10:
        return tr("a few seconds")
    if seconds < 55:
        return tr("{n} s").format(n=10 * round(seconds / 10))
    if seconds < 3570:
        return tr("{n} min").format(n=max(1, round(seconds / 60)))
    return tr("{n:.1f} h").format(n=seconds / 3600)


def size(octets: float) -> str:
    """512 kB, 3.4 MB or 2.1 GB."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= step:
            return f"{octets / step:.3g} {unit}"
    return f"{round(octets)} B"
