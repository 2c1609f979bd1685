"""A person drawn with an edit of their generator, for measuring what it does."""

from __future__ import annotations

import torch
from torch import Tensor

from studio.domain.edits import Effect, LatentMap, LatentShift, StyleShift
from studio.editing.person import LatentPerson, Samples
from studio.networks.latent_map import map_offset


def draw_edited(person: LatentPerson, effect: Effect, samples: Samples, strength: float) -> Tensor:
    """Pictures of samples with an edit of W, W+ or StyleSpace.

    Args:
        effect: found for this person; raises TypeError for one that does not act in a generator.
        strength: how much of it; 0 draws the very pictures that are drawn without it.

    Returns:
        ``[B, 3, R, R]``, as the person draws them.
    """
    ws = samples.ws
    if isinstance(effect, StyleShift):
        styles = person.styles(ws)
        styles = styles + strength * torch.as_tensor(effect.channels).to(styles)
        return person.draw_styles(styles, samples.moments)
    if isinstance(effect, LatentShift):
        return person.draw(ws + strength * torch.as_tensor(effect.rows).to(ws), samples.moments)
    if isinstance(effect, LatentMap):
        return person.draw(ws + strength * map_offset(effect, ws), samples.moments)
    raise TypeError(f"{type(effect).__name__} acts in no generator")
