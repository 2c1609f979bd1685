"""An avatar's edits on disk: ``edits/edits.json``, and their arrays beside it.

::

    avatars/<engine>-<key>/edits/edits.json       what there is, in order
                                 effect-<…>.npz   the arrays of one effect, named by their content
                                 lock             held by whoever changes them
                                 cache/           what methods of editing may use again, see edit_cache

Arrays are written before the document that refers to them and removed after the last one that did, so that
nothing ever refers to what is gone. An effect of a kind that this program does not know stays as it is, in
its place, however often the others are saved.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from studio.domain.camera import Floats
from studio.domain.edits import EFFECTS, Edit, EditStack, Effect
from studio.domain.problem import Problem
from studio.project.atomic import explaining_disk, tidy, write_bytes
from studio.project.documents import DocumentKind, read_document, write_document

EDITS = DocumentKind("edits")
"""The document ``edits.json``."""
FILE = "edits.json"
FOLDER = "edits"
"""What the folder is called, in the avatar's own."""
_PATIENCE = 20.0
"""Seconds to wait for another process that is changing the same edits; it takes a moment."""
_DAMAGE = (
    *(KeyError, TypeError, ValueError, AttributeError, OverflowError),
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
)
_ARRAYS = {
    kind: tuple(one.name for one in fields(effect) if one.type == "Floats")
    for kind, effect in EFFECTS.items()
}
"""Kind of effect to its fields that are arrays."""


@dataclass(frozen=True)
class UnknownEdit:
    """An edit of a newer program: kept, not shown."""

    name: str
    """What it is called."""
    title: str
    """What a person reads."""
    kind: str
    """The kind of effect that this program does not know."""


