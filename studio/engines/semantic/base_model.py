"""A base model on disk: a semantic network that was trained on many people and is shared by all avatars.

::

    <folder>/network.safetensors    its weights
             settings.json          its settings, and the head model that it was trained with
             card.md, card.json     what it is, written by the training
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from studio.domain.problem import Problem
from studio.engines.semantic.model_shelf import DOCUMENT, SETTINGS, WEIGHTS
from studio.engines.semantic.network import SemanticNetwork
from studio.engines.semantic.settings import SemanticSettings
from studio.networks.spade import without_spectral_norm
from studio.project.documents import read_document, write_document
from studio.project.settings_json import settings_from_plain


@dataclass(frozen=True)
class BaseModel:
    """A trained network of people."""

    network: SemanticNetwork
    """In evaluation mode, its weights divided for good where they were divided at every use."""
    head_model: str
    """Which head model drives it, e.g. ``builtin-1``."""


def save_base_model(folder: Path, network: SemanticNetwork, head_model: str) -> None:
    """Write weights and settings into an existing folder, which the caller puts into place."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    write_document(folder / SETTINGS, DOCUMENT, {"head_model": head_model, "network": asdict(network.shape)})


def load_base_model(folder: Path) -> BaseModel:
    """Read what :func:`save_base_model` wrote.

    Raises:
        Problem: files are missing or damaged, or of a newer version.
    """
    content = read_document(folder / SETTINGS, DOCUMENT)
    try:
        network = SemanticNetwork(settings_from_plain(SemanticSettings, content["network"]))
        network.load_state_dict(load_file(folder / WEIGHTS), strict=True)
        network.eval()
        without_spectral_norm(network)
        return BaseModel(network, str(content["head_model"]))
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError) as error:
        # torch names every tensor that does not fit, each on a line of its own.
        fault = str(error).partition("\n")[0].rstrip(" :")
        raise Problem(
            f"The base model in {folder} is damaged ({fault}): copy it again from where it came, or train it "
            "again."
        ) from error
