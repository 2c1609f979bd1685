"""CLIP (Radford et al. 2021): pictures and words as directions that can be compared.

The network is the user's own file, read by :mod:`studio.networks.foreign.clip`; nothing is ever downloaded,
also not for the tokeniser, whose table comes with open_clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from studio.assets import AssetLibrary
from studio.devices import explaining_memory
from studio.domain.problem import Problem
from studio.editing.clip_files import clip_file
from studio.editing.clip_pictures import looked_at
from studio.editing.clip_prompts import TEMPLATES, Words
from studio.networks.foreign.clip import Activation, ClipAbout, load_clip

WORDS_A_TOKEN = 0.7
"""English words that a token stands for, about; for advice."""
ENOUGH = 1e-3
"""Cosine distance below which two descriptions are the same to CLIP."""


class Clip:
    """A CLIP on a device.

    Attributes:
        about: what is known of it.
    """

    about: ClipAbout

    def __init__(self, network: Any, about: ClipAbout, device: torch.device) -> None:
        """
        Args:
            network: ``open_clip.model.CLIP``, frozen.
            about: what is known of it.
            device: where to compute.
        """
        self._network, self.about = network.to(device), about
        self._mean = torch.tensor(about.mean, device=device)[:, None, None]
        self._deviation = torch.tensor(about.deviation, device=device)[:, None, None]

    def pictures(self, pictures: Tensor, windows: Tensor | None = None) -> Tensor:
        """Embeddings of pictures.

        Args:
            pictures: ``[B, 3, R, R]`` RGB; what lies beyond -1..1 is clipped, as it is when it is shown.
            windows: what is looked at of each, see :func:`~studio.editing.clip_pictures.looked_at`.

        Returns:
            ``[B, E]`` of length one. Has gradients towards the pictures.
        """
        seen = looked_at(pictures.clamp(-1.0, 1.0), self.about.side, windows)
        with explaining_memory("Looking at pictures with CLIP"):
            found = self._network.encode_image((0.5 * seen + 0.5 - self._mean) / self._deviation)
        return functional.normalize(found, dim=-1)

    @torch.no_grad()
    def words(self, description: str) -> Tensor:
        """``[E]`` of length one: the mean over :data:`TEMPLATES` of a description's embeddings.

        Raises:
            Problem: it has more tokens than CLIP reads.
        """
        tokens = torch.stack([self._tokens(template.format(description)) for template in TEMPLATES])
        found = functional.normalize(self._network.encode_text(tokens.to(self._mean.device)), dim=-1)
        return functional.normalize(found.mean(0), dim=-1)

    def _tokens(self, sentence: str) -> Tensor:
        """``[words]`` int64. Unlike open_clip's own call, it never cuts a sentence short."""
        from open_clip.tokenizer import _tokenizer as tokenizer

        inner = tokenizer.encode(sentence)
        most = self.about.words - 2
        if len(inner) > most:
            raise Problem(
                f"The prompt has {len(inner)} tokens with the sentence around it, more than the {most} that "
                f"CLIP reads: say it in at most {int(WORDS_A_TOKEN * most) - 5} words."
            )
        marked = [tokenizer.sot_token_id, *inner, tokenizer.eot_token_id]
        return functional.pad(torch.tensor(marked, dtype=torch.int64), (0, self.about.words - len(marked)))


@dataclass(frozen=True, eq=False)
class Meaning:
    """What words mean to one CLIP; vectors ``[E]`` of length one."""

    target: Tensor
    """The target description."""
    neutral: Tensor
    """The neutral one."""
    change: Tensor
    """From neutral to target: the normalised difference, the paper's Δt."""


def meaning_of(words: Words, clip: Clip) -> Meaning:
    """What a pair of descriptions means. Raises Problem when CLIP sees no difference, or cannot read them."""
    target, neutral = clip.words(words.target), clip.words(words.neutral)
    if float(1.0 - target @ neutral) < ENOUGH:
        raise Problem(
            f"CLIP sees no difference between “{words.target}” and “{words.neutral}”: say what should be "
            "different in other words."
        )
    return Meaning(target, neutral, functional.normalize(target - neutral, dim=0))


def open_clip_network(assets: AssetLibrary, named: str, activation: Activation, device: torch.device) -> Clip:
    """The CLIP to use, on a device.

    Args:
        assets: the home's weights.
        named: a file, or the id of one in the manifest; empty for the first that is there.
        activation: see :data:`~studio.networks.foreign.clip.Activation`.
        device: where to compute.

    Raises:
        Problem: there is none, or it cannot be used, with what to do.
    """
    path: Path = clip_file(assets, named)
    with explaining_memory("Loading CLIP", "close other programs, or use the smaller ViT-B-32"):
        network, about = load_clip(path, activation)
        return Clip(network, about, device)