def edits_folder(avatar_folder: Path) -> Path:
    """Where an avatar's edits are, made if need be. Raises Problem when the disk says no."""
    place = avatar_folder / FOLDER
    if not place.is_dir():
        if not avatar_folder.is_dir():
            raise Problem(f"{avatar_folder} is gone, so nothing can be kept there: choose another avatar.")
        with explaining_disk(place):
            # Avatars are listed by when they were built, which their folder's own time tells.
            before = avatar_folder.stat()
            place.mkdir(exist_ok=True)
            os.utime(avatar_folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    return place


def edit_cache(avatar_folder: Path) -> Path:
    """Where methods keep what they may use again for this avatar, made if need be. It can be removed at any
    time. Raises Problem when the disk says no."""
    place = edits_folder(avatar_folder) / "cache"
    with explaining_disk(place):
        place.mkdir(exist_ok=True)
    return place


def save_edits(avatar_folder: Path, stack: EditStack) -> None:
    """Write an avatar's edits. Those of kinds that are unknown here stay.

    Raises:
        Problem: the disk says no, or what is there is damaged or of a newer version; it stays as it was.
    """
    if stack.edits or (avatar_folder / FOLDER / FILE).exists():
        with _alone(avatar_folder) as place:
            _save(place, stack, _unknown(_entries(place)))


def load_edits(avatar_folder: Path) -> EditStack:
    """An avatar's edits in order; none where nothing was stored, those of unknown kinds being left out.

    Raises:
        Problem: they are damaged, or of a newer version of the program.
    """
    return _load(avatar_folder / FOLDER)


def change_edits(avatar_folder: Path, change: Callable[[EditStack], EditStack]) -> EditStack:
    """Read edits, change them and write them, while nobody else does.

    Args:
        avatar_folder: the avatar's.
        change: from the edits as they are to what they shall be; what it raises leaves them as they are.

    Returns:
        What they are now.

    Raises:
        Problem: as of loading and saving.
    """
    with _alone(avatar_folder) as place:
        before = _load(place)
        after = change(before)
        if after != before:
            _save(place, after, _unknown(_entries(place)))
        return after


def unknown_edits(avatar_folder: Path) -> tuple[UnknownEdit, ...]:
    """Edits that a newer program made and this one cannot show. Raises Problem when they are damaged."""
    place = avatar_folder / FOLDER
    found = [entry for _, entry in _unknown(_entries(place))]
    with _explaining(place):
        return tuple(UnknownEdit(str(e["name"]), str(e["title"]), str(e["effect"]["kind"])) for e in found)


def remove_unknown(avatar_folder: Path, name: str) -> None:
    """Remove an edit of a kind that this program does not know. Raises KeyError when there is none of that
    name, Problem when the disk says no."""
    with _alone(avatar_folder) as place:
        unknown = _unknown(_entries(place))
        left = [(before, entry) for before, entry in unknown if entry.get("name") != name]
        if len(left) == len(unknown):
            raise KeyError(name)
        _save(place, _load(place), left)


Unknown = list[tuple[tuple[str, ...], dict[str, Any]]]
"""Entries of unknown kinds, each with the names of those before it."""


def _save(place: Path, stack: EditStack, unknown: Unknown) -> None:
    entries = [_plain(place, edit) for edit in stack.edits]
    for before, entry in unknown:
        names = [one.get("name") for one in entries]
        if entry.get("name") in names:
            raise Problem(
                f"An edit named “{entry['name']}”, which a newer version of Avatar Studio made, is here "
                "already: give this one another name."
            )
        last = next((name for name in reversed(before) if name in names), None)
        entries.insert(0 if last is None else names.index(last) + 1, entry)
    write_document(place / FILE, EDITS, {"edits": entries})
    used = {str(file) for entry in entries if (file := _effect(entry).get("file"))}
    for path in place.glob("effect-*.npz"):
        if path.name not in used:
            with suppress(OSError):
                path.unlink()


def _load(place: Path) -> EditStack:
    while True:
        entries = _entries(place)
        try:
            with _explaining(place):
                return EditStack(tuple(_edit(place, entry) for entry in entries if _known(entry)))
        except Problem:
            if _entries(place) == entries:
                raise
            # Somebody saved meanwhile, and removed what the older document referred to.


def _entries(place: Path) -> list[dict[str, Any]]:
    """What the document lists, in order."""
    if not (place / FILE).exists():
        return []
    with _explaining(place):
        entries = read_document(place / FILE, EDITS)["edits"]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise TypeError("no list of edits")
        return entries


def _unknown(entries: list[dict[str, Any]]) -> Unknown:
    names = tuple(str(entry.get("name", "")) for entry in entries)
    return [(names[:place], entry) for place, entry in enumerate(entries) if not _known(entry)]


def _known(entry: Mapping[str, Any]) -> bool:
    return _effect(entry).get("kind") in EFFECTS


def _effect(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    effect = entry.get("effect")
    return effect if isinstance(effect, dict) else {}


def _plain(place: Path, edit: Edit) -> dict[str, Any]:
    """An edit as JSON values, its arrays in a file."""
    kind = next(kind for kind, effect in EFFECTS.items() if isinstance(edit.effect, effect))
    arrays = {name: np.asarray(getattr(edit.effect, name), np.float32) for name in _ARRAYS[kind]}
    rest = [one.name for one in fields(edit.effect) if one.name not in arrays]
    return {
        "name": edit.name,
        "title": edit.title,
        "method": edit.method,
        "strength": float(edit.strength),
        "suggested": [float(value) for value in edit.suggested],
        "limits": [float(value) for value in edit.limits],
        "on": bool(edit.on),
        "effect": {
            "kind": kind,
            **{name: _json(getattr(edit.effect, name)) for name in rest},
            **({"file": _save_arrays(place, arrays)} if arrays else {}),
        },
        "found": dict(edit.found),
    }


def _edit(place: Path, entry: Mapping[str, Any]) -> Edit:
    low, high = entry["limits"]
    first, last = entry["suggested"]
    if not isinstance(entry["on"], bool):
        raise TypeError("on is yes or no")
    return Edit(
        name=str(entry["name"]),
        title=str(entry["title"]),
        method=str(entry["method"]),
        effect=_made(place, entry["effect"]),
        strength=float(entry["strength"]),
        suggested=(float(first), float(last)),
        limits=(float(low), float(high)),
        on=entry["on"],
        found=dict(entry["found"]),
    )


def _made(place: Path, effect: Mapping[str, Any]) -> Effect:
    kind = EFFECTS[effect["kind"]]
    arrays = _ARRAYS[effect["kind"]]
    values: dict[str, Any] = dict(_load_arrays(place, effect["file"], arrays)) if arrays else {}
    for one in fields(kind):
        if one.name not in arrays:
            values[one.name] = _value(effect[one.name])
    made: Effect = kind(**values)
    return made


def _json(value: Any) -> Any:
    """Numbers, texts and tuples of them as JSON has them; NumPy's own numbers as plain ones."""
    if isinstance(value, tuple | list):
        return [_json(one) for one in value]
    if isinstance(value, str):
        return value
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _value(value: Any) -> Any:
    """Back from JSON, lists being tuples."""
    if isinstance(value, list):
        return tuple(_value(one) for one in value)
    if not isinstance(value, str | int | float):
        raise TypeError(f"an effect holds {value!r}")
    return value


def _save_arrays(place: Path, arrays: Mapping[str, Floats]) -> str:
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.shape]).encode())
        digest.update(array.tobytes())
    file = f"effect-{digest.hexdigest()[:16]}.npz"
    if not (place / file).exists():
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        write_bytes(place / file, packed.getvalue())
    return file


def _load_arrays(place: Path, file: str, names: tuple[str, ...]) -> dict[str, Floats]:
    with np.load(place / Path(file).name, allow_pickle=False) as stored:
        return {name: np.asarray(stored[name], np.float32) for name in names}


@contextmanager
def _alone(avatar_folder: Path) -> Iterator[Path]:
    """The folder of edits, made if need be; no other process changes it meanwhile."""
    place = edits_folder(avatar_folder)
    with explaining_disk(place):
        lock = filelock.FileLock(place / "lock")
        try:
            lock.acquire(timeout=_PATIENCE)
        except filelock.Timeout:
            raise Problem(
                f"The edits in {place} are being changed by another program: try again in a moment."
            ) from None
    try:
        tidy(place)
        yield place
    finally:
        lock.release()


@contextmanager
def _explaining(place: Path) -> Iterator[None]:
    """What is damaged, in a sentence."""
    try:
        yield
    except _DAMAGE as error:
        raise Problem(
            f"The edits in {place / FILE} are damaged: restore them from a backup, or remove the folder "
            f"{place}, which shows the person without edits."
        ) from error
