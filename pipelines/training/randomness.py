"""Random numbers as functions of the step, and the generators' states as data."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pipelines.training.tree import Tree


def step_seed(seed: int, *place: int) -> int:
    """63 well mixed bits for a place (step, first example…) of a run with this seed."""
    words = np.random.SeedSequence([seed, *place]).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def seed_everything(seed: int) -> None:
    """Set torch (all devices in use), numpy's and python's global generators."""
    # torch.manual_seed queues a call with its traceback for every kind of device that is not in use: 4 ms a
    # time, and the queue only grows.
    torch.default_generator.manual_seed(seed)
    if _cuda():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries still draw from it
    random.seed(seed)


def random_states() -> Tree:
    """The global generators' states as tensors and numbers."""
    _, key, position, has_gauss, gauss = _numpy_state()
    version, words, python_gauss = random.getstate()
    states: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(key.astype(np.int64)), position, has_gauss, gauss],
        "python": [version, torch.tensor(words, dtype=torch.int64), python_gauss],
    }
    if _cuda():
        states["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: Tree) -> None:
    """Restore what :func:`random_states` gave; cards that are not here any more are passed over."""
    torch.set_rng_state(states["torch"])
    key, position, has_gauss, gauss = states["numpy"]
    np.random.set_state(("MT19937", key.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    version, words, python_gauss = states["python"]
    random.setstate((version, tuple(words.tolist()), python_gauss))
    if _cuda():
        for number, state in enumerate(states.get("cuda", [])[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, number)
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])


@contextmanager
def randomness_kept() -> Iterator[None]:
    """Leave the global generators as they were found."""
    before = random_states()
    try:
        yield
    finally:
        set_random_states(before)


def _cuda() -> bool:
    """Whether a CUDA card is in use; asking its generators would take it into use."""
    return torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]


def _numpy_state() -> Any:
    return np.random.get_state(legacy=True)  # noqa: NPY002
