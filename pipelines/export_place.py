"""Where an export may be written, said before any work instead of after it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from studio.domain.problem import Problem
from studio.media import Codec, refuse_name

KEPT = ("subjects", "driving", "trash", "sample")
"""Folders of the home that only the studio itself writes to."""


def refuse_target(
    target: Path,
    codec: Codec,
    home: Path,
    *,
    sources: Iterable[Path | None] = (),
    overwrite: bool = False,
    to_replace: str = "allow replacing it",
) -> None:
    """Say at once what would otherwise fail, or destroy something, after minutes.

    Args:
        target: the file or folder of pictures to write.
        codec: what will be written.
        home: the home folder, whose own files must survive.
        sources: files that are read meanwhile and must survive whatever is said.
        overwrite: whether an existing result may be replaced.
        to_replace: how a person allows that, for the sentence.

    Raises:
        Problem: the place will not do.
    """
    refuse_name(target, codec)
    for source in sources:
        if source is not None and _same(target, source):
            raise Problem(f"{target} is the very file that is to be read: choose another name to write to.")
    place = target.resolve()
    if any(place.is_relative_to(home.resolve() / name) for name in KEPT):
        raise Problem(
            f"{target} lies among the projects of {home}, which only the studio itself writes: "
            "write elsewhere."
        )
    if not overwrite and target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise Problem(f"{target} exists already: choose another name, or {to_replace}.")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False
