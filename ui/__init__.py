"""The faces of Avatar Studio: the only package that knows Qt."""

from __future__ import annotations

import ctypes
import sys

# Before Qt: once PySide's signatures are in use, every module that is imported goes through
# inspect.getsource(), which asks it for an attribute that it does not have; pydantic's answer to that imports
# what is just being imported.
from pydantic import TypeAdapter as TypeAdapter

# PySide6 6.12 gives references to None, True and False away, with every emit() for example: it is built as if
# they were immortal, which they are from Python 3.12 on. On 3.11 their count reaches zero after a while, and
# the program ends. So many references never run out.
if sys.version_info < (3, 12) and sys.implementation.name == "cpython":
    for single in (None, True, False, NotImplemented, Ellipsis):
        ctypes.c_ssize_t.from_address(id(single)).value += 1 << 40
