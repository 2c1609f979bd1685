"""The user's own networks that teach NOFA, as far as they are there; what is missing is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from studio.domain.problem import Problem
from studio.engines.nofa.losses import Embed, identity_network
from studio.engines.nofa.network import NofaNetwork

ARCFACE, GFPGAN = "identity-arcface", "gfpgan"
"""Their entries in the assets' manifest."""
NO_TEETH = (
    "The teeth stage was left out, as GFPGAN's weights are not on this machine; with them, teeth are clearer "
    "than the clips show them."
)
Restore = Callable[[Tensor], Tensor]
"""FFHQ-type crops ``[B, 3, 512, 512]`` in -1..1 to restored ones."""


@dataclass(frozen=True)
class Teachers:
    """What there is."""

    embed: Embed | None
    """Tells who is in a picture."""
    restore: Restore | None
    """Restores faces."""
    said: tuple[str, ...]
    """What takes part and what does not, a sentence each."""


def teachers_of(weights: Mapping[str, Path], cache: Path, device: torch.device | str) -> Teachers:
    """Open what is there.

    Args:
        weights: files by their entries in the manifest; those that are absent are not in it.
        cache: folder for their conversions.
        device: where they go.

    Raises:
        Problem: a file is damaged or another.
    """
    embed, who = identity_network(weights.get(ARCFACE), cache, device)
    if GFPGAN not in weights:
        return Teachers(embed, None, (who, NO_TEETH))
    from studio.networks.foreign import load_gfpgan

    network, _ = load_gfpgan(weights[GFPGAN], cache)
    network.to(device)
    said = f"Teeth were refined by what GFPGAN makes of the network's own pictures ({weights[GFPGAN].name})."
    return Teachers(embed, network, (who, said))


def take_prior(network: NofaNetwork, path: Path, cache: Path) -> None:
    """Begin with a published EG3D generator.

    Args:
        network: whose prior gets its weights.
        path: NVIDIA's pickle.
        cache: folder for its conversion.

    Raises:
        Problem: the file is missing, damaged or another, or its shape is not the network's.
    """
    from studio.networks.foreign import load_eg3d

    if not path.is_file():
        raise Problem(f"No EG3D generator is at {path}: check the path, or train the prior from scratch.")
    prior, _ = load_eg3d(path, cache)
    try:
        network.take_prior(prior)
    except ValueError as error:
        raise Problem(
            f"The generator {path.name} does not fit this network ({error}): choose the size that it was "
            "trained for, or train the prior from scratch."
        ) from error
