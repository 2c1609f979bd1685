"""How CLIP's view of a person follows each channel of StyleSpace, measured in minutes.

The paper moves every channel of 100 pictures up and down and looks at each with CLIP: for some 6000 channels
more than a million pictures, four hours on a card. What it is after is, for every channel, the direction in
which CLIP's embedding goes, as a cosine with the direction of the words. Near a picture that is one column of
the Jacobian J of the embedding towards the styles, and a cosine needs two numbers of it:

- the slope along the words, J·Δt: one pass backwards for each picture, exact, done anew for every prompt;
- the column's length: from passes backwards for K directions of CLIP's space that are drawn anew for every
  picture (‖J‖² is their mean square times the dimensions; Hutchinson 1990). It is the same for every prompt.

So the person is measured once with K passes for each picture, K·M in all instead of two pictures for each
channel and sample, and a prompt takes M more. With K as large as CLIP's space the lengths are exact; with few
they are off by some √(1/2K) for one picture and by far less over M of them, because each picture has
directions of its own.

What is measured is kept in shards: work that was killed goes on behind the last whole one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.editing.clip_words import Clip
from studio.editing.person import LatentPerson, Samples
from studio.editing.styleclip_cache import load_part, save_part
from studio.editing.styleclip_steps import Steps
from studio.editing.styleclip_wishes import GlobalWish
from studio.project.atomic import remove_folder

PIXELS = 2 * 512**2
"""Pixels that are drawn at a time, one picture at least."""
MOST_AT_ONCE = 8
"""Pictures at a time."""
LATENTS_AT_ONCE = 512
_STILL = 1e-6
"""Channels that vary less than this share of the most varying one stand still."""
_WORDS_KEPT = 32
"""Prompts whose slopes are kept."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """What is known of a person's channels before there is a prompt."""

    mean: Tensor
    """``[C]`` over the person's latents."""
    deviation: Tensor
    """``[C]`` over the person's latents; 0 for channels that stand still."""
    samples: Samples
    """M pictures on which channels are tried."""
    probes: Tensor
    """``[M, K, E]`` directions of CLIP's space, orthonormal for each picture."""
    responses: Tensor
    """``[M, K, C]`` how the embedding moves along them for a change of 1 of each channel."""


def statistics_settings(wish: GlobalWish) -> Mapping[str, Any]:
    """All that statistics depend on, beside person and CLIP."""
    return {
        "samples": wish.samples,
        "probes": wish.probes,
        "deviation_samples": wish.deviation_samples,
        "seed": wish.seed,
    }


