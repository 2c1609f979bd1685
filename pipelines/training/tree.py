"""Nested states as JSON and tensors: what a checkpoint can hold without a pickle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Tree = Any
"""Tensors, numbers, strings, None, and dicts (keys str or int), lists and tuples of them."""

_MARK = "__is__"


def split(tree: Tree) -> tuple[Any, dict[str, Tensor]]:
    """Take the tensors out of a state.

    Returns:
        What :mod:`json` takes, with names in the tensors' places, and the tensors by name, on the CPU,
        contiguous and each with memory of its own.

    Raises:
        TypeError: something that neither is data nor has a plain form, e.g. a function.
    """
    tensors: dict[str, Tensor] = {}
    held: set[int] = set()

    def walk(node: Tree, name: str) -> Any:
        if isinstance(node, Tensor):
            flat = node.detach().cpu().contiguous()
            if flat.untyped_storage().data_ptr() in held or flat.untyped_storage().nbytes() != flat.nbytes:
                flat = flat.clone()
            held.add(flat.untyped_storage().data_ptr())
            tensors[name] = flat
            return {_MARK: "tensor", "name": name}
        if isinstance(node, Mapping):
            if all(isinstance(key, str) for key in node) and _MARK not in node:
                return {key: walk(value, f"{name}/{key}") for key, value in node.items()}
            items = [[_key(key), walk(value, f"{name}/{key}")] for key, value in node.items()]
            return {_MARK: "items", "items": items}
        if isinstance(node, (list, tuple)):
            items = [walk(value, f"{name}/{i}") for i, value in enumerate(node)]
            return {_MARK: "tuple", "items": items} if isinstance(node, tuple) else items
        if isinstance(node, np.generic):
            node = node.item()
        if isinstance(node, float) and not math.isfinite(node):
            return {_MARK: "float", "value": repr(node)}
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        raise TypeError(f"a checkpoint cannot hold {type(node).__name__} ({name})")

    return walk(tree, ""), tensors


def join(plain: Any, tensors: Mapping[str, Tensor]) -> Tree:
    """The state that :func:`split` took apart. Raises KeyError when a tensor is missing."""
    if isinstance(plain, list):
        return [join(item, tensors) for item in plain]
    if not isinstance(plain, dict):
        return plain
    kind = plain.get(_MARK)
    if kind is None:
        return {key: join(value, tensors) for key, value in plain.items()}
    if kind == "tensor":
        return tensors[plain["name"]]
    if kind == "float":
        return float(plain["value"])
    if kind == "tuple":
        return tuple(join(item, tensors) for item in plain["items"])
    return {key: join(value, tensors) for key, value in plain["items"]}


def shapes(tree: Tree) -> dict[str, list[int]]:
    """Name to shape of every tensor of a state: what must agree before it is loaded into a network."""
    found: dict[str, list[int]] = {}

    def walk(node: Tree, name: str) -> None:
        if isinstance(node, torch.Tensor):
            found[name] = list(node.shape)
        elif isinstance(node, Mapping):
            for key, value in node.items():
                walk(value, f"{name}/{key}")

    walk(tree, "")
    return found


def _key(key: object) -> str | int:
    if isinstance(key, (str, int)):
        return key
    raise TypeError(f"a checkpoint cannot hold a key of type {type(key).__name__}")
