"""How much memory a calculation keeps for its way back: everywhere the same, unlike a process's size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class KeptMemory:
    """Bytes that autograd keeps, counted once for each piece of memory. Weights are not counted."""

    def __init__(self) -> None:
        self.peak = 0
        """Most at any time, bytes."""
        self._live = 0
        self._held: dict[int, int] = {}

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count inside. Every way back must be gone once, at most."""
        with torch.autograd.graph.saved_tensors_hooks(self._kept, self._given_back):
            yield

    def _kept(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            place = tensor.untyped_storage().data_ptr()
            if not self._held.get(place):
                self._live += tensor.untyped_storage().nbytes()
                self.peak = max(self.peak, self._live)
            self._held[place] = self._held.get(place, 0) + 1
        return tensor

    def _given_back(self, tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if self._held.get(place):
            self._held[place] -= 1
            if not self._held[place]:
                del self._held[place]
                self._live -= tensor.untyped_storage().nbytes()
        return tensor
