"""Moving average of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of all trained tensors: parameters, and buffers that have gradients.

    After its n-th update it is ``d·average + (1 − d)·weights`` with ``d = min(decay, n / (n + 9))``, so that
    the random beginning is soon forgotten (as in TensorFlow's ExponentialMovingAverage and StyleGAN's ramp).

    Our own rather than :class:`torch.optim.swa_utils.AveragedModel`, which keeps a deep copy of the module:
    swapping the weights in place needs no second network with its caches, the state is a flat dict of
    tensors for the checkpoint, and the ramp comes in one line.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        """
        Args:
            modules: what is averaged, by name; the average begins with their present weights.
            decay: 0..1, share of the average that stays at each update.
        """
        self.decay = decay
        self.updates = 0
        self._live: dict[str, Tensor] = {
            f"{name}.{tensor_name}": tensor
            for name, module in modules.items()
            for tensor_name, tensor in chain(module.named_parameters(), module.named_buffers())
            if tensor.requires_grad
        }
        self._average = {name: tensor.detach().clone() for name, tensor in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights in."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9.0))
        average, live = list(self._average.values()), [t.detach() for t in self._live.values()]
        if average:
            torch._foreach_lerp_(average, live, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The modules have the averaged weights inside, their own ones again afterwards, whatever happens."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def keep(self) -> None:
        """Give the modules the averaged weights for good."""
        for name, tensor in self._live.items():
            tensor.copy_(self._average[name])

    @torch.no_grad()
    def _exchange(self) -> None:
        # Values move and not storages, so that captured graphs and optimisers go on seeing the same memory.
        for name, tensor in self._live.items():
            held = tensor.detach().clone()
            tensor.copy_(self._average[name])
            self._average[name].copy_(held)

    def state_dict(self) -> dict[str, Any]:
        """The average and how many updates it has seen."""
        return {"updates": self.updates, "average": dict(self._average)}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave. Raises KeyError when the networks have changed."""
        for name, tensor in self._average.items():
            tensor.copy_(state["average"][name])
        self.updates = int(state["updates"])
