"""Reading foreign pickles without running anything that they ask for.

A pickle is a program: it names functions and says what to call them with. Here every name it uses is
answered by a harmless stand-in of our own. Arrays are rebuilt from their bytes after checking type,
shape and length; objects of named packages become :class:`Record` values that only remember what the pickle
said; any other name ends the reading. Nothing is ever imported for a pickle's sake.
"""

from __future__ import annotations

import io
import itertools
import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem

MOST_VALUES = 1 << 31
"""An array that claims to hold more values than this is refused."""


class Record:
    """What a pickle said about an object of a foreign class. Inert: it has no behaviour."""

    module: str = ""
    """Module that the pickle named."""
    name: str = ""
    """Class that the pickle named."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.args = args
        self.named = named
        self.state: Any = None
        self.items: list[Any] = []

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, item: Any) -> None:
        """What the pickle appended."""
        self.items.append(item)

    def extend(self, items: Sequence[Any]) -> None:
        """What the pickle appended."""
        self.items.extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def __new__(cls, *args: Any, **named: Any) -> Record:
        made = super().__new__(cls)
        made.args, made.named, made.state, made.items = args, named, None, []
        return made

    def __repr__(self) -> str:
        return f"Record({self.module}.{self.name})"


class _Dtype:
    """A numpy dtype as the pickle described it."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code, self.order = _text(code), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[3] is not None or state[2] is not None:
            raise Refused("an array of structures")
        self.order = _text(state[1])

    def value(self) -> np.dtype[Any]:
        """The real dtype: numbers, truth values, text or objects only."""
        code = self.code.lstrip("<>=|")
        if code[:1] not in "biufcSUO" or (not code[1:].isdigit() and code != "O"):
            raise Refused(f"an array of type {self.code!r}")
        return np.dtype(code if self.order in "|=" else self.order + code)


class _Array:
    """A numpy array as the pickle described it."""

    def __init__(self, *_: Any) -> None:
        self.array: npt.NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state if len(state) == 5 else (1, *state)
        if not isinstance(dtype, _Dtype) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise Refused("a damaged array")
        count = math.prod(shape)
        kind = dtype.value()
        if kind.kind == "O":
            if not isinstance(raw, list) or len(raw) != count:
                raise Refused("a damaged array")
            flat = np.empty(count, object)
            flat[:] = [_finish(item) for item in raw]
        else:
            data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
            if count > MOST_VALUES or len(data) != count * kind.itemsize:
                raise Refused("a damaged array")
            flat = np.frombuffer(data, kind).copy()
        self.array = flat.reshape(shape, order="F" if fortran else "C")


class Refused(Exception):
    """The pickle asks for something that is not data; the message ends "asks to run or make …"."""


def _reconstructor(kind: Any, base: Any, state: Any) -> Any:
    """copyreg._reconstructor, for records only."""
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind()
    raise Refused("an object of a class that was not expected")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if _text(encoding) not in {"latin1", "latin-1"}:
        raise Refused(f"text in {encoding!r}")
    return text.encode("latin1")


def _scalar(dtype: _Dtype, raw: Any = b"") -> Any:
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    kind = dtype.value()
    if kind.kind == "O" or not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise Refused("a damaged number")
    return np.frombuffer(data, kind)[0]


def _no_bytes(*args: Any) -> bytes:
    """How old protocols write an empty byte string."""
    if args:
        raise Refused("bytes")
    return b""


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class _Object:
    """Stands for the class ``object`` in old pickles."""

    def __setstate__(self, state: Any) -> None:
        """Forget it."""


class Call:
    """A stand-in function that a pickle can call and cannot change."""

    __slots__ = ("_run",)

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run

    def __call__(self, *args: Any) -> Any:
        return self._run(*args)

    def __setstate__(self, state: Any) -> None:
        raise Refused("a change of a function")


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_STAND_INS: dict[tuple[str, str], Any] = {
    **{(m, "_reconstruct"): _Array for m in _NUMPY},
    **{(m, "scalar"): Call(_scalar) for m in _NUMPY},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): Call(_encode),
    ("collections", "OrderedDict"): OrderedDict,
    **{(m, "_reconstructor"): Call(_reconstructor) for m in ("copy_reg", "copyreg")},
    **{(m, "object"): _Object for m in ("__builtin__", "builtins")},
    **{
        (m, kind.__name__): kind
        for m in ("__builtin__", "builtins")
        for kind in (set, frozenset, list, dict, tuple, int, float, complex, bool)
    },
    ("__builtin__", "long"): int,
    **{(m, "bytes"): Call(_no_bytes) for m in ("__builtin__", "builtins")},
}


