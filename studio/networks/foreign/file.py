"""What a foreign file turned out to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from studio.domain.problem import Problem

Kind = Literal["nvidia", "eg3d", "rosinality", "e4e", "arcface", "deca", "gfpgan"]


@dataclass(frozen=True)
class ForeignFile:
    """Tensors of a checkpoint, under the names it uses itself."""

    kind: Kind
    """Whose layout it has."""
    tensors: Mapping[str, Tensor]
    """Values by name, float32 where they are real numbers; those of other parts of the file are left out."""
    about: Mapping[str, Any]
    """What else the file says, fit for JSON: ``source`` (file name), ``stream`` and what the kind adds."""


@dataclass(frozen=True)
class Converted:
    """Weights in our names with the shape of our network."""

    kind: Kind
    """Where they came from."""
    config: Mapping[str, Any]
    """The arguments of the network's config, fit for JSON."""
    tensors: Mapping[str, Tensor]
    """The complete state dict of the network."""
    notes: tuple[str, ...] = ()
    """What the conversion had to assume."""


class Unlike(Exception):
    """The tensors are not those of the network; the message says how, as the end of a sentence."""


@contextmanager
def explaining_unlike(source: str, network: str) -> Iterator[None]:
    """Turn :class:`Unlike` into a :class:`Problem` about the file ``source``."""
    try:
        yield
    except Unlike as error:
        raise Problem(f"{source} cannot be used as {network}: {error}.") from None


def fitted(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict ``expected`` (values do not matter) filled from ``found``, contiguous and unshared.

    Counters of batch normalisation may be missing: old files have none, and nothing here uses them.

    Raises:
        Unlike: a name is missing or a shape differs, or a value is not finite.
    """
    out = {}
    for name, like in expected.items():
        if name not in found and name.endswith("num_batches_tracked"):
            out[name] = torch.zeros((), dtype=torch.int64)
            continue
        if name not in found:
            raise Unlike(f"it has no {name}")
        value = found[name]
        if value.shape != like.shape:
            raise Unlike(f"{name} is {list(value.shape)} where {list(like.shape)} is expected")
        if not bool(torch.isfinite(value).all()):
            raise Unlike(f"{name} holds values that are not numbers")
        out[name] = value.to(like.dtype, copy=True).contiguous()
    return out


def shape_of(tensors: Mapping[str, Tensor], name: str, axes: int) -> tuple[int, ...]:
    """Shape of a tensor that must be there with so many axes, none of them empty. Raises :class:`Unlike`."""
    if name not in tensors:
        raise Unlike(f"it has no {name}")
    shape = tuple(tensors[name].shape)
    if len(shape) != axes or 0 in shape:
        raise Unlike(f"{name} has the shape {list(shape)}")
    return shape
