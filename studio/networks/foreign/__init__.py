"""Weights that others have published, read as data and turned into our networks.

No pickle's code is run and nothing that a pickle names is imported; see
:mod:`studio.project.quarantined_pickle`.
"""

from __future__ import annotations

from studio.networks.foreign.file import ForeignFile
from studio.networks.foreign.loading import (
    load_deca,
    load_e4e,
    load_eg3d,
    load_generator,
    load_gfpgan,
    load_ir_se50,
)
from studio.networks.foreign.reading import read_foreign

__all__ = [
    "ForeignFile",
    "load_deca",
    "load_e4e",
    "load_eg3d",
    "load_generator",
    "load_gfpgan",
    "load_ir_se50",
    "read_foreign",
]
