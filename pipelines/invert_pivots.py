"""Find the pivots' latents in a pretrained prior: by an encoder, or by optimisation from pivot to pivot."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from pipelines.prior_settings import InvertSettings
from pipelines.training.checkpoint import Torn, load_state, save_state
from pipelines.training.randomness import step_seed
from pipelines.tune_generator import as_pictures
from studio.devices import explaining_memory
from studio.domain.camera import Floats
from studio.domain.progress import Progress, silent
from studio.project.atomic import tidy

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_COARSEST = 8
"""Noise maps are compared with their shifted selves down to this side (Karras et al. 2020, appendix D)."""


@dataclass(frozen=True)
class Visits:
    """In which order pivots are inverted, and from where each starts."""

    parent: Places
    """``[N]`` the neighbour that each starts from; -1 for the first."""
    waves: tuple[Places, ...]
    """Pivots whose parents are all in earlier waves."""


def visits(features: Floats) -> Visits:
    """The minimum spanning tree over poses and expressions, begun at the pivot nearest to the origin.

    Args:
        features: ``[N, D]`` in comparable units, the origin being a frontal, neutral face: that is where the
            prior's mean face is, and the first pivot starts from it.
    """
    points = np.asarray(features, np.float64)
    count = len(points)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    parent, depth = np.full(count, -1), np.zeros(count, np.int64)
    root = int(np.argmin(np.linalg.norm(points, axis=1)))
    outside = np.ones(count, bool)
    outside[root] = False
    nearest, link = distance[root].copy(), np.full(count, root)
    for _ in range(count - 1):  # Prim's
        new = int(np.argmin(np.where(outside, nearest, np.inf)))
        outside[new] = False
        parent[new], depth[new] = link[new], depth[link[new]] + 1
        closer = distance[new] < nearest
        nearest, link = np.where(closer, distance[new], nearest), np.where(closer, new, link)
    waves = tuple(np.flatnonzero(depth == level) for level in range(int(depth.max()) + 1))
    return Visits(parent, waves)


def visit_features(angles: Floats, expression: Floats) -> Floats:
    """Yaw, pitch (``angles`` ``[N, 3]`` degrees) and expression ``[N, 50]`` so that they can be compared.

    10° of a turn weigh as much as one deviation of all coefficients together does.
    """
    return np.concatenate([angles[:, :2] / 10.0, expression / math.sqrt(expression.shape[1])], 1)


@dataclass(frozen=True)
class Inverted:
    """Latents of the pivots."""

    latents: Tensor
    """``[N, num_ws, w_dim]`` on the CPU."""
    error: Floats
    """``[N]`` perceptual error of each."""
    steps: npt.NDArray[np.int64]
    """``[N]`` optimisation steps; 0 by an encoder."""
    parent: Places
    """``[N]`` which pivot each was started from; -1 for none."""


def encode_pivots(
    generator: nn.Module,
    encoder: Callable[[Tensor], Tensor],
    pictures: Bytes,
    perceptual: Callable[[Tensor, Tensor], Tensor],
    batch: int = 4,
    progress: Progress = silent,
) -> Inverted:
    """By an encoder such as e4e (PVP eq. 1): ``[B, 3, R, R]`` in -1..1 to ``[B, num_ws, w_dim]``.

    Pictures ``[N, R, R, 3]``; the generator is only asked how well the latents show them.
    """
    device = next(generator.parameters()).device
    found, errors = [], []
    with torch.no_grad():
        for first in range(0, len(pictures), batch):
            progress(first, len(pictures), "Encoding pivots")
            real = as_pictures(pictures[first : first + batch], device)
            latents = encoder(real)
            errors.append(perceptual(generator(latents, None), real))
            found.append(latents)
    count = len(pictures)
    return Inverted(
        torch.cat(found).cpu(),
        torch.cat(errors).cpu().numpy(),
        np.zeros(count, np.int64),
        np.full(count, -1),
    )


def invert_pivots(
    generator: nn.Module,
    random_w: Callable[[int, torch.Generator], Tensor],
    pictures: Bytes,
    features: Floats,
    perceptual: Callable[[Tensor, Tensor], Tensor],
    settings: InvertSettings,
    folder: Path,
    neighbours: bool = True,
    progress: Progress = silent,
) -> Inverted:
    """By optimisation, each pivot from its nearest one that is already inverted; going on from ``folder``.

    Args:
        generator: a PersonalGenerator that needs no guide; its weights and noise maps stay as they are.
        random_w: how many, and a source of randomness on the CPU, to samples ``[n, w_dim]`` of w.
        pictures: ``[N, R, R, 3]`` pivots in the aligned crop.
        features: ``[N, D]``, see :func:`visit_features`.
        perceptual: pictures in -1..1, twice, to ``[B]``.
        settings: steps and weights.
        folder: the pivots inverted so far are kept here.
        neighbours: False starts every pivot from the mean with the first one's steps, for comparison.
        progress: told at every step of the optimisation.

    Raises:
        Interrupted: asked to stop; batches of pivots that are through are kept.
        Problem: no memory or disk left.
    """
    projector = Projector(generator, random_w, perceptual, settings)
    order = visits(features)
    parent = order.parent if neighbours else np.full(len(pictures), -1)
    waves = order.waves if neighbours else (np.arange(len(pictures)),)
    count = len(pictures)
    shape = (count, projector.num_ws, projector.w_dim)
    state = {
        "done": torch.zeros(count, dtype=torch.bool),
        "w": torch.zeros(count, projector.w_dim),
        "latents": torch.zeros(shape),
        "error": torch.zeros(count),
        "steps": torch.zeros(count, dtype=torch.int64),
    }
    tidy(folder)  # killed between two renamings, the kept state stands aside
    try:
        kept = load_state(folder / "pivots")
        if {name: value.shape for name, value in kept.items()} == {n: v.shape for n, v in state.items()}:
            state = kept
    except Torn:
        pass
    total = projector.total(parent, count)
    spent = int(projector.planned(parent)[state["done"].numpy()].sum())
    for wave in waves:
        left = wave[~state["done"].numpy()[wave]]
        for first in range(0, len(left), settings.batch):
            chosen = left[first : first + settings.batch]
            real = as_pictures(pictures[chosen], projector.device)
            start = None
            if parent[chosen[0]] >= 0:
                origin = torch.from_numpy(parent[chosen])
                start = (state["w"][origin], state["latents"][origin])
            before = spent

            def told(steps: int, before: int = before, size: int = len(chosen)) -> None:
                progress(min(before + steps * size, total), total, "Inverting pivots")

            with explaining_memory("Inverting pivots"):
                w, latents, error, steps = projector.invert(real, start, int(chosen[0]), told)
            places = torch.from_numpy(chosen)
            for name, value in (("w", w), ("latents", latents), ("error", error), ("steps", steps)):
                state[name][places] = value.cpu().to(state[name].dtype)
            state["done"][places] = True
            spent += int(projector.planned(parent)[chosen].sum())
            save_state(folder / "pivots", state)
    return Inverted(state["latents"], state["error"].numpy(), state["steps"].numpy(), parent)


class Projector:
    """Optimises latents of pictures in a frozen generator."""

    def __init__(
        self,
        generator: nn.Module,
        random_w: Callable[[int, torch.Generator], Tensor],
        perceptual: Callable[[Tensor, Tensor], Tensor],
        settings: InvertSettings,
    ) -> None:
        """See :func:`invert_pivots`."""
        self.device = next(generator.parameters()).device
        self.num_ws, self.w_dim = int(generator.num_ws), int(generator.w_dim)  # type: ignore[arg-type]
        self._generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self._perceptual, self._settings = perceptual, settings
        self._noise = {
            name: value.detach().clone()
            for name, value in self._generator.named_buffers()
            if name.endswith("noise_const")
        }
        with torch.no_grad():
            samples = random_w(settings.w_samples, torch.Generator().manual_seed(settings.seed))
        samples = samples.to(self.device).float()
        self.mean = samples.mean(0)
        self.deviation = float((samples - self.mean).square().sum(1).mean().sqrt())

    def planned(self, parent: Places) -> npt.NDArray[np.int64]:
        """Steps that each pivot takes at most ``[N]``."""
        s = self._settings
        first = s.w_steps + s.plus_steps
        return np.where(parent < 0, first, s.neighbour_w_steps + s.neighbour_plus_steps).astype(np.int64)

    def total(self, parent: Places, count: int) -> int:
        """Steps of all pivots at most."""
        return int(self.planned(parent).sum())

    def invert(
        self,
        real: Tensor,
        start: tuple[Tensor, Tensor] | None,
        number: int,
        told: Callable[[int], None],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Latents of pictures ``[B, 3, R, R]``.

        In W the noise maps move, too, and take up what latents should not have to explain. They are thrown
        away after it (all pivots share one generator), so W+ is found under the generator's own noise.

        Args:
            real: the pictures.
            start: neighbours' w ``[B, w_dim]`` and latents ``[B, num_ws, w_dim]``; None starts from the mean.
            number: of the batch, for its random numbers.
            told: called with the steps done.

        Returns:
            w ``[B, w_dim]``, latents ``[B, num_ws, w_dim]``, perceptual errors ``[B]``, steps ``[B]``.
        """
        s = self._settings
        mean = self.mean.expand(len(real), -1)
        w = mean if start is None else start[0].to(self.device)
        steps = s.w_steps if start is None else s.neighbour_w_steps
        wander = s.wander if start is None else 0.0
        w, taken = self._in_w(real, w, steps, wander, number, told)
        offset = 0.0 if start is None else (start[1] - start[0][:, None]).to(self.device)
        latents = w[:, None].expand(-1, self.num_ws, -1) + offset
        steps = s.plus_steps if start is None else s.neighbour_plus_steps
        already = int(taken.max()) if len(taken) else 0
        latents, error, more = self._in_plus(real, latents, steps, lambda done: told(already + done))
        return w, latents, error, taken + more

    def _in_w(
        self, real: Tensor, start: Tensor, steps: int, wander: float, number: int, told: Callable[[int], None]
    ) -> tuple[Tensor, Tensor]:
        s = self._settings
        if steps == 0:
            return start.clone(), torch.zeros(len(real), dtype=torch.int64)
        chance = torch.Generator().manual_seed(step_seed(s.seed, number))
        w = start.detach().clone().requires_grad_()
        noise = {
            name: value.expand(len(real), 1, *value.shape).clone().requires_grad_()
            for name, value in self._noise.items()
        }
        optimiser = torch.optim.Adam([w, *noise.values()], s.learning_rate, (0.9, 0.999))
        best = _Best(w, s.enough)
        for step in range(steps):
            told(step)
            share = step / steps
            optimiser.param_groups[0]["lr"] = s.learning_rate * rate_factor(share, s.ramp_up, s.ramp_down)
            size = self.deviation * wander * max(0.0, 1.0 - share / s.wander_until) ** 2
            push = torch.randn(w.shape, generator=chance).to(self.device) if size else torch.zeros_like(w)
            latents = (w + size * push)[:, None].expand(-1, self.num_ws, -1)
            error, loss = self._differences(latents, noise, real)
            if best.enough(w, error, step):
                break
            regulariser = sum((noise_structure(value) for value in noise.values()), torch.zeros(()).to(w))
            optimiser.zero_grad(set_to_none=True)
            (loss.sum() + s.noise_weight * regulariser).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                for value in noise.values():
                    value -= value.mean((1, 2, 3), keepdim=True)
                    value *= value.square().mean((1, 2, 3), keepdim=True).clamp_min(1e-12).rsqrt()
        # The last and not the best: without the noise that w wanders with, errors cannot be compared.
        return best.settled(w), best.steps(steps)

    def _in_plus(
        self, real: Tensor, start: Tensor, steps: int, told: Callable[[int], None]
    ) -> tuple[Tensor, Tensor, Tensor]:
        s = self._settings
        latents = start.detach().clone().requires_grad_()
        optimiser = torch.optim.Adam([latents], s.learning_rate, (0.9, 0.999))
        best = _Best(latents, s.enough)
        for step in range(steps):
            told(step)
            factor = rate_factor(step / steps, s.ramp_up, s.ramp_down)
            optimiser.param_groups[0]["lr"] = s.learning_rate * factor
            error, loss = self._differences(latents, self._noise, real)
            if best.enough(latents, error, step):
                break
            spread = (latents - latents.mean(1, keepdim=True)).square().mean((1, 2))
            optimiser.zero_grad(set_to_none=True)
            (loss + s.together * spread).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            error, _ = self._differences(latents, self._noise, real)
            best.enough(latents, error, steps)
        return best.values, best.error, best.steps(steps)

    def _differences(self, latents: Tensor, noise: dict[str, Tensor], real: Tensor) -> tuple[Tensor, Tensor]:
        """Perceptual errors ``[B]``, and with pixels beside them."""
        shown: Tensor = functional_call(self._generator, noise, (latents, None))
        error = self._perceptual(shown, real)
        return error, error + self._settings.pixel * (shown - real).square().mean((1, 2, 3))


