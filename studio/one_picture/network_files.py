"""A base model's network on disk: written and read alike for every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from studio.one_picture.base_models import DOCUMENT, SETTINGS, WEIGHTS, damaged
from studio.project.documents import read_document, write_document
from studio.project.settings_json import settings_from_plain

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

N = TypeVar("N", bound=nn.Module)


def save_network(folder: Path, network: nn.Module, shape: DataclassInstance, head_model: str) -> None:
    """Write weights and settings into an existing folder, which the caller puts into place.

    Args:
        folder: where.
        network: what was trained.
        shape: its settings.
        head_model: which head model drives it, e.g. ``builtin-1``.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    write_document(folder / SETTINGS, DOCUMENT, {"head_model": head_model, "network": asdict(shape)})


def load_network(folder: Path, kind: type[Any], make: Callable[[Any], N]) -> tuple[N, str]:
    """Read what :func:`save_network` wrote.

    Args:
        folder: the base model's.
        kind: class of the network's settings.
        make: settings to a network, whose weights are then those on disk.

    Returns:
        The network in evaluation mode, and the head model that drives it.

    Raises:
        Problem: files are missing or damaged, or of a newer version.
    """
    content = read_document(folder / SETTINGS, DOCUMENT)
    try:
        network = make(settings_from_plain(kind, content["network"]))
        network.load_state_dict(load_file(folder / WEIGHTS), strict=True)
        network.eval()
        return network, str(content["head_model"])
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError) as error:
        raise damaged(folder, error) from error
