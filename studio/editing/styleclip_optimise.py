"""Latent optimisation (Patashnik et al. 2021, section 4), for a person instead of a picture.

One shift of W+ is optimised for several of the person's typical moments at once, so that it holds whatever
the head does, and CLIP sees another crop in every step, so that it is something to be seen.
"""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor, nn

from studio.devices import explaining_memory
from studio.domain.edits import Edit, LatentShift
from studio.editing.method import Workplace
from studio.editing.person import LatentPerson
from studio.editing.styleclip_cache import kept_folder
from studio.editing.styleclip_losses import clip_loss, identity_loss, identity_takes_part
from studio.editing.styleclip_result import begin, finish, finishing_steps, goal_of
from studio.editing.styleclip_steps import Steps
from studio.editing.styleclip_training import Plan, chance_of, train
from studio.editing.styleclip_wishes import OptimiseWish

LIMITS = (-2.0, 2.0)
"""Strengths that are accepted; 1 is what was optimised."""
CAUTIOUS = (0.0, 0.7)
"""Those that are suggested where identity cannot be measured."""


def find_shift(person: LatentPerson | None, wish: OptimiseWish, workplace: Workplace) -> Edit:
    """A shift of W+ by optimisation. Stopped or killed, the same wish goes on from its last checkpoint.

    Raises:
        Problem: words that say nothing, no CLIP, steps that are too long…
    """
    begun = begin(person, wish, workplace)
    person, clip, goal = begun.person, begun.clip, goal_of(begun, wish)
    keeps = identity_takes_part(begun.meter, wish.identity)
    settings = {
        **asdict(wish),
        "clip": "",
        "words": [begun.words.target, begun.words.neutral],
        "keeps": keeps,
    }
    folder = kept_folder(workplace.cache, "optimise", person, clip, settings)
    steps = Steps(workplace.progress, wish.steps + finishing_steps(begun, LIMITS), "Optimising latents")
    usual = person.usual(wish.pictures)
    shift = nn.Parameter(torch.zeros(person.num_ws, person.w_dim, device=person.device))

    def loss(step: int) -> Tensor:
        chance = chance_of(wish.seed, step)
        some = torch.randperm(len(usual), generator=chance)[: wish.batch].to(person.device)
        ws, moments = usual.ws[some], usual.moments[some]
        pictures = person.draw(ws + shift, moments)
        value = clip_loss(clip, pictures, goal, wish.smallest_crop, chance) + wish.l2 * shift.square().sum()
        if keeps and begun.meter is not None:
            with torch.no_grad():
                plain = person.draw(ws, moments)
            value = value + wish.identity * identity_loss(begun.meter, pictures, plain)
        return value

    with explaining_memory("Optimising latents", "look at fewer pictures in a step (batch 1)"):
        train({"shift": shift}, loss, Plan(wish.steps, wish.learning_rate), folder, steps)
    steps.took(0, "Looking at the edit")
    effect = LatentShift(shift.detach().cpu().numpy())
    return finish(begun, wish, "styleclip-optimise", effect, 1.0, LIMITS, CAUTIOUS, steps, keeps)