class _Best:
    """The best values of each picture so far, and when each was good enough."""

    def __init__(self, values: Tensor, enough: float) -> None:
        self.values = values.detach().clone()
        self.error = torch.full((len(values),), torch.inf, device=values.device)
        self._limit = enough
        self._enough_at = torch.full((len(values),), -1, dtype=torch.int64)

    def enough(self, values: Tensor, error: Tensor, step: int) -> bool:
        """Take in values ``[B, …]`` with their errors ``[B]``; whether all are good enough by now."""
        error = error.detach()
        better = error < self.error
        self.values[better] = values.detach()[better]
        self.error = torch.where(better, error, self.error)
        reached = (error < self._limit).cpu() & (self._enough_at < 0)
        self._enough_at[reached] = step
        return bool((self._enough_at >= 0).all())

    def settled(self, values: Tensor) -> Tensor:
        """Best values where they were good enough, the present ones elsewhere."""
        keep = (self._enough_at >= 0).to(values.device)[:, None]
        return torch.where(keep, self.values, values.detach())

    def steps(self, planned: int) -> Tensor:
        """``[B]`` steps that each took."""
        return torch.where(self._enough_at >= 0, self._enough_at, torch.tensor(planned))


def rate_factor(share: float, up: float, down: float) -> float:
    """The projector's rate: a linear rise over the first ``up``, half a cosine down in the last ``down``."""
    fall = min(1.0, (1.0 - share) / down) if down else 1.0
    return (0.5 - 0.5 * math.cos(math.pi * fall)) * (min(1.0, share / up) if up else 1.0)


def noise_structure(noise: Tensor) -> Tensor:
    """How much noise maps ``[B, 1, r, r]`` repeat themselves one pixel further, summed over the batch.

    Squared mean products with the map shifted by one along each axis, at full size and after each halving by
    2×2 averages down to 8 (Karras et al. 2020, appendix D): near zero for white noise, so that pictures
    cannot hide in it.
    """
    total = torch.zeros((), device=noise.device, dtype=noise.dtype)
    while True:
        for axis in (2, 3):
            total = total + (noise * noise.roll(1, axis)).mean((1, 2, 3)).square().sum()
        if noise.shape[2] <= _COARSEST:
            return total
        noise = functional.avg_pool2d(noise, 2)
