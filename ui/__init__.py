"""The faces of Avatar Studio: the only package that knows Qt."""

from __future__ import annotations

import ctypes
import sys

# PySide6 6.12 gives a reference to True away with every emit() and disconnect(). Python 3.12 does not count
# them; 3.11 does, and ends the program after some hundreds. So many references never run out.
if sys.version_info < (3, 12) and sys.implementation.name == "cpython":
    ctypes.c_ssize_t.from_address(id(True)).value += 1 << 40
