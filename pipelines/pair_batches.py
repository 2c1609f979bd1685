"""Pairs of frames as what one step of a semantic network learns from, a little different each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.people_loader import PeopleLoader
from pipelines.people_moments import Moments, mirrored_code, mirrored_keypoints
from studio.corpus.careful import CarefulReading
from studio.corpus.pairs import Pair, SameClipPairs
from studio.domain.camera import Floats
from studio.head import HeadModel

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a picture's grey (ITU-R BT.601)."""
_CHANGES = 5
"""Place of a pair's random changes among the random numbers of its number; frames are drawn at others."""


@dataclass(frozen=True)
class PairBatch:
    """B pairs of frames."""

    source: Tensor
    """``[B, 3, S, S]`` -1..1, or ``[B, 4, S, S]`` with the person's outline."""
    driving: Tensor
    """``[B, 3, S, S]`` -1..1: what is to be drawn."""
    source_keypoints: Tensor
    """``[B, 16 + L, 3]``, the face's points after the keypoints."""
    driving_keypoints: Tensor
    """``[B, 16 + L, 3]``."""
    code: Tensor
    """``[B, 53]`` of the driving frame."""


@dataclass(frozen=True)
class Changes:
    """How pairs are made different each time; both frames of a pair alike."""

    flip: bool = False
    """Half of them are seen in a mirror."""
    jitter: float = 0.0
    """Largest change of brightness, contrast and saturation."""
    zoom: float = 0.0
    """Largest share by which they are enlarged; the part that is seen then lies anywhere."""


@dataclass(frozen=True)
class _Drawn:
    """One pair's changes."""

    flip: bool
    light: tuple[float, float, float]
    """Factors of brightness, contrast and saturation."""
    zoom: float
    """Factor, at least 1."""
    at: tuple[float, float]
    """Centre of what is seen, -1..1 in the whole picture."""


NONE = _Drawn(False, (1.0, 1.0, 1.0), 1.0, (0.0, 0.0))


