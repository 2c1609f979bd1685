"""Directions that others have published, and one's own from elsewhere: read as data, checked, and tried.

Known are plain arrays (``.npy``, ``.npz``, ``.safetensors``, ``.pt``) and GANSpace's dictionary of ``mean``,
``comp`` and ``std``. The kind is seen from the content; names do not matter. No pickle's code is ever run.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge

from studio.assets import AssetLibrary
from studio.domain.camera import Floats
from studio.domain.edits import Edit
from studio.domain.problem import Problem
from studio.editing.layer_rows import RowGroup, rows_of, shift_of
from studio.editing.method import MethodSpec, Workplace
from studio.project.quarantined_pickle import explaining_pickle, printable

if TYPE_CHECKING:  # torch, which a list of methods must not load
    from studio.editing.person import LatentPerson

ID = "direction-file"
LARGEST = 64 << 20
"""Bytes of a file, at most: published directions have kilobytes, GANSpace's components some hundred."""
_TRIED = 12
"""Samples that say how much of a direction is visible."""
_FAINT = 0.05
"""A direction whose longest step reaches less than this share of what samples differ by does nothing."""
_INTERFACEGAN_BYTES = 4224
"""Size of each of InterfaceGAN's published boundaries."""


@dataclass(frozen=True)
class DirectionFileWish:
    """Which direction of which file becomes an edit."""

    path: Path
    """The file: .npy, .npz, .safetensors or .pt."""
    entry: str = ""
    """Name of the array in a file that holds several."""
    component: Annotated[int, Ge(1)] = 1
    """Which of GANSpace's components, the strongest first."""
    rows: RowGroup = "all"
    """Rows that move: coarse ones shape pose and form, fine ones colour."""
    length: Literal["person", "file"] = "person"
    """person: strength 1 changes pictures as much as this person's own samples differ from each other. file:
    as long as the file has it."""


@dataclass(frozen=True)
class Known:
    """A published file."""

    name: str
    """Of the edit."""
    title: str
    """What its slider is called."""
    source: str
    """Whose it is, and for which generator."""


KNOWN: Mapping[str, Known] = {
    "50074516b1629707d89b5e43d6b8abd1792212fa3b961a87a11323d6a5222ae0": Known(
        "age", "Age", "e4e and PTI, for StyleGAN2's FFHQ"
    ),
    "817a7e732b59dee9eba862bec8bd7e8373568443bc9f9731a21cf9b0356f0653": Known(
        "smile", "Smile", "e4e and PTI, for StyleGAN2's FFHQ"
    ),
    "9ef9787ac6b7b37940e47fef22e78cbbe5aeae2e566c0b391bf279f3264b1d1c": Known(
        "rotation", "Rotation", "PTI and MyStyle, for StyleGAN2's FFHQ"
    ),
    "736e0eacc8488fa0b020a2e7bd256b957284c364191dfea693705e5d06d43e7d": Known(
        "pose", "Pose", "e4e, for StyleGAN2's FFHQ"
    ),
    "4d7f9df1c96180d9026b9cb8d04753579fbf385f321a9d0e263641601c5e5d36": Known(
        "ganspace", "GANSpace", "GANSpace by way of e4e, for StyleGAN2's FFHQ"
    ),
}
"""Published files by their SHA-256."""


@dataclass(frozen=True, eq=False)
class FoundDirection:
    """A direction of a file."""

    rows: Floats
    """``[1 or num_ws, w_dim]``, finite and not zero."""
    entry: str
    """What the file calls it; empty where it has no name."""
    name: str
    """Of the edit."""
    title: str
    """For people."""
    source: str
    """Whose it is, where known."""
    sha256: str
    """Of the file."""
    notes: tuple[str, ...]
    """What to know about it, as sentences."""


def find(person: LatentPerson | None, wish: Any, workplace: Workplace) -> Edit:
    """A direction of a file as an edit.

    Raises:
        Problem: the file cannot be used (see :func:`read_direction`), belongs to another shape of generator,
            or does nothing with this one.
    """
    assert person is not None
    assert isinstance(wish, DirectionFileWish)
    found = read_direction(wish.path, wish.entry, wish.component)
    height, width = found.rows.shape
    if width != person.w_dim or height not in (1, person.num_ws):
        raise Problem(
            f"{wish.path.name} holds a direction of shape {_shape(found.rows)}, and this avatar's generator "
            f"has latents of shape [{person.num_ws}, {person.w_dim}]: a direction works only with the "
            "generator that it was learnt for."
        )
    chosen = rows_of(wish.rows, person.num_ws)
    values = found.rows if height == 1 else found.rows[chosen.start : chosen.stop]
    if not values.any():
        raise Problem(f"{wish.path.name} is zero in all {wish.rows} rows: choose other rows.")
    shift = shift_of(values, chosen, person.num_ws)
    about: dict[str, Any] = {
        "file": wish.path.name,
        "sha256": found.sha256,
        "entry": found.entry,
        "source": found.source,
        "rows": wish.rows,
        "length": wish.length,
        "notes": list(found.notes),
    }
    from studio.editing.direction_response import visible_step
    from studio.editing.scored_samples import in_usual_moments

    samples = in_usual_moments(person, person.sample(_TRIED, 0))
    step, reached = visible_step(person, shift, samples, workplace.progress)
    if reached < _FAINT:
        raise Problem(
            f"{wish.path.name} changes nothing that could be seen with this avatar, so it belongs to another "
            "generator; use one that was learnt for this one."
        )
    about.update(visible=round(step, 5), reached=round(reached, 4))
    scale = step if wish.length == "person" else 1.0
    end = step / scale
    return Edit(
        name=found.name,
        title=found.title,
        method=ID,
        effect=shift_of(values * np.float32(scale), chosen, person.num_ws),
        strength=min(1.0, end),
        suggested=(-end, end),
        limits=(-max(2.0, 3.0 * end), max(2.0, 3.0 * end)),
        found=about,
    )


