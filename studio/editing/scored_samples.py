"""Pictures of a person's latents, with values for each: drawn once, kept, and gone on with when interrupted.

Latents are drawn in the clip's usual moments and not in their own. A generator that paints over a guide shows
in each moment what the guide shows, and its samples come with the moment that they belong to: a smile would
seem to come from latents that only accompany it. In a moment that was given to latents without looking, what
differs between pictures is what the latents make. Values are compared within each moment.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.editing.attributes import ATTRIBUTES, measure
from studio.editing.method import FaceReader
from studio.editing.person import LatentPerson, Samples
from studio.project.atomic import explaining_disk

VERSION = 1
"""Raise when equal pictures get other values."""
MOMENTS = 8
"""Usual moments that samples are drawn in, at most."""
_PER_MOMENT = 20
"""Samples in each moment, at least: fewer would take too much of the values away with the moment's mean."""
_BATCH = 8
_KEEP_EVERY = 10.0
"""Seconds after which what has been scored is written down."""


Score = Callable[[Tensor], Floats]
"""Pictures ``[B, 3, R, R]`` about -1..1 to values ``[B, A]``; NaN where it cannot be told."""


@dataclass(frozen=True)
class Scores:
    """What is looked for in pictures: attributes, and whatever else gives numbers for pictures."""

    names: tuple[str, ...]
    """A columns."""
    function: Score
    """Gives them."""
    key: str | None = None
    """Tells functions apart for what is kept; None keeps nothing."""
    parts: tuple[Scores, ...] = ()
    """What it is put together from; each is kept by itself."""
    wide: Scores | None = None
    """What is scored in its place where it is kept: its columns and others, for who asks for those next."""
    faces: FaceReader | None = None
    """Of attributes: what reads their faces."""

    def and_then(self, other: Scores) -> Scores:
        """Its columns with those of another behind them."""
        if not self.names or not other.names:
            return self if self.names else other
        if self.wide is not None and other.wide is not None:
            return attribute_scores((*self.names, *other.names), self.faces or other.faces)
        return Scores(
            (*self.names, *other.names),
            lambda pictures: np.concatenate([self.function(pictures), other.function(pictures)], 1),
            parts=(*(self.parts or (self,)), *(other.parts or (other,))),
        )


def attribute_scores(names: Sequence[str], faces: FaceReader | None) -> Scores:
    """Scores of measured attributes; ValueError when one needs faces that nobody reads."""
    chosen = tuple(dict.fromkeys(names))
    if faces is None and any(ATTRIBUTES[name].of_faces for name in chosen):
        raise ValueError("attributes of faces are asked for without a reader of faces")
    able = tuple(name for name, one in ATTRIBUTES.items() if faces is not None or not one.of_faces)
    wide = Scores(able, lambda pictures: measure(pictures, able, faces), "measured:" + ",".join(able))
    return Scores(chosen, lambda pictures: measure(pictures, chosen, faces), wide=wide, faces=faces)


def own_score(name: str, function: Callable[[Tensor], npt.NDArray[Any]], key: str | None = None) -> Scores:
    """Scores of one column by a function of pictures to ``[B]``, such as a likeness to a text."""
    return Scores((name,), lambda pictures: np.asarray(function(pictures), np.float32)[:, None], key)


