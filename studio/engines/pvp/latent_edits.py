"""Edits of a PVP avatar's latents, made ready so that a frame pays almost nothing for them.

Styles are affine in W+, so a direction of W, W+ or StyleSpace is one vector of styles, whatever the head
does: any number of them is a small matrix product, done again only when a strength changes. A mapper looks at
the moment's own W+, as the edits before it in the stack have moved it. StyleSpace lies behind W+: what moves
there is seen by no mapper.

Where nothing is asked for, nothing is given, and the frame is drawn as if there were no edits, to the last
bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.domain.camera import Floats
from studio.domain.edits import LATENT, Edit, EditStack, LatentMap, LatentShift, StyleShift
from studio.domain.problem import Problem
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.mappers import Mappers
from studio.engines.pvp.painter import Painter
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.latent_map import mapped
from studio.networks.stylegan2 import SynthesisNetwork
from studio.networks.stylegan2_live import LiveSynthesis, recorded


def check_latent_edits(edits: EditStack, parts: PvpParts) -> None:
    """Whether every latent edit fits an avatar's generator.

    Sizes are those of the whole network, also where an avatar shows less than the network's resolution: rows
    and channels of layers that it does not draw are there and change nothing.

    Raises:
        Problem: one was found for another generator; or validation gave this avatar's correction no strength,
            so that what its generator says is not shown.
    """
    found = [edits.edits[place] for place in edits.of(*LATENT)]
    if not found:
        return
    if isinstance(parts.generator, Painter) and not parts.strength:
        raise Problem(
            f"{_called(found[0])} acts in this avatar's generator, whose correction was no better than "
            "warping on validation frames and is not shown: remove it, or use edits of shape and colour."
        )
    assert isinstance(parts.generator, Painter | PretrainedGenerator)
    for edit in found:
        _check(edit, parts.generator.synthesis)


class LatentEdits:
    """The latent edits of a stack for one avatar on one device. Safe to use from one thread at a time."""

    def __init__(self, edits: EditStack, live: LiveSynthesis, mappers: Mappers) -> None:
        """Edits must have passed :func:`check_latent_edits`.

        Args:
            edits: the whole stack; other effects are passed over.
            live: what draws.
            mappers: of the avatar, on the same device.
        """
        self._mappers, self._device = mappers, live.bias.device
        self._fixed = np.array(edits.of(LatentShift, StyleShift), np.int64)
        self._maps = np.array(edits.of(LatentMap), np.int64)
        self._steps: list[_Step] = []
        table: list[Tensor] = []
        for place in edits.of(*LATENT):
            effect = edits.edits[place].effect
            if isinstance(effect, StyleShift):
                table.append(self._tensor(effect.channels)[: live.channels])
            elif isinstance(effect, LatentShift):
                rows = self._tensor(effect.rows).expand(live.num_ws, -1).contiguous()
                table.append(live.moved_styles(rows[None])[0])
                self._steps.append((place, rows))
            elif isinstance(effect, LatentMap):
                self._steps.append((place, self._map(effect)))
        self._table = torch.stack(table) if table else torch.zeros(0, live.channels, device=self._device)
        self._last: tuple[bytes, Tensor | None] = (b"", None)
        self._recorded: dict[object, Callable[..., Tensor]] = {}

    def shift(self, strengths: Floats) -> Tensor | None:
        """What W, W+ and StyleSpace directions add to the styles.

        Args:
            strengths: ``[E]`` of the whole stack.

        Returns:
            ``[1, C]``, or None where they add nothing.
        """
        asked = strengths[self._fixed]
        if asked.tobytes() != self._last[0]:
            found = self._tensor(asked)[None] @ self._table if asked.any() else None
            self._last = asked.tobytes(), found
        return self._last[1]

    def moved(self, strengths: Floats, alpha: Tensor, delta: Tensor) -> Tensor | None:
        """A frame's W+ as mappers move it, without what :meth:`shift` gives.

        Args:
            strengths: ``[E]`` of the whole stack.
            alpha: ``[1, N]`` blending weights.
            delta: ``[1, K, w_dim]`` what is added to the first rows.

        Returns:
            ``[1, num_ws, w_dim]``, or None where no mapper has a strength.
        """
        asked = strengths[self._maps]
        if not asked.any():
            return None
        active = frozenset(int(place) for place in self._maps[asked != 0])
        inputs = [self._tensor(strengths), alpha, delta]

        def move(strength: Tensor, alpha: Tensor, delta: Tensor) -> Tensor:
            return self._moved(active, strength, alpha, delta)

        if not alpha.is_cuda:
            return move(*inputs)
        # A mapper is many small products: started one by one, a card would mostly wait.
        if active not in self._recorded:
            self._recorded[active] = recorded(move, inputs)
        return self._recorded[active](*inputs)

    def _moved(self, active: frozenset[int], strength: Tensor, alpha: Tensor, delta: Tensor) -> Tensor:
        plain = self._mappers.blended(alpha, delta)
        seen = moved = plain
        for place, step in self._steps:
            if isinstance(step, Tensor):
                seen = seen + strength[place] * step
            elif place in active:
                change = strength[place] * step(seen)
                seen, moved = seen + change, moved + change
        return moved

    def _map(self, effect: LatentMap) -> Callable[[Tensor], Tensor]:
        weights, biases = self._tensor(effect.weights), self._tensor(effect.biases)
        return lambda ws: mapped(ws, effect.groups, weights, biases, effect.scale)

    def _tensor(self, values: npt.NDArray[np.floating]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32).to(self._device)


_Step = tuple[int, Tensor | Callable[[Tensor], Tensor]]
"""Place in the stack, and rows ``[num_ws, w_dim]`` or a mapper."""


def _check(edit: Edit, network: SynthesisNetwork) -> None:
    effect, rows, width = edit.effect, network.num_ws, network.w_dim
    if isinstance(effect, StyleShift):
        channels = sum(len(layer.affine.weight) for block in network.blocks() for layer in block.layers)
        fits = len(effect.channels) == channels
        wants, has = f"{len(effect.channels)} channels of StyleSpace", str(channels)
    elif isinstance(effect, LatentShift):
        fits = effect.rows.shape in ((rows, width), (1, width))
        wants, has = f"latents of {_size(effect.rows.shape)} numbers", _size((rows, width))
    else:
        assert isinstance(effect, LatentMap)
        last = effect.groups[-1][1]
        fits = last <= rows and effect.biases.shape[-1] == width
        wants, has = f"{last} rows of latents of {effect.biases.shape[-1]} numbers", _size((rows, width))
    if not fits:
        raise Problem(
            f"{_called(edit)} changes {wants}, and this avatar's generator has {has}: find it again for this "
            "avatar, or remove it."
        )


def _called(edit: Edit) -> str:
    return f"The edit “{edit.title}” ({edit.control_name})"


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
