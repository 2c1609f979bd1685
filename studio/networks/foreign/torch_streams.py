"""PyTorch's file formats, read without PyTorch's loader: as data, whatever their pickles ask for.

Three layouts occur. Since PyTorch 1.6 a file is a zip archive: ``data.pkl`` refers to storages, which lie
beside it as raw bytes. Before, it was a row of pickles (a magic number, a protocol version, the machine's
byte order, the object, the keys of its storages) with the storages' raw bytes behind them. And a tensor
inside an ordinary pickle carries its storage as the bytes of such an old file. All are little-endian.

Tensors come back as :class:`ForeignTensor`, whose values are read when asked for.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import torch
from torch import Tensor

from studio.domain.problem import Problem
from studio.project.quarantined_pickle import Call, Record, Refused, unpickle

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the old layout."""
PROTOCOL = 1001
"""Second pickle of the old layout."""
SMALL = 1 << 16
"""A tensor may repeat its storage's values (stride 0) up to this count; a larger one is refused."""

DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

INERT = ("torch.nn.modules", "dnnlib", "argparse.Namespace", "pathlib", "pathlib._local", "training")
"""What checkpoints of the known kinds mention beside tensors: layers, settings, the trainer's own classes."""


class Storage:
    """A row of values somewhere in a file; tensors are views of it."""

    def __init__(self, dtype: torch.dtype, count: int) -> None:
        if type(count) is not int or count < 0:
            raise ValueError("a storage of impossible size")
        self.dtype, self.count = dtype, count
        self.size = count * dtype.itemsize
        """In bytes."""
        self.read: Callable[[], bytearray] | None = None
        self._values: Tensor | None = None
        self._whole: tuple[Storage, int] | None = None

    def values(self) -> Tensor:
        """``[count]``, read once."""
        if self._whole is not None:
            whole, start = self._whole
            return whole.values()[start : start + self.count]
        if self._values is None:
            if self.read is None:
                raise ValueError("a storage is missing")
            data = self.read()
            if len(data) != self.size:
                raise ValueError("a storage is cut short")
            self._values = (
                torch.frombuffer(data, dtype=self.dtype) if data else torch.empty(0, dtype=self.dtype)
            )
            self.read = None
        return self._values

    def part(self, start: int, count: int) -> Storage:
        """A storage over some of its values (files older than PyTorch 1.0 have such)."""
        view = Storage(self.dtype, count)
        if type(start) is not int or not 0 <= start <= self.count - count:
            raise ValueError("a part of a storage lies outside of it")
        view._whole = self, start
        return view

    def __setstate__(self, state: Any) -> None:
        raise Refused("a change of a storage")