def in_usual_moments(person: LatentPerson, samples: Samples) -> Samples:
    """The samples' latents with usual moments, in turns: the same latent always gets the same moment."""
    count = max(1, min(MOMENTS, person.moments, len(samples) // _PER_MOMENT))
    usual = person.usual(count).moments.to(samples.moments.device)
    turns = torch.arange(len(samples), device=usual.device) % len(usual)
    return Samples(samples.ws, usual[turns])


def drawn(person: LatentPerson, samples: Samples, batch: int = _BATCH) -> Iterator[Tensor]:
    """Pictures ``[<=batch, 3, R, R]`` of samples, without gradients."""
    for start in range(0, len(samples), batch):
        with torch.no_grad():
            yield person.draw(
                samples.ws[start : start + batch].to(person.device),
                samples.moments[start : start + batch].to(person.device),
            )


def scored(
    person: LatentPerson,
    samples: Samples,
    scores: Scores,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Floats:
    """Values ``[N, A]`` of samples; those found before are read from the cache.

    Args:
        person: draws them.
        samples: N of them.
        scores: what to look for.
        cache: folder of this person; None keeps nothing.
        progress: told after every batch; what was scored until it raises Interrupted is kept.

    Raises:
        Problem: the disk said no.
    """
    if not scores.names:
        return np.zeros((len(samples), 0), np.float32)
    tables = [_Table(person, samples, part, cache) for part in scores.parts or (scores,)]
    done, written = min(table.done for table in tables), time.monotonic()
    try:
        for pictures in drawn(person, Samples(samples.ws[done:], samples.moments[done:])):
            for table in tables:
                table.fill(done, pictures)
            done += len(pictures)
            if time.monotonic() - written > _KEEP_EVERY:
                for table in tables:
                    table.keep()
                written = time.monotonic()
            progress(done, len(samples), "looking at this person's samples")
    finally:
        for table in tables:
            table.keep()
    return np.concatenate([table.asked for table in tables], 1)


class _Table:
    """Values of samples, filled from the top, with the file in which they are kept."""

    def __init__(self, person: LatentPerson, samples: Samples, scores: Scores, cache: Path | None) -> None:
        self._names = scores.names
        if cache is not None and scores.wide is not None:
            scores = scores.wide
        self._scores = scores
        self._file = None
        if cache is not None and scores.key is not None:
            self._file = cache / f"{_key(person, samples, scores)}.npz"
        self._values = np.full((len(samples), len(scores.names)), np.nan, np.float32)
        self.done = self._kept = _read(self._file, self._values)

    def fill(self, start: int, pictures: Tensor) -> None:
        """Values of pictures from a row on, unless they are known."""
        if start >= self.done:
            self._values[start : start + len(pictures)] = self._scores.function(pictures)
            self.done = start + len(pictures)
        elif start + len(pictures) > self.done:
            self.fill(self.done, pictures[self.done - start :])

    def keep(self) -> None:
        """Write down what there is."""
        if self.done > self._kept:
            _write(self._file, self._values[: self.done])
            self._kept = self.done

    @property
    def asked(self) -> Floats:
        """``[N, A]`` the columns that were asked for."""
        columns = [self._scores.names.index(name) for name in self._names]
        return self._values[:, columns]


def within_moments(values: Floats, moments: Tensor) -> Floats:
    """``[N, A]`` less the mean over each one's moment; NaN stays NaN."""
    out = np.array(values, np.float32)
    which = moments.cpu().numpy()
    for moment in np.unique(which):
        rows = which == moment
        seen = np.isfinite(values[rows])
        mean = np.where(seen, values[rows], 0.0).sum(0) / np.maximum(seen.sum(0), 1)
        out[rows] -= mean
    return out


def readable(values: Floats, names: Sequence[str], fewest: int) -> np.ndarray:
    """``[N]`` which samples have all values.

    Raises:
        Problem: fewer than ``fewest``, with what could not be told most often.
    """
    seen = np.isfinite(values)
    good = seen.all(1)
    if good.sum() >= fewest:
        return good
    worst = names[int(seen.sum(0).argmin())]
    title = ATTRIBUTES[worst].title.lower() if worst in ATTRIBUTES else worst
    raise Problem(
        f"Only {int(good.sum())} of {len(good)} pictures of this person could be measured, and {fewest} are "
        f"needed ({title} could be told in {int(seen.sum(0).min())}): take more samples, or leave out what "
        "looks for a face."
    )


def _key(person: LatentPerson, samples: Samples, scores: Scores) -> str:
    digest = hashlib.sha256(f"{VERSION} {person.resolution} {scores.key}".encode())
    digest.update(samples.ws.detach().cpu().contiguous().float().numpy().tobytes())
    digest.update(samples.moments.cpu().numpy().tobytes())
    return f"scores-{digest.hexdigest()[:16]}"


def _read(file: Path | None, values: Floats) -> int:
    """Fill the first rows from a file; how many it had. One that is damaged counts as none."""
    if file is None:
        return 0
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            found = stored["values"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return 0
    if found.ndim != 2 or found.shape[1] != values.shape[1] or len(found) > len(values):
        return 0
    values[: len(found)] = found
    return len(found)


def _write(file: Path | None, values: Floats) -> None:
    if file is None:
        return
    with explaining_disk(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            with aside.open("wb") as opened:
                np.savez(opened, values=values)
            aside.replace(file)
        finally:
            aside.unlink(missing_ok=True)
