"""Folder names for anything a person may be called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

from studio.domain.problem import Problem

_LONGEST = 40
_RESERVED = {"con", "prn", "aux", "nul", "conin", "conout"} | {
    f"{port}{i}" for port in ("com", "lpt") for i in range(10)
}


def tidy_name(name: str) -> str:
    """A name as it is stored: composed (NFC), without outer or doubled white space.

    Raises:
        Problem: nothing is left, or it holds control characters.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise Problem("A subject needs a name: give one that is not empty.")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise Problem(f"The name {name!r} holds control characters: use letters, digits or signs.")
    return name


def slug_of(name: str, taken: Container[str]) -> str:
    """A folder name for ``name`` that is not in ``taken``.

    Lower-case ASCII letters, digits and single hyphens only, because some video libraries cannot open other
    paths on Windows; at most 43 characters or so; never a name that Windows keeps for devices.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:_LONGEST].strip("-") or "subject"
    if slug in _RESERVED:
        slug = f"subject-{slug}"
    candidate, number = slug, 1
    while candidate in taken:
        number += 1
        candidate = f"{slug}-{number}"
    return candidate
