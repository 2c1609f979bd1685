"""The latent mapper (Patashnik et al. 2021, section 5), trained on one person's latents."""

from __future__ import annotations

import math
from dataclasses import asdict

import torch
from torch import Tensor, nn

from studio.devices import explaining_memory
from studio.domain.edits import Edit, LatentMap
from studio.domain.problem import Problem
from studio.editing.method import Workplace
from studio.editing.person import LatentPerson
from studio.editing.styleclip_cache import kept_folder
from studio.editing.styleclip_losses import clip_loss, identity_loss, identity_takes_part
from studio.editing.styleclip_result import begin, finish, finishing_steps, goal_of
from studio.editing.styleclip_steps import Steps
from studio.editing.styleclip_training import Plan, chance_of, train
from studio.editing.styleclip_wishes import MapperWish
from studio.networks.latent_map import mapped
from studio.networks.stylegan2 import GAIN

LIMITS = (-2.0, 2.0)
"""Strengths that are accepted; 1 is what was trained."""
CAUTIOUS = (0.0, 0.7)
"""Those that are suggested where identity cannot be measured."""
LAYERS = 4
"""Fully connected layers of a network."""
RATE = 0.01
"""Of their learning rate, as in StyleGAN2's mapping network."""
SCALE = 0.1
"""What a network gives is multiplied by this."""


def find_map(person: LatentPerson | None, wish: MapperWish, workplace: Workplace) -> Edit:
    """A mapper from words. Stopped or killed, the same wish goes on from its last checkpoint.

    Raises:
        Problem: words that say nothing, no CLIP, no rows to move…
    """
    begun = begin(person, wish, workplace)
    person, clip, goal = begun.person, begun.clip, goal_of(begun, wish)
    groups = row_groups(person.num_ws, wish.coarse, wish.medium, wish.fine)
    keeps = identity_takes_part(begun.meter, wish.identity)
    settings = {
        **asdict(wish),
        "clip": "",
        "words": [begun.words.target, begun.words.neutral],
        "keeps": keeps,
    }
    folder = kept_folder(workplace.cache, "mapper", person, clip, settings)
    steps = Steps(workplace.progress, wish.steps + finishing_steps(begun, LIMITS), "Training the mapper")
    pool = person.sample(wish.samples, wish.seed)
    networks = Networks(len(groups), person.w_dim, wish.seed).to(person.device)

    def loss(step: int) -> Tensor:
        chance = chance_of(wish.seed, step)
        some = torch.randint(len(pool), (wish.batch,), generator=chance).to(person.device)
        ws, moments = pool.ws[some], pool.moments[some]
        offset = mapped(ws, groups, *networks.folded(), SCALE)
        pictures = person.draw(ws + offset, moments)
        value = clip_loss(clip, pictures, goal, wish.smallest_crop, chance) + wish.l2 * offset.square().mean()
        if keeps and begun.meter is not None:
            with torch.no_grad():
                plain = person.draw(ws, moments)
            value = value + wish.identity * identity_loss(begun.meter, pictures, plain)
        return value

    plan = Plan(wish.steps, wish.learning_rate, lookahead=True)
    with explaining_memory("Training the mapper", "look at fewer pictures in a step (batch 1)"):
        train(dict(networks.named_parameters()), loss, plan, folder, steps)
    steps.took(0, "Looking at the edit")
    with torch.no_grad():
        weights, biases = (value.cpu().numpy() for value in networks.folded())
    effect = LatentMap(groups, weights, biases, SCALE)
    figures = {"groups": [list(group) for group in groups]}
    return finish(begun, wish, "styleclip-mapper", effect, 1.0, LIMITS, CAUTIOUS, steps, keeps, figures)


def row_groups(
    num_ws: int, coarse: bool = True, medium: bool = True, fine: bool = True
) -> tuple[tuple[int, int], ...]:
    """Rows of W+ of each group that takes part, first and one past the last.

    They are the paper's 0–3, 4–7 and the rest; a generator with so few rows that little or nothing would be
    left for the last (up to 32 pixels) is split in three parts as equal as can be.

    Raises:
        Problem: none takes part.
    """
    ends = (4, 8, num_ws) if num_ws > 8 else (round(num_ws / 3), round(2 * num_ws / 3), num_ws)
    wanted = zip((0, *ends), ends, (coarse, medium, fine))
    groups = tuple((first, past) for first, past, takes_part in wanted if takes_part and past > first)
    if not groups:
        raise Problem("The mapper has no rows to move: let it move coarse, medium or fine ones.")
    return groups


class Networks(nn.Module):
    """The mapper while it is trained: equalised layers, whose stored weights are 1/RATE times as large."""

    def __init__(self, groups: int, width: int, seed: int) -> None:
        """``groups`` networks for latents of ``width`` numbers, from normal weights."""
        super().__init__()
        chance = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(groups, LAYERS, width, width, generator=chance) / RATE)
        self.bias = nn.Parameter(torch.zeros(groups, LAYERS, width))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weights ``[G, L, w, w]`` and biases ``[G, L, w]`` as they are multiplied; see
        :class:`~studio.domain.edits.LatentMap`.

        The √2 that StyleGAN2 puts behind its rectifier moves before it, which changes nothing.
        """
        gain = torch.full((LAYERS,), GAIN, device=self.weight.device)
        gain[-1] = 1.0
        weight = self.weight * (RATE / math.sqrt(self.weight.shape[-1])) * gain[:, None, None]
        return weight, self.bias * RATE * gain[:, None]
