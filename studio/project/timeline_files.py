"""A subject's timelines on disk: ``timelines/<name>/timeline.json``, and imported motion beside it.

Imported motion lies in a file named by its content, written before the document that refers to it and removed
after the last one that did, so that saving after every edit writes little and nothing refers to what is gone.
"""

from __future__ import annotations

import hashlib
import os
import uuid
import zipfile
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from studio.domain.problem import Problem
from studio.domain.timeline import BaseMotion, Curve, Keyframe, Timeline
from studio.project.atomic import explaining_disk, rename
from studio.project.documents import DocumentKind, read_document, write_document

TIMELINE = DocumentKind("timeline")
"""The document ``timeline.json``."""
USUAL = "main"
"""Name of the timeline that a subject has without asking."""


def timeline_folder(subject: Path, name: str = USUAL) -> Path:
    """Folder of a subject's timeline, whether made or not."""
    return subject / "timelines" / name


def save_timeline(folder: Path, timeline: Timeline) -> None:
    """Write a timeline, making its folder. Raises Problem when the disk says no; the old one stays."""
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        motion = None if timeline.base is None else _save_motion(folder, timeline.base)
    content: dict[str, Any] = {
        "rate": [timeline.rate.numerator, timeline.rate.denominator],
        "length": timeline.length,
        "loop": timeline.loop,
        "curves": {
            name: {"mode": curve.mode, "keyframes": [[k.frame, k.value, k.ease] for k in curve.keyframes]}
            for name, curve in timeline.curves.items()
        },
        "base": None
        if timeline.base is None
        else {
            "title": timeline.base.title,
            "start": timeline.base.start,
            "names": list(timeline.base.names),
            "file": motion,
        },
    }
    write_document(folder / "timeline.json", TIMELINE, content)
    for file in folder.glob("motion-*.npz*"):
        if file.name != motion:
            with suppress(OSError):
                file.unlink()


def load_timeline(folder: Path) -> Timeline | None:
    """Read a timeline; None when there is none. Raises Problem when it is damaged or of a newer version."""
    file = folder / "timeline.json"
    if not file.exists():
        return None
    content = read_document(file, TIMELINE)
    try:
        base = content["base"]
        return Timeline(
            rate=Fraction(*(int(part) for part in content["rate"])),
            length=int(content["length"]),
            loop=bool(content["loop"]),
            curves={
                str(name): Curve(
                    tuple(Keyframe(int(f), float(v), ease) for f, v, ease in curve["keyframes"]),
                    curve["mode"],
                )
                for name, curve in content["curves"].items()
            },
            base=None if base is None else _load_motion(folder, base),
        )
    except (
        *(KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError),
        *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    ) as error:
        raise Problem(
            f"The timeline {file} is damaged: restore it from a backup, or remove its folder for a new one."
        ) from error


def set_aside(folder: Path) -> Path | None:
    """Rename a timeline's folder, so that a new one can take its place; returns where it is now, None
    if there was none. Raises Problem when the disk says no."""
    if not folder.exists():
        return None
    with explaining_disk(folder):
        number = 1
        while (target := folder.with_name(f"{folder.name}.old{number}")).exists():
            number += 1
        rename(folder, target)
    return target


def _save_motion(folder: Path, base: BaseMotion) -> str:
    digest = hashlib.sha256(repr(base.values.shape).encode() + base.values.tobytes()).hexdigest()
    name = f"motion-{digest[:16]}.npz"
    if not (folder / name).exists():
        aside = folder / f"{name}.{uuid.uuid4().hex[:8]}"
        try:
            with aside.open("wb") as file:
                np.savez(file, values=base.values)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(folder / name)
        finally:
            aside.unlink(missing_ok=True)
    return name


def _load_motion(folder: Path, base: dict[str, Any]) -> BaseMotion:
    with np.load(folder / Path(str(base["file"])).name, allow_pickle=False) as stored:
        values = np.asarray(stored["values"], np.float32)
    if not np.isfinite(values).all():
        raise ValueError("motion is not finite")
    return BaseMotion(str(base["title"]), int(base["start"]), tuple(str(n) for n in base["names"]), values)