class ForeignTensor:
    """A tensor as a file describes it."""

    __slots__ = ("offset", "shape", "storage", "stride")

    def __init__(self, storage: Any, offset: Any, shape: Any, stride: Any) -> None:
        numbers = (offset, *shape, *stride)
        if not isinstance(storage, Storage) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError("a damaged tensor")
        self.storage, self.offset = storage, offset
        self.shape, self.stride = tuple(shape), tuple(stride)
        count = math.prod(self.shape)
        if len(self.shape) != len(self.stride) or len(self.shape) > 8 or count > max(storage.count, SMALL):
            raise ValueError("a damaged tensor")
        last = offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride))
        if count and last >= storage.count:
            raise ValueError("a tensor reaches beyond its storage")

    def value(self) -> Tensor:
        """Its values, as a view of its storage."""
        values = self.storage.values()
        start = self.offset if self.count else 0
        return values.as_strided(self.shape, self.stride, values.storage_offset() + start)

    @property
    def count(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    def __setstate__(self, state: Any) -> None:
        raise Refused("a change of a tensor")


def read_stream(file: BinaryIO, name: str) -> tuple[Any, str]:
    """What a file of any of these layouts holds, or a plain pickle with tensors in it.

    Args:
        file: seekable, at its beginning; it must stay open while values are read from tensors.
        name: for messages.

    Returns:
        Containers, numbers, text, arrays, :class:`ForeignTensor` and
        :class:`~studio.project.quarantined_pickle.Record` values; and "zip", "legacy" or "pickle".

    Raises:
        Problem: a TorchScript program.
        Refused: the file asks for anything that is not data.
        Exception: it is damaged.
    """
    if file.read(4) == b"PK\x03\x04":
        return _read_zip(file, name, _STAND_INS), "zip"
    file.seek(0)
    keeper = _LegacyStorages()
    first = unpickle(file, INERT, _STAND_INS, keeper)
    if type(first) is int and first == MAGIC:
        return _read_legacy(file, keeper, _STAND_INS), "legacy"
    if keeper.storages:
        raise Refused("a reference to something outside the file")
    return first, "pickle"


def is_program(file: BinaryIO) -> bool:
    """Whether a file is a TorchScript program: an archive with code in it. Leaves it at its beginning.

    Raises:
        zipfile.BadZipFile: it is a damaged archive.
    """
    file.seek(0)
    archive = file.read(4) == b"PK\x03\x04"
    found = archive and any(map(_belongs_to_program, zipfile.ZipFile(file).namelist()))
    file.seek(0)
    return found


def read_program(file: BinaryIO, name: str) -> Any:
    """The object that a TorchScript program stores: its modules' numbers, none of its code.

    Args:
        file: a file of which :func:`is_program` holds; it must stay open while values are read.
        name: for messages.

    Returns:
        As :func:`read_stream`. Modules are records of ``__torch__`` whose state holds parameters, buffers and
        modules by name.

    Raises:
        Refused: it asks for anything that is not data.
        Exception: it is damaged.
    """
    return _read_zip(file, name, {**_STAND_INS, **_OF_PROGRAMS}, ("__torch__",), program=True)


def _belongs_to_program(entry: str) -> bool:
    return entry.endswith("/constants.pkl") or "/code/" in entry


def _read_zip(
    file: BinaryIO,
    name: str,
    stand_ins: dict[tuple[str, str], Any],
    inert: tuple[str, ...] = INERT,
    program: bool = False,
) -> Any:
    size = file.seek(0, io.SEEK_END)
    archive = zipfile.ZipFile(file)
    entries = {info.filename: info for info in archive.infolist()}
    roots = [entry[: -len("data.pkl")] for entry in entries if entry.endswith("/data.pkl")]
    if not program and any(map(_belongs_to_program, entries)):
        raise Problem(
            f"{name} is a TorchScript program, which the studio does not run; "
            "get the plain checkpoint from its source."
        )
    if len(roots) != 1:
        raise ValueError("the archive holds no data.pkl")
    root = roots[0]
    left = size
    storages: dict[str, Storage] = {}

    def take(entry: str, expected: int | None = None) -> bytearray:
        info = entries.get(root + entry)
        if info is None:
            raise ValueError(f"{entry} is missing")
        # PyTorch stores, it never compresses: what unpacks to more than it is has another purpose.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
            raise ValueError(f"{entry} is compressed or has an impossible size")
        if expected is not None and info.file_size != expected:
            raise ValueError(f"{entry} has {info.file_size} bytes instead of {expected}")
        with archive.open(info) as stored:
            return bytearray(stored.read())

    def outside(pid: Any) -> Storage:
        nonlocal left
        dtype, key, count = _storage_reference(pid)
        if key not in storages:
            storage = Storage(dtype, count)
            left -= storage.size
            if left < 0:
                raise ValueError("it claims to hold more than its own size")
            storage.read = lambda: take(f"data/{key}", storage.size)
            storages[key] = storage
        elif storages[key].dtype != dtype or storages[key].count != count:
            raise ValueError("one storage is described in two ways")
        return storages[key]

    if root + "byteorder" in entries and bytes(take("byteorder")) != b"little":
        raise ValueError("it was written on a big-endian machine")
    return unpickle(io.BytesIO(take("data.pkl")), inert, stand_ins, outside)


class _LegacyStorages:
    """Answers references to storages that follow later in the file."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}

    def __call__(self, pid: Any) -> Storage:
        dtype, key, count = _storage_reference(pid)
        storage = self.storages.setdefault(key, Storage(dtype, count))
        if storage.dtype != dtype or storage.count != count:
            raise ValueError("one storage is described in two ways")
        if len(pid) > 5 and pid[5] is not None:
            _, start, part = pid[5]
            return storage.part(start, part)
        return storage


def _read_legacy(file: BinaryIO, keeper: _LegacyStorages, stand_ins: dict[tuple[str, str], Any]) -> Any:
    if unpickle(file) != PROTOCOL:
        raise ValueError("its PyTorch protocol is unknown")
    machine = unpickle(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("it was written on a big-endian machine")
    value = unpickle(file, INERT, stand_ins, keeper)
    keys = unpickle(file)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its storages have no names")
    if set(keys) != set(keeper.storages) or len(keys) != len(set(keys)):
        raise ValueError("its storages are not those that it mentions")
    here = file.tell()
    end = file.seek(0, io.SEEK_END)
    for key in keys:
        file.seek(here)
        storage = keeper.storages[key]
        if int.from_bytes(file.read(8), "little") != storage.count or storage.size > end - here - 8:
            raise ValueError("a storage is cut short")
        storage.read = _reader(file, here + 8, storage.size)
        here += 8 + storage.size
    return value


def _reader(file: BinaryIO, start: int, size: int) -> Callable[[], bytearray]:
    def read() -> bytearray:
        file.seek(start)
        return bytearray(file.read(size))

    return read


def _storage_reference(pid: Any) -> tuple[torch.dtype, str, int]:
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
        raise Refused("a reference to something outside the file")
    kind, key, count = pid[1], pid[2], pid[4]
    if not isinstance(kind, str) or kind not in DTYPES or not isinstance(key, str):
        raise ValueError("a storage of an unknown type")
    if type(count) is not int or count < 0:
        raise ValueError("a storage of impossible size")
    return DTYPES[kind], key, count


def _load_from_bytes(data: Any) -> Storage:
    """A storage inside a pickle: an old file of its own, in which no further one can hide."""
    if not isinstance(data, bytes):
        raise ValueError("a storage without bytes")
    file, keeper = io.BytesIO(data), _LegacyStorages()
    if unpickle(file) != MAGIC:
        raise ValueError("a storage of unknown layout")
    storage = _read_legacy(file, keeper, _PLAIN)
    if not isinstance(storage, Storage):
        raise Refused("something else than numbers inside its numbers")
    storage.values()
    return storage


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> ForeignTensor:
    """Its other arguments (gradient flag, hooks, metadata) say nothing about values."""
    return ForeignTensor(storage, offset, shape, stride)


def _parameter(data: Any, *_: Any) -> ForeignTensor:
    if not isinstance(data, ForeignTensor):
        raise ValueError("a parameter that is no tensor")
    return data


def _tensor_of_type(make: Any, kind: Any, args: Any, *_: Any) -> ForeignTensor:
    made = make(*args) if isinstance(make, Call) else None
    if not isinstance(made, ForeignTensor):
        raise Refused("a tensor of its own making")
    return made


def _persistent(meta: Any) -> Record:
    """An object of NVIDIA's torch_utils.persistence: its class's source code is dropped, its state is
    kept."""
    if not isinstance(meta, dict) or meta.get("type") != "class" or not isinstance(meta.get("state"), dict):
        raise ValueError("an unknown kind of persistent object")
    record = type("Record", (Record,), {"module": PERSISTENT, "name": str(meta.get("class_name"))})()
    record.state = meta["state"]
    return record


PERSISTENT = "torch_utils.persistence"
"""Module name of records of NVIDIA's persistent objects; their name is that of the class."""

_PLAIN: dict[tuple[str, str], Any] = {
    **{(module, kind): kind for module in ("torch", "torch.cuda") for kind in DTYPES},
    ("torch._utils", "_rebuild_tensor"): Call(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Call(_tensor),
    ("torch._utils", "_rebuild_parameter"): Call(_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): Call(_parameter),
}
_STAND_INS: dict[tuple[str, str], Any] = {
    **_PLAIN,
    ("torch._tensor", "_rebuild_from_type_v2"): Call(_tensor_of_type),
    **{(module, "Parameter"): "Parameter" for module in ("torch.nn", "torch.nn.parameter")},
    ("torch", "Tensor"): "Tensor",
    ("torch", "Size"): tuple,
    ("torch", "device"): Call(lambda *place: ":".join(map(str, place))),
    **{("torch", str(dtype).removeprefix("torch.")): str(dtype) for dtype in DTYPES.values()},
    ("torch.storage", "_load_from_bytes"): Call(_load_from_bytes),
    (PERSISTENT, "_reconstruct_persistent_obj"): Call(_persistent),
    ("collections", "defaultdict"): Call(lambda *_: {}),
}
_OF_PROGRAMS: dict[tuple[str, str], Any] = {
    **{
        ("torch.jit._pickle", f"build_{kind}"): Call(lambda values: values)
        for kind in ("intlist", "doublelist", "boollist", "tensorlist")
    },
    ("torch.jit._pickle", "restore_type_tag"): Call(lambda value, _tag: value),
}
