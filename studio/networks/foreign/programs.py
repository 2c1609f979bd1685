"""Numbers out of TorchScript programs, the way ``module.state_dict()`` names them.

A program is an archive of code and of one pickle with the modules' attributes. The code stays where it is:
only the attributes are read, as data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from studio.networks.foreign.torch_streams import ForeignTensor, read_program
from studio.project.quarantined_pickle import Record

MOST_MODULES = 10_000
"""A network of more parts than this is refused."""
DEEPEST = 64
"""Modules within modules."""


def program_tensors(file: BinaryIO, name: str) -> dict[str, ForeignTensor]:
    """Parameters and buffers of a TorchScript program by their names in the state dict.

    Args:
        file: see :func:`~studio.networks.foreign.torch_streams.read_program`.
        name: for messages.

    Raises:
        Refused: it asks for anything that is not data.
        Exception: it is damaged.
    """
    found: dict[str, ForeignTensor] = {}
    _collect(read_program(file, name), "", found, itertools.count())
    return found


def _collect(module: Any, prefix: str, found: dict[str, ForeignTensor], visits: Iterator[int]) -> None:
    state = module.state if isinstance(module, Record) else None
    # A module inside itself would have no end; one that is shared a thousandfold has no good purpose.
    if prefix.count(".") > DEEPEST or next(visits) > MOST_MODULES:
        raise ValueError("its modules have no end")
    if state is None:
        return
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise ValueError(f"{prefix.rstrip('.') or 'its root'} is not a module")
    for key, value in state.items():
        if isinstance(value, ForeignTensor):
            found[prefix + key] = value
        elif isinstance(value, Record):
            _collect(value, f"{prefix}{key}.", found, visits)