class _Quarantine(pickle.Unpickler):
    def __init__(
        self,
        file: Any,
        inert: Sequence[str],
        stand_ins: Mapping[tuple[str, str], Any],
        outside: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(file, encoding="latin1")
        self._inert, self._stand_ins, self._outside = tuple(inert), stand_ins, outside

    def find_class(self, module: str, name: str) -> Any:
        stand_in = self._stand_ins.get((module, name), _STAND_INS.get((module, name)))
        if stand_in is not None:
            return stand_in
        places = (module, f"{module}.{name}")
        if any(place == known or place.startswith(known + ".") for place in places for known in self._inert):
            return type("Record", (Record,), {"module": module, "name": name})
        raise Refused(printable(f"{module}.{name}"))

    def persistent_load(self, pid: Any) -> Any:
        if self._outside is None:
            raise Refused("a reference to something outside the file")
        return self._outside(pid)


_CODES = {ord(op.code): op for op in pickletools.opcodes}
_WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


def _end_of_pickle(file: BinaryIO) -> int:
    """Walk over one pickle without making anything of it; the position after its STOP.

    What would already harm the unpickler itself is refused here: memo numbers and lengths that make it
    reserve more memory than the file could fill, and the extension registry of the running program.
    """
    start = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(start)

    def take(count: int) -> bytes:
        if count > size - file.tell():
            raise ValueError("it ends too early")
        return file.read(count)

    def line() -> bytes:
        text = file.readline()
        if not text.endswith(b"\n"):
            raise ValueError("it ends too early")
        return text

    for step in itertools.count():
        op = _CODES.get(take(1)[0])
        if op is None:
            raise ValueError("it is not written in pickle's code")
        if op.name == "STOP":
            return file.tell()
        if op.name.startswith("EXT"):
            raise Refused("an extension of the running program")
        if op.arg is None:
            continue
        argument = b""
        if op.arg.n >= 0:
            argument = take(op.arg.n)
        elif op.arg.n == pickletools.UP_TO_NEWLINE:
            argument = line()
            if op.arg is pickletools.stringnl_noescape_pair:
                line()
        else:
            length = int.from_bytes(take(_WIDTHS[op.arg.n]), "little")
            if length > size - file.tell():
                raise ValueError("it ends too early")
            file.seek(length, io.SEEK_CUR)
        if op.name == "FRAME" and int.from_bytes(argument, "little") > size - file.tell():
            raise ValueError("it ends too early")
        if op.name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            number = int(argument) if op.name == "PUT" else int.from_bytes(argument, "little")
            if not 0 <= number <= step + 1:
                raise Refused("a memory of impossible size")
    raise AssertionError


def unpickle(
    file: BinaryIO,
    inert: Sequence[str] = (),
    stand_ins: Mapping[tuple[str, str], Any] | None = None,
    outside: Callable[[Any], Any] | None = None,
) -> Any:
    """One pickle from a seekable file, which is left just behind it.

    Args:
        file: at the beginning of a pickle of any protocol, from Python 2 or 3.
        inert: packages, or dotted names of classes, whose objects may appear as :class:`Record` values.
        stand_ins: by (module, name) what answers a name of the pickle: a :class:`Call`, or a class whose
            instances do nothing when they are made, called, filled or given a state.
        outside: answers the pickle's references to things outside it; without it they are refused.

    Returns:
        Containers, numbers, text, numpy arrays, records and what the stand-ins made.

    Raises:
        Refused: it asks for anything else.
        Exception: it is damaged. No failure has run foreign code.
    """
    start = file.tell()
    end = _end_of_pickle(file)
    file.seek(start)
    value = _finish(_Quarantine(file, inert, stand_ins or {}, outside).load())
    file.seek(end)
    return value


def printable(text: str, most: int = 200) -> str:
    """Foreign text fit for a message: one line of at most ``most`` characters."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:most])


@contextmanager
def explaining_pickle(name: str) -> Iterator[None]:
    """Turn whatever fails while a foreign file is read into a :class:`Problem` about the file ``name``."""
    try:
        yield
    except Problem:
        raise
    except OSError as error:
        raise Problem(f"{name} cannot be read ({error.strerror or error}); check the path.") from error
    except Refused as error:
        raise Problem(
            f"{name} asks to run or make {error}, which a file of numbers has no need of; "
            "nothing was run. Get the file from its original source."
        ) from None
    except MemoryError as error:
        raise Problem(f"{name} is damaged or too large; download it again.") from error
    except Exception as error:
        # A damaged pickle can fail in any operation; none of them has run foreign code.
        why = printable(str(error))
        raise Problem(f"{name} is not a readable pickle ({why}); download it again.") from error


def read_pickle(path: Path, inert: Sequence[str] = ()) -> Any:
    """What a pickle file holds, without running any of its code.

    Args:
        path: a pickle of any protocol, from Python 2 or 3.
        inert: packages whose objects may appear, as :class:`Record` values.

    Returns:
        Containers, numbers, text, numpy arrays and records.

    Raises:
        Problem: when the file is missing, damaged, or names anything else.
    """
    with explaining_pickle(path.name), path.open("rb") as file:
        return unpickle(file, inert)


def _finish(value: Any) -> Any:
    """Put arrays and numbers in the place of their descriptions, all the way down."""
    return _walk(value, {})


def _walk(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    if isinstance(value, _Array):
        return value.array
    if id(value) in seen:
        return seen[id(value)][1]
    visit: Callable[[Any], Any] = lambda item: _walk(item, seen)  # noqa: E731
    # The original is remembered as well: were it freed, another value could get its id.
    if isinstance(value, dict):
        seen[id(value)] = value, value
        for key in list(value):
            value[key] = visit(value[key])
    elif isinstance(value, list):
        seen[id(value)] = value, value
        value[:] = [visit(item) for item in value]
    elif type(value) is tuple:
        # Remembered, because a tuple of one tuple twice, forty times over, has 2^40 leaves.
        made = tuple(visit(item) for item in value)
        seen[id(value)] = value, made
        return made
    elif isinstance(value, Record):
        seen[id(value)] = value, value
        value.args, value.named = visit(value.args), visit(value.named)
        value.state, value.items = visit(value.state), visit(value.items)
    return value
