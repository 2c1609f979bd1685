"""Gradient checkpointing: what lies inside a block is calculated again on the way back, not kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module, wanted: bool, *given: Tensor | None) -> Tensor:
    """``block(*given)`` and the same gradients, with less memory where that is ``wanted``."""
    if not (wanted and torch.is_grad_enabled()):
        done: Tensor = block(*given)
        return done

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _second_time(block)

    again: Tensor = checkpoint(block, *given, use_reentrant=False, context_fn=contexts)
    return again


@contextmanager
def _second_time(block: nn.Module) -> Iterator[None]:
    """What layers note about each use, they note once: running means, and estimates of spectral norms.

    A spectral norm's estimate would also come out otherwise the second time, and with it the gradients.
    """
    means = [(part, part.momentum) for part in block.modules() if isinstance(part, _BatchNorm)]
    norms = [layer for layer in block.modules() if hasattr(layer, "n_power_iterations") and layer.training]
    for mean, _ in means:
        mean.momentum = 0.0
    for estimate in norms:
        estimate.training = False
    try:
        yield
    finally:
        for mean, momentum in means:
            mean.momentum = momentum
            if mean.num_batches_tracked is not None and mean.training:
                mean.num_batches_tracked -= 1
        for estimate in norms:
            estimate.training = True
