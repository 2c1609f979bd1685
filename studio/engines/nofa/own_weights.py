"""What one-shot fine-tuning changes of a network, and where an avatar keeps it: beside its person's files.

Only the weights that were optimised are kept. All others are the base model's, which lies in the home once.
Loads no torch before it is used: settings name what can be optimised.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from studio.domain.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor, nn

    from studio.engines.nofa.network import NofaNetwork
    from studio.one_picture.person_files import PicturePerson

Optimised = Literal["compensation", "generator"]
"""What is optimised for one picture: the compensation network with what says how much of the source's own
colour shows (the paper's choice), or the generator that draws planes and pictures."""
FILE = "own_weights.safetensors"
"""In an avatar's folder, where it was fine-tuned."""
FIGURE = "optimised"
"""Name among an avatar's figures that says what was optimised."""


def optimised_parts(network: NofaNetwork, optimised: Optimised) -> dict[str, nn.Module]:
    """The parts of a network that are optimised, by their names in it.

    Raises:
        Problem: it has no such part.
    """
    if optimised == "generator":
        prior = network.prior
        return {
            "prior.backbone.synthesis": prior.backbone.synthesis,
            "prior.decoder": prior.decoder,
            "prior.superresolution": prior.superresolution,
        }
    if network.compensation is None:
        raise Problem(
            "This base model has no compensation network that could be fine-tuned: optimise the generator "
            "instead, or leave fine-tuning out."
        )
    found: dict[str, nn.Module] = {"compensation": network.compensation}
    if network.guided is not None and network.guided.share is not None:
        found["guided.share"] = network.guided.share
    return found


def own_weights(network: NofaNetwork, optimised: Optimised) -> dict[str, Tensor]:
    """All numbers that fine-tuning may change, by their names in the network's state."""
    return {
        f"{place}.{name}": values
        for place, part in optimised_parts(network, optimised).items()
        for name, values in part.named_parameters()
    }


def save_own_weights(folder: Path, network: NofaNetwork, optimised: Optimised) -> None:
    """Write what was optimised into an avatar's existing folder."""
    from safetensors.torch import save_file

    own = own_weights(network, optimised)
    save_file({name: values.detach().cpu().contiguous() for name, values in own.items()}, folder / FILE)


def take_own_weights(folder: Path, person: PicturePerson, network: NofaNetwork) -> None:
    """Put an avatar's own weights into the base model's network, where it has some.

    Raises:
        Problem: its file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    said = person.figures.get(FIGURE)
    if said is None:
        return
    try:
        if said not in get_args(Optimised):
            raise ValueError(f"nothing is called {said}")
        found = load_file(folder / FILE)
        _fit(found, own_weights(network, cast("Optimised", said)))
        network.load_state_dict(found, strict=False)
    except (OSError, ValueError, SafetensorError) as error:
        raise Problem(
            f"The avatar in “{folder.name}” is damaged ({FILE}: {error}); build it again to repair it."
        ) from error


def _fit(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    if found.keys() != wanted.keys():
        raise ValueError("it holds other weights than were optimised")
    for name, values in wanted.items():
        if found[name].shape != values.shape:
            raise ValueError(f"{name} has another shape")
