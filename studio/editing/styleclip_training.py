"""A small loop for what StyleCLIP optimises: Adam, with lookahead if wanted, and checkpoints.

What happens in a step depends on its number alone, and a checkpoint holds the optimiser as well: work that
was stopped or killed goes on to the very numbers that it would have come to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.editing.styleclip_cache import load_part, save_part
from studio.editing.styleclip_steps import Steps

SAVE_EVERY = 20.0
"""Seconds between checkpoints."""
RAMP_UP, RAMP_DOWN = 0.05, 0.25
"""Shares of the steps in which the rate rises and falls; those of StyleGAN2's projector, which StyleCLIP
took."""
LOOK_EVERY, LOOK_BACK = 6, 0.5
"""Lookahead's: steps between looks, and how far the slow weights follow (Zhang et al. 2019)."""


@dataclass(frozen=True)
class Plan:
    """How something is optimised."""

    steps: int
    """Steps in all."""
    learning_rate: float
    """At its height."""
    lookahead: bool = False
    """Let slow weights follow the fast ones, which begin again from there. The paper's mapper has it, with
    RAdam (Ranger); RAdam's own warm-up would last all of a short training, and the ramp takes its place."""


def train(
    parameters: Mapping[str, nn.Parameter],
    loss: Callable[[int], Tensor],
    plan: Plan,
    folder: Path,
    steps: Steps,
) -> None:
    """Optimise parameters in place, from where an earlier run of the same work in ``folder`` had come to.

    Args:
        parameters: by name.
        loss: of a step by its number, a scalar with gradients towards them.
        plan: how.
        folder: kept for this very work.
        steps: told ``plan.steps``; when it raises Interrupted, a checkpoint is left behind.

    Raises:
        Problem: the loss is no number any more, or the disk says no.
    """
    optimiser = torch.optim.Adam(list(parameters.values()), lr=plan.learning_rate)
    slow = {name: value.detach().clone() for name, value in parameters.items()}
    first = _restored(folder / "checkpoint", parameters, optimiser, slow)
    if first:
        steps.took(first)
    saved = time.monotonic()
    done = first

    def save() -> None:
        _save(folder / "checkpoint", parameters, optimiser, slow, done)

    try:
        for step in range(first, plan.steps):
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * ramp((step + 0.5) / plan.steps)
            optimiser.zero_grad()
            value = loss(step)
            if not math.isfinite(float(value.detach())):
                raise Problem(
                    "The search left all numbers behind, because its steps were too long: choose a lower "
                    "learning rate."
                )
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            done = step + 1
            if plan.lookahead and done % LOOK_EVERY == 0:
                with torch.no_grad():
                    for name, parameter in parameters.items():
                        slow[name].lerp_(parameter, LOOK_BACK)
                        parameter.copy_(slow[name])
            if time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
            steps.took()
    except Interrupted:
        save()
        raise
    if done > first:
        save()


def ramp(share: float) -> float:
    """The rate at a share of the steps, of its height: linear up, flat, and down along a cosine."""
    down = min(1.0, (1.0 - share) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, share / RAMP_UP)


def chance_of(seed: int, step: int) -> torch.Generator:
    """The random numbers of a step, on the CPU."""
    return torch.Generator().manual_seed((seed << 24) + step)


def _save(
    folder: Path,
    parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    slow: Mapping[str, Tensor],
    done: int,
) -> None:
    tensors: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        tensors[f"{name}/value"], tensors[f"{name}/slow"] = parameter, slow[name]
        for key, value in optimiser.state[parameter].items():
            tensors[f"{name}/state/{key}"] = torch.as_tensor(value)
    save_part(folder, tensors, {"done": done})


def _restored(
    folder: Path,
    parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    slow: dict[str, Tensor],
) -> int:
    """Steps that a checkpoint stands for, having put everything as it was; 0 without one."""
    kept = load_part(folder)
    if kept is None:
        return 0
    tensors, state = kept
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"{name}/value"])
            slow[name].copy_(tensors[f"{name}/slow"])
            prefix = f"{name}/state/"
            optimiser.state[parameter] = {
                key.removeprefix(prefix): value if value.ndim == 0 else value.to(parameter.device)
                for key, value in tensors.items()
                if key.startswith(prefix)
            }
    return int(state["done"])