def read_direction(path: Path, entry: str = "", component: int = 1) -> FoundDirection:
    """A direction from a file.

    Args:
        path: an array of shape ``[w_dim]``, ``[1, w_dim]`` or ``[num_ws, w_dim]`` (or with further axes of
            length 1), several of them by name, or GANSpace's ``mean``, ``comp`` and ``std``, whose component
            is scaled to one standard deviation.
        entry: which of several arrays.
        component: which of GANSpace's components, from 1.

    Raises:
        Problem: the file is missing, too large, damaged, no file of numbers, asks for anything that is not
            data, holds no direction, or holds numbers that are none.
    """
    arrays, digest, size = _arrays(path)
    known = KNOWN.get(digest)
    notes = []
    components = {key: arrays.get(key) for key in ("comp", "std")}
    if all(value is not None for value in components.values()) and entry in ("", "comp"):
        rows, entry = _component(path.name, arrays, component), f"component {component}"
    else:
        entry = _chosen(path.name, arrays, entry)
        rows = _rows(path.name, arrays[entry])
    if known is None and _like_interfacegan(path, arrays, size):
        notes.append(
            "It looks like one of InterfaceGAN's published boundaries. Those were learnt for StyleGAN 1 and "
            "PGGAN: the shape fits StyleGAN2, the space is another one, so expect something else than its "
            "name."
        )
    elif known is None:
        notes.append("The file is not a known one: whether it was learnt for this generator cannot be told.")
    else:
        notes.append(f"Learnt for another generator ({known.source}); a tuned one has moved away from it.")
    named = known.name if known else path.stem
    titled = known.title if known else " ".join(path.stem.replace("_", " ").split())
    if entry and (len(arrays) > 1):
        named, titled = f"{named}_{entry}", f"{titled}: {entry}"
    return FoundDirection(
        rows,
        entry,
        re.sub(r"[^a-z0-9]+", "_", named.lower()).strip("_")[:40].strip("_") or "direction",
        printable(titled, 60) or "Direction",
        known.source if known else "",
        digest,
        tuple(notes),
    )


Arrays = dict[str, npt.NDArray[Any]]


def _arrays(path: Path) -> tuple[Arrays, str, int]:
    """What a file holds by name, its SHA-256 and its size."""
    if path.exists() and not path.is_file():
        raise Problem(f"{path.name} is no file; choose one.")
    with explaining_pickle(path.name), path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        if size > LARGEST:
            raise Problem(
                f"{path.name} has {size / 1e6:,.0f} MB, and a file of directions has {LARGEST / 1e6:,.0f} MB "
                "at most: choose another file."
            )
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        head = file.read(9)
        file.seek(0)
        if head.startswith(b"\x93NUMPY"):
            return {"": _npy(file, size, path.name)}, digest, size
        if head.startswith(b"PK\x03\x04") and not _is_torch(file, path.name):
            return _npz(file, path.name), digest, size
        if len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
            return _safetensors(file.read(), path.name), digest, size
        if not head.startswith((b"PK\x03\x04", b"\x80")):
            raise Problem(
                f"{path.name} is no file of directions: .npy, .npz, .safetensors and .pt with arrays are "
                "read; choose one of those."
            )
        return _torch(file, path.name), digest, size


def _npy(file: BinaryIO, size: int, name: str) -> npt.NDArray[Any]:
    """One array; what its head promises is checked before anything is reserved for it."""
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)  # type: ignore[no-untyped-call]
        read: Any = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError("its version is unknown")
        shape, fortran, kind = read(file)
        if kind.hasobject:
            raise Problem(
                f"{name} holds Python objects, which could run code when they are read; nothing was read. "
                "Save the direction as an array of numbers."
            )
        if kind.kind not in "fiu":
            raise Problem(f"{name} holds {kind} and no numbers: save the direction as an array of numbers.")
        count = math.prod(shape)
        data = file.read(count * kind.itemsize) if count * kind.itemsize <= size else b""
        if len(data) != count * kind.itemsize:
            raise ValueError("it is cut short")
    except (ValueError, TypeError, SyntaxError) as error:
        raise Problem(f"{name} is a damaged .npy file ({printable(str(error))}); get it again.") from None
    return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")