def at_once(person: LatentPerson) -> int:
    """Pictures of a person that are worked on at a time."""
    return max(1, min(MOST_AT_ONCE, PIXELS // person.resolution**2))


def measuring_steps(person: LatentPerson, clip: Clip, wish: GlobalWish) -> int:
    """Steps that :func:`measure` takes: one for each pass, forwards or backwards, over some pictures."""
    shards = -(-wish.samples // at_once(person))
    return shards * (1 + min(wish.probes, clip.about.embedding))


def slope_steps(person: LatentPerson, wish: GlobalWish) -> int:
    """Steps that :func:`slopes` takes."""
    return 2 * -(-wish.samples // at_once(person))


def measure(person: LatentPerson, clip: Clip, wish: GlobalWish, folder: Path, steps: Steps) -> Statistics:
    """Statistics of a person, those parts of them that are not in ``folder`` yet.

    Args:
        folder: kept for this person, CLIP and :func:`statistics_settings`.
        steps: told :func:`measuring_steps`.

    Raises:
        Problem: the disk says no, or memory runs out.
    """
    mean, deviation = _spread(person, wish, folder)
    samples = person.sample(wish.samples, wish.seed)
    probes = torch.stack([_probes(wish, clip.about.embedding, place) for place in range(wish.samples)]).to(
        person.device
    )
    shards = []
    for places in torch.split(torch.arange(wish.samples), at_once(person)):
        first, some = int(places[0]), places.to(person.device)
        kept = load_part(folder / f"responses-{first:05d}")
        if kept is None:
            part = Samples(samples.ws[some], samples.moments[some])
            found = responses(person, clip, part, probes[some], steps)
            save_part(folder / f"responses-{first:05d}", {"responses": found})
        else:
            found = kept[0]["responses"]
            steps.took(1 + probes.shape[1])
        shards.append(found.to(person.device))
    return Statistics(mean, deviation, samples, probes, torch.cat(shards))


def slopes(
    person: LatentPerson, clip: Clip, statistics: Statistics, change: Tensor, folder: Path, steps: Steps
) -> Tensor:
    """How the embedding moves along the words for a change of 1 of each channel, kept like :func:`measure`'s.

    Args:
        change: ``[E]`` of length one.
        steps: told :func:`slope_steps`.

    Returns:
        ``[M, C]``.
    """
    name = hashlib.sha256(change.float().cpu().numpy().tobytes()).hexdigest()[:16]
    shards = []
    count = len(statistics.samples)
    for places in torch.split(torch.arange(count), at_once(person)):
        first, some = int(places[0]), places.to(person.device)
        where = folder / "words" / name / f"slopes-{first:05d}"
        kept = load_part(where)
        if kept is None:
            part = Samples(statistics.samples.ws[some], statistics.samples.moments[some])
            cotangents = change.expand(len(some), 1, -1)
            found = responses(person, clip, part, cotangents, steps)[:, 0]
            save_part(where, {"slopes": found})
        else:
            found = kept[0]["slopes"]
            steps.took(2)
        shards.append(found.to(person.device))
    _forget_old_words(folder / "words")
    return torch.cat(shards)


def responses(person: LatentPerson, clip: Clip, samples: Samples, along: Tensor, steps: Steps) -> Tensor:
    """How embeddings move along directions of CLIP's space as channels change.

    Args:
        samples: B pictures.
        along: ``[B, K, E]``.
        steps: told one step for drawing and one for each of the K.

    Returns:
        ``[B, K, C]``: ``along · J``, with J the Jacobian of the normalised embedding towards the styles.
    """
    styles = person.styles(samples.ws).detach().requires_grad_()
    seen = clip.pictures(person.draw_styles(styles, samples.moments))
    steps.took()
    found = []
    count = along.shape[1]
    for k in range(count):
        (slope,) = torch.autograd.grad(seen, styles, along[:, k].to(seen), retain_graph=k + 1 < count)
        found.append(slope)
        steps.took()
    return torch.stack(found, 1)


def relevance(statistics: Statistics, along_words: Tensor, change: Tensor) -> Tensor:
    """How much of what each channel does to CLIP's view is what the words ask for.

    It is the mean over the pictures of the cosine between what the channel does there and the words. The
    paper averages directions over the pictures first and compares their mean; here a channel that does
    another thing in every picture comes out lower than there.

    Args:
        along_words: ``[M, C]``, see :func:`slopes`.
        change: ``[E]`` of length one.

    Returns:
        ``[C]`` in -1..1; 0 for channels that stand still or do nothing.
    """
    shares = statistics.probes @ change.to(statistics.probes)
    # Along the words everything is known; probes say how much there is across them.
    across = statistics.responses - shares[..., None] * along_words[:, None]
    count, embedding = statistics.probes.shape[1:]
    left = (count - shares.square().sum(1)).clamp_min(1e-6)
    square = across.square().sum(1) * ((embedding - 1) / left)[:, None] * overrated(count, embedding) ** 2
    length = (along_words.square() + square).sqrt()
    cosines = torch.where(length > 0, along_words / length, torch.zeros_like(length))
    return torch.where(statistics.deviation > 0, cosines.mean(0), 0.0)


def overrated(probes: int, embedding: int) -> float:
    """By how much 1 / length comes out too large on average, when the length is estimated with ``probes`` of
    ``embedding`` directions: their share of a squared length is beta distributed. 1 with all of them."""
    k, e = probes / 2, embedding / 2
    return math.sqrt(k / e) * math.exp(
        math.lgamma(k - 0.5) - math.lgamma(k) + math.lgamma(e) - math.lgamma(e - 0.5)
    )


@torch.no_grad()
def _spread(person: LatentPerson, wish: GlobalWish, folder: Path) -> tuple[Tensor, Tensor]:
    """Mean and deviation ``[C]`` of the styles."""
    kept = load_part(folder / "spread")
    if kept is None:
        samples = person.sample(wish.deviation_samples, wish.seed + 1)
        pieces = torch.split(samples.ws, LATENTS_AT_ONCE)
        styles = torch.cat([person.styles(ws).cpu().double() for ws in pieces])
        mean, deviation = styles.mean(0), styles.std(0, unbiased=False)
        deviation[deviation <= _STILL * deviation.max()] = 0.0
        kept = {"mean": mean.float(), "deviation": deviation.float()}, {}
        save_part(folder / "spread", kept[0])
    return kept[0]["mean"].to(person.device), kept[0]["deviation"].to(person.device)


def _probes(wish: GlobalWish, embedding: int, place: int) -> Tensor:
    """``[K, E]`` orthonormal directions for one picture, uniform over all of them."""
    chance = torch.Generator().manual_seed((wish.seed << 20) + place)
    count = min(wish.probes, embedding)
    draws = torch.randn(embedding, count, generator=chance, dtype=torch.float64)
    axes, _ = torch.linalg.qr(draws)
    return axes.T.float().contiguous()


def _forget_old_words(folder: Path) -> None:
    names = sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime)
    for old in names[:-_WORDS_KEPT]:
        remove_folder(old)