class PairBatches:
    """Numbers of pairs to tensors. Clips that cannot be read are reported once and done without."""

    def __init__(
        self,
        pairs: SameClipPairs,
        moments: Mapping[str, Moments],
        loader: PeopleLoader,
        careful: CarefulReading,
        model: HeadModel,
        changes: Changes,
        outlined: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        """
        Args:
            pairs: which frames belong to a number.
            moments: of each clip, by name.
            loader: gives the pictures.
            careful: remembers what cannot be read.
            model: the head model of the moments.
            changes: how pairs are made different each time.
            outlined: whether sources come with the person's outline.
            device: where the tensors go.
        """
        self._pairs, self._moments, self._loader, self._careful = pairs, moments, loader, careful
        self._model, self._changes, self._outlined = model, changes, outlined
        self._device = torch.device(device)

    def at(self, numbers: Sequence[int]) -> PairBatch:
        """The pairs with some numbers. Raises Problem when no clip can be read at all."""
        chosen = [self._read(number) for number in numbers]
        drawn = [self._drawn(number) for number in numbers]
        return self._batch([pair for pair, _ in chosen], np.stack([seen for _, seen in chosen]), drawn)

    def ahead(self, numbers: Sequence[int]) -> None:
        """Have the pictures of some numbers decoded, which will be asked for soon."""
        for number in numbers:
            if self._pairs.clip_at(number).name not in self._careful.lost:
                self._loader.ahead(_places(self._pairs.at(number)))

    def fixed(self, pairs: Sequence[Pair]) -> PairBatch:
        """Given pairs as they are. Raises Unreadable."""
        pictures = np.stack([self._loader.get(_places(pair)) for pair in pairs])
        return self._batch(pairs, pictures, [NONE] * len(pairs))

    def _read(self, number: int) -> tuple[Pair, npt.NDArray[np.uint8]]:
        def read(pair: Pair) -> tuple[Pair, npt.NDArray[np.uint8]]:
            return pair, self._loader.get(_places(pair))

        return self._careful.read(self._pairs, number, read)

    def _drawn(self, number: int) -> _Drawn:
        changes, random = self._changes, np.random.default_rng([self._pairs.seed, _CHANGES, number])
        flip = bool(random.random() < 0.5) and changes.flip
        light = 1.0 + changes.jitter * random.uniform(-1.0, 1.0, 3)
        zoom = 1.0 + changes.zoom * random.random()
        at = (1.0 - 1.0 / zoom) * random.uniform(-1.0, 1.0, 2)
        return _Drawn(flip, (light[0], light[1], light[2]), zoom, (at[0], at[1]))

    def _batch(
        self, pairs: Sequence[Pair], pictures: npt.NDArray[np.uint8], drawn: Sequence[_Drawn]
    ) -> PairBatch:
        """``pictures`` ``[B, 2, S, S, 4]``: source and driving frame."""
        seen = torch.from_numpy(pictures).to(self._device).float().permute(0, 1, 4, 2, 3) / 255.0
        seen = _lit(_moved(seen, drawn), drawn)
        numbers = [self._numbers(pair, change) for pair, change in zip(pairs, drawn)]
        source, driving, code = (
            torch.from_numpy(np.stack(values)).to(self._device) for values in zip(*numbers)
        )
        pair = 2.0 * seen - 1.0
        shown = pair[:, 0] if self._outlined else pair[:, 0, :3]
        return PairBatch(shown.contiguous(), pair[:, 1, :3].contiguous(), source, driving, code)

    def _numbers(self, pair: Pair, drawn: _Drawn) -> tuple[Floats, Floats, Floats]:
        moments = self._moments[pair.clip.name]
        keypoints, code = moments.keypoints[[pair.source, pair.driving]], moments.code[pair.driving]
        keypoints = (keypoints - np.array([*drawn.at, 0.0], np.float32)) * np.float32(drawn.zoom)
        if drawn.flip:
            keypoints, code = mirrored_keypoints(keypoints, self._model), mirrored_code(code, self._model)
        return keypoints[0], keypoints[1], code


def _places(pair: Pair) -> list[tuple[str, int]]:
    return [(pair.clip.name, pair.source), (pair.clip.name, pair.driving)]


def _moved(seen: Tensor, drawn: Sequence[_Drawn]) -> Tensor:
    """Pictures ``[B, 2, 4, S, S]`` enlarged, shifted and mirrored."""
    if all(change.zoom == 1.0 and not change.flip for change in drawn):
        return seen
    rows = [[[(-1.0 if c.flip else 1.0) / c.zoom, 0.0, c.at[0]], [0.0, 1.0 / c.zoom, c.at[1]]] for c in drawn]
    theta = torch.tensor(rows, dtype=seen.dtype, device=seen.device)
    flat = seen.flatten(1, 2)
    grid = functional.affine_grid(theta, list(flat.shape), align_corners=False)
    moved = functional.grid_sample(flat, grid, "bilinear", padding_mode="border", align_corners=False)
    return moved.view_as(seen)


def _lit(seen: Tensor, drawn: Sequence[_Drawn]) -> Tensor:
    """Pictures ``[B, 2, 4, S, S]`` in 0..1 in another light; each pair's alike. Outlines stay."""
    if all(change.light == (1.0, 1.0, 1.0) for change in drawn):
        return seen
    light = torch.tensor([change.light for change in drawn], dtype=seen.dtype, device=seen.device)
    brightness, contrast, saturation = (light[:, i, None, None, None, None] for i in range(3))
    grey = torch.tensor(GREY, dtype=seen.dtype, device=seen.device)[:, None, None]
    seen, outline = seen[:, :, :3] * brightness, seen[:, :, 3:]
    # The source's own mean serves both, so that a pair stays a pair.
    middle = (seen[:, :1] * grey).sum(2, keepdim=True).mean((3, 4), keepdim=True)
    seen = (seen - middle) * contrast + middle
    plain = (seen * grey).sum(2, keepdim=True)
    return torch.cat([((seen - plain) * saturation + plain).clamp(0.0, 1.0), outline], 2)
