"""Reading foreign pickles without running anything that they ask for.

A pickle is a program: it names functions and says what to call them with. Here every name it uses is
answered by a harmless stand-in of our own. Arrays are rebuilt from their bytes after checking type,
shape and length; objects of named packages become :class:`Record` values that only remember what the pickle
said; any other name ends the reading. Nothing is ever imported for a pickle's sake.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
            raise _Refused("an array of structures")
        self.order = _text(state[1])

    def value(self) -> np.dtype[Any]:
        """The real dtype: numbers, truth values, text or objects only."""
        code = self.code.lstrip("<>=|")
        if code[:1] not in "biufcSUO" or (not code[1:].isdigit() and code != "O"):
            raise _Refused(f"an array of type {self.code!r}")
        return np.dtype(code if self.order in "|=" else self.order + code)


class _Array:
    """A numpy array as the pickle described it."""

    def __init__(self, *_: Any) -> None:
        self.array: npt.NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state if len(state) == 5 else (1, *state)
        if not isinstance(dtype, _Dtype) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise _Refused("a damaged array")
        count = math.prod(shape)
        kind = dtype.value()
        if kind.kind == "O":
            if not isinstance(raw, list) or len(raw) != count:
                raise _Refused("a damaged array")
            flat = np.empty(count, object)
            flat[:] = [_finish(item) for item in raw]
        else:
            data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
            if count > MOST_VALUES or len(data) != count * kind.itemsize:
                raise _Refused("a damaged array")
            flat = np.frombuffer(data, kind).copy()
        self.array = flat.reshape(shape, order="F" if fortran else "C")


class _Refused(Exception):
    """The pickle asks for something that is not data."""


def _reconstructor(kind: Any, base: Any, state: Any) -> Any:
    """copyreg._reconstructor, for records only."""
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind()
    raise _Refused("an object of a class that was not expected")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if _text(encoding) not in {"latin1", "latin-1"}:
        raise _Refused(f"text in {encoding!r}")
    return text.encode("latin1")


def _scalar(dtype: _Dtype, raw: Any = b"") -> Any:
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    kind = dtype.value()
    if kind.kind == "O" or not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise _Refused("a damaged number")
    return np.frombuffer(data, kind)[0]


def _no_bytes(*args: Any) -> bytes:
    """How old protocols write an empty byte string."""
    if args:
        raise _Refused("bytes")
    return b""


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class _Object:
    """Stands for the class ``object`` in old pickles."""

    def __setstate__(self, state: Any) -> None:
        """Forget it."""


class _Call:
    """A stand-in function that a pickle can call and cannot change."""

    __slots__ = ("_run",)

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run

    def __call__(self, *args: Any) -> Any:
        return self._run(*args)

    def __setstate__(self, state: Any) -> None:
        raise _Refused("a change of a function")


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_STAND_INS: dict[tuple[str, str], Any] = {
    **{(m, "_reconstruct"): _Array for m in _NUMPY},
    **{(m, "scalar"): _Call(_scalar) for m in _NUMPY},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Call(_encode),
    ("collections", "OrderedDict"): OrderedDict,
    **{(m, "_reconstructor"): _Call(_reconstructor) for m in ("copy_reg", "copyreg")},
    **{(m, "object"): _Object for m in ("__builtin__", "builtins")},
    **{
        (m, kind.__name__): kind
        for m in ("__builtin__", "builtins")
        for kind in (set, frozenset, list, dict, tuple, int, float, complex, bool)
    },
    ("__builtin__", "long"): int,
    **{(m, "bytes"): _Call(_no_bytes) for m in ("__builtin__", "builtins")},
}


class _Quarantine(pickle.Unpickler):
    def __init__(self, file: Any, inert: Sequence[str]) -> None:
        super().__init__(file, encoding="latin1")
        self._inert = tuple(inert)

    def find_class(self, module: str, name: str) -> Any:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is not None:
            return stand_in
        if any(module == package or module.startswith(package + ".") for package in self._inert):
            return type("Record", (Record,), {"module": module, "name": name})
        raise _Refused(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("a reference to something outside the file")


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
    try:
        with path.open("rb") as file:
            return _finish(_Quarantine(file, inert).load())
    except OSError as error:
        raise Problem(f"{path.name} cannot be read ({error.strerror or error}); check the path.") from error
    except _Refused as error:
        raise Problem(
            f"{path.name} asks to run or make {error}, which a file of numbers has no need of; "
            "nothing was run. Get the file from its original source."
        ) from None
    except MemoryError as error:
        raise Problem(f"{path.name} is damaged or too large; download it again.") from error
    except Exception as error:
        # A damaged pickle can fail in any operation; none of them has run foreign code.
        raise Problem(f"{path.name} is not a readable pickle ({error}); download it again.") from error


def _finish(value: Any) -> Any:
    """Put arrays and numbers in the place of their descriptions, all the way down."""
    return _walk(value, {})


def _walk(value: Any, seen: dict[int, Any]) -> Any:
    if isinstance(value, _Array):
        return value.array
    if id(value) in seen:
        return seen[id(value)]
    visit: Callable[[Any], Any] = lambda item: _walk(item, seen)  # noqa: E731
    if isinstance(value, dict):
        seen[id(value)] = value
        for key in list(value):
            value[key] = visit(value[key])
    elif isinstance(value, list):
        seen[id(value)] = value
        value[:] = [visit(item) for item in value]
    elif type(value) is tuple:
        return tuple(visit(item) for item in value)
    elif isinstance(value, Record):
        seen[id(value)] = value
        value.args, value.named = visit(value.args), visit(value.named)
        value.state, value.items = visit(value.state), visit(value.items)
    return value
