"""Pictures of pairs of frames, a little different each time; systems add the numbers that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.people_loader import PeopleLoader
from studio.corpus.careful import CarefulReading
from studio.corpus.pairs import Pair, SameClipPairs

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a picture's grey (ITU-R BT.601)."""
_CHANGES = 5
"""Place of a pair's random changes among the random numbers of its number; frames are drawn at others."""


@dataclass(frozen=True)
class Changes:
    """How pairs are made different each time; both frames of a pair alike."""

    flip: bool = False
    """Half of them are seen in a mirror."""
    jitter: float = 0.0
    """Largest change of brightness, contrast and saturation."""
    zoom: float = 0.0
    """Largest share by which they are enlarged; the part that is seen then lies anywhere."""

    def at(self, seed: int, number: int) -> Change:
        """The example's with a number: the same each time."""
        random = np.random.default_rng([seed, _CHANGES, number])
        flip = bool(random.random() < 0.5) and self.flip
        light = 1.0 + self.jitter * random.uniform(-1.0, 1.0, 3)
        zoom = 1.0 + self.zoom * random.random()
        at = (1.0 - 1.0 / zoom) * random.uniform(-1.0, 1.0, 2)
        return Change(flip, (light[0], light[1], light[2]), zoom, (at[0], at[1]))


@dataclass(frozen=True)
class Change:
    """One pair's changes."""

    flip: bool
    """Whether it is seen in a mirror."""
    light: tuple[float, float, float]
    """Factors of brightness, contrast and saturation."""
    zoom: float
    """Factor, at least 1."""
    at: tuple[float, float]
    """Centre of what is seen, -1..1 in the whole picture."""


NONE = Change(False, (1.0, 1.0, 1.0), 1.0, (0.0, 0.0))
"""No change."""


@dataclass(frozen=True)
class ShownPairs:
    """B pairs of frames."""

    source: Tensor
    """``[B, 3, S, S]`` -1..1, or ``[B, 4, S, S]`` with the person's outline."""
    driving: Tensor
    """``[B, 3, S, S]`` -1..1: what is to be drawn."""
    pairs: Sequence[Pair]
    """Which frames they are."""
    changes: Sequence[Change]
    """How both pictures of each differ from these frames; numbers of theirs have to follow."""


class PairPictures:
    """Numbers of pairs to pictures. Clips that cannot be read are reported once and done without."""

    def __init__(
        self,
        pairs: SameClipPairs,
        loader: PeopleLoader,
        careful: CarefulReading,
        changes: Changes,
        outlined: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        """
        Args:
            pairs: which frames belong to a number.
            loader: gives the pictures.
            careful: remembers what cannot be read.
            changes: how pairs are made different each time.
            outlined: whether sources come with the person's outline.
            device: where the tensors go.
        """
        self._pairs, self._loader, self._careful = pairs, loader, careful
        self._changes, self._outlined = changes, outlined
        self._device = torch.device(device)

    def at(self, numbers: Sequence[int]) -> ShownPairs:
        """The pairs with some numbers. Raises Problem when no clip can be read at all."""
        chosen = [self._read(number) for number in numbers]
        changes = [self._changes.at(self._pairs.seed, number) for number in numbers]
        return self._shown([pair for pair, _ in chosen], np.stack([seen for _, seen in chosen]), changes)

    def ahead(self, numbers: Sequence[int]) -> None:
        """Have the pictures of some numbers decoded, which will be asked for soon."""
        for number in numbers:
            if self._pairs.clip_at(number).name not in self._careful.lost:
                self._loader.ahead(_places(self._pairs.at(number)))

    def fixed(self, pairs: Sequence[Pair]) -> ShownPairs:
        """Given pairs as they are. Raises Unreadable."""
        pictures = np.stack([self._loader.get(_places(pair)) for pair in pairs])
        return self._shown(pairs, pictures, [NONE] * len(pairs))

    def _read(self, number: int) -> tuple[Pair, npt.NDArray[np.uint8]]:
        def read(pair: Pair) -> tuple[Pair, npt.NDArray[np.uint8]]:
            return pair, self._loader.get(_places(pair))

        return self._careful.read(self._pairs, number, read)

    def _shown(
        self, pairs: Sequence[Pair], pictures: npt.NDArray[np.uint8], changes: Sequence[Change]
    ) -> ShownPairs:
        """``pictures`` ``[B, 2, S, S, 4]``: source and driving frame."""
        seen = torch.from_numpy(pictures).to(self._device).float().permute(0, 1, 4, 2, 3) / 255.0
        both = 2.0 * changed(seen, changes) - 1.0
        source = both[:, 0] if self._outlined else both[:, 0, :3]
        return ShownPairs(source.contiguous(), both[:, 1, :3].contiguous(), pairs, changes)


def _places(pair: Pair) -> list[tuple[str, int]]:
    return [(pair.clip.name, pair.source), (pair.clip.name, pair.driving)]


def changed(seen: Tensor, changes: Sequence[Change]) -> Tensor:
    """Pictures that belong together ``[B, N, 4, S, S]`` 0..1, with outlines, as changes show them: those of
    each of the B alike."""
    return _lit(_moved(seen, changes), changes)


def _moved(seen: Tensor, changes: Sequence[Change]) -> Tensor:
    """Pictures ``[B, N, 4, S, S]`` enlarged, shifted and mirrored."""
    if all(change.zoom == 1.0 and not change.flip for change in changes):
        return seen
    rows = [
        [[(-1.0 if c.flip else 1.0) / c.zoom, 0.0, c.at[0]], [0.0, 1.0 / c.zoom, c.at[1]]] for c in changes
    ]
    theta = torch.tensor(rows, dtype=seen.dtype, device=seen.device)
    flat = seen.flatten(1, 2)
    grid = functional.affine_grid(theta, list(flat.shape), align_corners=False)
    moved = functional.grid_sample(flat, grid, "bilinear", padding_mode="border", align_corners=False)
    return moved.view_as(seen)


def _lit(seen: Tensor, changes: Sequence[Change]) -> Tensor:
    """Pictures ``[B, N, 4, S, S]`` in 0..1 in another light. Outlines stay."""
    if all(change.light == (1.0, 1.0, 1.0) for change in changes):
        return seen
    light = torch.tensor([change.light for change in changes], dtype=seen.dtype, device=seen.device)
    brightness, contrast, saturation = (light[:, i, None, None, None, None] for i in range(3))
    grey = torch.tensor(GREY, dtype=seen.dtype, device=seen.device)[:, None, None]
    seen, outline = seen[:, :, :3] * brightness, seen[:, :, 3:]
    # The first one's own mean serves all, so that a pair stays a pair.
    middle = (seen[:, :1] * grey).sum(2, keepdim=True).mean((3, 4), keepdim=True)
    seen = (seen - middle) * contrast + middle
    plain = (seen * grey).sum(2, keepdim=True)
    return torch.cat([((seen - plain) * saturation + plain).clamp(0.0, 1.0), outline], 2)
