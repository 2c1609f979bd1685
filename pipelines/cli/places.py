"""Where results may be written, said before any work instead of after it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from studio.domain.problem import Problem
from studio.project.store import Store


def refuse_place(
    output: Path,
    endings: tuple[str, ...],
    *,
    sources: Iterable[Path | None] = (),
    store: Store | None = None,
    overwrite: bool = False,
    what: str = "a video",
) -> None:
    """Say at once what would otherwise fail, or destroy something, after minutes.

    Args:
        output: the file to write.
        endings: suffixes that it may have, lower case; none for any.
        sources: files that are read meanwhile and must survive whatever is said.
        store: the home, whose own files must survive too.
        overwrite: whether another existing file may be replaced.
        what: what the file will be, for the sentence.

    Raises:
        Problem: the place will not do.
    """
    wanted = " or ".join(endings)
    if output.is_dir():
        raise Problem(f"{output} is a folder: give a file name{f' that ends in {wanted}' if wanted else ''}.")
    if endings and output.suffix.lower() not in endings:
        raise Problem(f"{output} is no name for {what}: let it end in {wanted}.")
    folder = output.absolute().parent
    if not folder.is_dir():
        raise Problem(f"There is no folder {folder}: make it first or write elsewhere.")
    for source in sources:
        if source is not None and _same(output, source):
            raise Problem(f"{output} is the very file that is to be read: choose another name to write to.")
    if store is not None:
        _refuse_projects(output, store)
    if output.exists() and not overwrite:
        raise Problem(f"{output} exists already: choose another name, or add --overwrite to replace it.")


def refuse_figures(output: Path, store: Store, sources: Iterable[Path | None] = ()) -> None:
    """:func:`refuse_place` for figures, which are replaced without asking: they can be measured again.

    Raises:
        Problem: the place will not do, or what is there are no figures.
    """
    replaceable = not output.is_file() or output.suffix.lower() == ".json" or not output.stat().st_size
    refuse_place(output, (), sources=sources, store=store, overwrite=True)
    if not replaceable:
        raise Problem(f"{output} exists already and is no .json file: choose another name.")


def refuse_folder(folder: Path, names: Iterable[str], *, store: Store, overwrite: bool = False) -> None:
    """:func:`refuse_place` for a report of several files; its folder is made where it is missing.

    Args:
        folder: where it goes.
        names: of its files.
        store: the home, whose own files must survive.
        overwrite: whether an earlier report may be replaced.

    Raises:
        Problem: the place will not do.
    """
    if folder.exists() and not folder.is_dir():
        raise Problem(f"{folder} is a file: give the name of a folder.")
    _refuse_projects(folder, store)
    for name in names:
        if (folder / name).exists() and not overwrite:
            raise Problem(
                f"{folder / name} exists already: choose another folder, or add --overwrite to replace it."
            )


def _refuse_projects(place: Path, store: Store) -> None:
    if _within(place, store):
        raise Problem(
            f"{place} lies among the projects of {store.home}, which only the studio itself writes: "
            "write elsewhere."
        )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


def _within(output: Path, store: Store) -> bool:
    place = output.resolve()
    kept = [store.home.resolve() / name for name in ("subjects", "driving", "trash", "sample")]
    return any(place.is_relative_to(folder) for folder in kept)