def _is_torch(file: BinaryIO, name: str) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(entry.endswith("data.pkl") for entry in archive.namelist())
    except zipfile.BadZipFile as error:
        raise Problem(f"{name} is a damaged archive ({printable(str(error))}); get it again.") from None
    finally:
        file.seek(0)


def _npz(file: BinaryIO, name: str) -> Arrays:
    arrays: Arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if sum(info.file_size for info in members) > LARGEST:
            raise Problem(f"{name} unpacks to far more than directions need; choose another file.")
        for info in members:
            inside = f"{name} ({printable(info.filename, 40)})"
            try:
                with archive.open(info) as member:
                    data = member.read(info.file_size)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                raise Problem(f"{inside} is damaged ({printable(str(error))}); get it again.") from None
            arrays[info.filename.removesuffix(".npy")] = _npy(io.BytesIO(data), len(data), inside)
    if not arrays:
        raise Problem(f"{name} is an archive without arrays; choose another file.")
    return arrays


def _safetensors(data: bytes, name: str) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return {key: value.double().numpy() for key, value in load(data).items()}
    except SafetensorError as error:
        raise Problem(
            f"{name} is a damaged .safetensors file ({printable(str(error))}); get it again."
        ) from None


def _torch(file: BinaryIO, name: str) -> Arrays:
    from studio.networks.foreign.torch_streams import ForeignTensor, read_stream

    root, _ = read_stream(file, name)
    found = root if isinstance(root, Mapping) else {"": root}
    arrays: Arrays = {}
    for key, value in found.items():
        if isinstance(value, ForeignTensor):
            arrays[str(key)] = value.value().double().numpy()
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            arrays[str(key)] = value
    if not arrays:
        raise Problem(f"{name} holds no arrays, so there is no direction in it; choose another file.")
    return arrays


def _chosen(name: str, arrays: Arrays, entry: str) -> str:
    if entry in arrays:
        return entry
    names = ", ".join(printable(key, 40) for key in list(arrays)[:12])
    if entry:
        there = f"it has {names}" if any(arrays) else "its one array has no name"
        raise Problem(f"{name} has no array named {entry!r}: {there}.")
    if len(arrays) > 1:
        raise Problem(f"{name} holds several arrays: name one of {names}.")
    return next(iter(arrays))


def _component(name: str, arrays: Arrays, component: int) -> Floats:
    """One of GANSpace's components, one standard deviation long."""
    comp = arrays["comp"]
    width = comp.shape[-1] if comp.ndim else 0
    table = comp.reshape(-1, width) if width else np.zeros((0, 1))
    deviations = arrays["std"].reshape(-1)
    if len(table) == 0 or len(deviations) != len(table):
        raise Problem(
            f"{name} has components of shape {_shape(comp)} and deviations of shape {_shape(arrays['std'])}, "
            "which do not belong together; get it again."
        )
    if component > len(table):
        raise Problem(f"{name} has {len(table)} components, so there is none of number {component}.")
    return _rows(name, table[component - 1] * deviations[component - 1])


def _rows(name: str, array: npt.NDArray[Any]) -> Floats:
    """``[1 or num_ws, w_dim]``, finite and not zero."""
    # Axes of length 1 in front mean nothing; [num_ws, 1, w_dim] and [1, num_ws, w_dim] occur.
    shape = tuple(size for size in array.shape[:-1] if size != 1) + array.shape[-1:]
    if array.ndim == 0 or len(shape) > 2 or array.size < 2:
        raise Problem(
            f"{name} holds an array of shape {_shape(array)}, where [w_dim], [1, w_dim] or [num_ws, w_dim] "
            "is expected; choose a file with one direction."
        )
    rows = np.asarray(array, np.float64).reshape(-1, shape[-1])
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise Problem(f"{name} holds values that are not numbers, or too large ones; get it again.")
    if not narrow.any():
        raise Problem(f"{name} is zero everywhere, so it leads nowhere; choose another file.")
    return narrow


def _like_interfacegan(path: Path, arrays: Arrays, size: int) -> bool:
    only = next(iter(arrays.values()))
    return (
        len(arrays) == 1
        and only.shape == (1, 512)
        and only.dtype == np.float64
        and size == _INTERFACEGAN_BYTES
        and path.suffix.lower() == ".npy"
    )


def _shape(array: npt.NDArray[Any]) -> str:
    return str(list(array.shape))


def _missing(_: AssetLibrary) -> str | None:
    return None


SPEC = MethodSpec(
    id=ID,
    title="Direction from a file",
    summary=(
        "Moves latents along a direction that somebody published, as far as shapes fit and pictures change. "
        "Takes seconds."
    ),
    spaces=("w", "w+"),
    generator=True,
    finder="studio.editing.direction_files:find",
    wish="studio.editing.direction_files:DirectionFileWish",
    missing=_missing,
)
"""The catalog's entry."""
