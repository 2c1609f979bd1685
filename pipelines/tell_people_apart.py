"""Which clips show the same person, so that nobody is both learnt from and judged by.

With a face network among the user's weights, clips are compared by embeddings of their most frontal frames.
Without one there is the shape that tracking found, which tells very different heads apart and no more: the
measure is always named, and a list by hand overrules it.

Clips that are alike are one person, and so are those that are alike to any of these (connected components):
between two sides of a split no pair is then alike by the measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.corpus.corpus import CorpusClip
from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent

NETWORK = "identity-mobilefacenet"
"""In the manifest of weights."""
LOOKS = 8
"""Frames of a clip that are looked at."""


@dataclass(frozen=True)
class Measure:
    """What faces are compared by."""

    name: str
    """Which; vectors of different ones cannot be compared."""
    said: str
    """A clause for people."""
    alike: float
    """Cosine from which on two clips are one person."""
    vector: Callable[[CorpusClip], Floats]
    """``[D]`` of length one. Raises Unreadable."""


def network_measure(weights: Path) -> Measure:
    """By MobileFaceNet. Raises :class:`studio.metrics.metric.Unavailable` for another file."""
    from studio.metrics.identity import MobileFaceNet

    network = MobileFaceNet(weights)

    def vector(clip: CorpusClip) -> Floats:
        frames = frontal(clip)
        pictures = np.stack([clip.picture(t) for t in frames.tolist()])
        mean = network.embed(pictures, clip.landmarks[frames]).mean(0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    return Measure(network.name, "faces compared by MobileFaceNet", 0.5, vector)


def shape_measure() -> Measure:
    """By the identity coefficients that tracking found."""

    def vector(clip: CorpusClip) -> Floats:
        values = clip.coefficients.astype(np.float64)
        return np.asarray(values / max(float(np.linalg.norm(values)), 1e-9), np.float32)

    return Measure("shape", "the tracked shapes of heads compared, which is a weak measure", 0.85, vector)


def frontal(clip: CorpusClip, most: int = LOOKS) -> npt.NDArray[np.int64]:
    """Good frames that look most into the camera, one from each of ``most`` parts of the clip."""
    good = np.flatnonzero(clip.good)
    turned = np.abs(clip.motion.angles[:, :2]).sum(1)
    parts = np.array_split(good, min(most, len(good)))
    return np.array([part[np.argmin(turned[part])] for part in parts], np.int64)


def vectors_of(
    clips: Sequence[CorpusClip],
    measure: Measure,
    known: Mapping[str, Floats],
    progress: Progress = silent,
) -> dict[str, Floats]:
    """The vector of each clip by name; those that are known are not made again."""
    vectors = {}
    for done, clip in enumerate(clips):
        progress(done, len(clips), "telling people apart")
        vectors[clip.name] = known[clip.name] if clip.name in known else measure.vector(clip)
    return vectors


def same_people(
    clips: Sequence[CorpusClip], vectors: Mapping[str, Floats], alike: float, named: Mapping[str, str]
) -> dict[str, str]:
    """Clip name to the name of the person.

    Args:
        clips: all clips; those of one video show one person.
        vectors: of each clip, length one.
        alike: cosine from which on two clips are one person.
        named: clip name to person, where somebody has said so: this holds whatever the vectors say.

    Returns:
        For each clip the person, called as in ``named`` or else like the first of their clips.
    """
    order = sorted(clips, key=lambda clip: clip.name)
    leader = list(range(len(order)))

    def root(one: int) -> int:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one

    free = [i for i, clip in enumerate(order) if clip.name not in named]
    listed = [i for i, clip in enumerate(order) if clip.name in named]
    sources: dict[str, int] = {}
    for i in free:
        first = sources.setdefault(order[i].source, i)
        leader[root(i)] = root(first)
    all_vectors = np.stack([vectors[clip.name] for clip in order]) if order else np.zeros((0, 1), np.float32)
    for place, i in enumerate(free):
        others = np.array(free[place + 1 :], np.int64)
        for j in others[all_vectors[others] @ all_vectors[i] >= alike].tolist():
            a, b = sorted((root(i), root(j)))
            leader[b] = a
    people = {order[i].name: named[order[i].name] for i in listed}
    by_source = {order[i].source: people[order[i].name] for i in listed}
    groups: dict[int, list[int]] = {}
    for i in free:
        groups.setdefault(root(i), []).append(i)
    taken = set(people.values())
    for first, members in groups.items():
        # Somebody who is alike to a person who was named is that person: the most alike one.
        likeness = all_vectors[members] @ all_vectors[listed].T if listed else np.zeros((1, 0), np.float32)
        told = [by_source[order[i].source] for i in members if order[i].source in by_source]
        if told:
            person = told[0]
        elif likeness.size and float(likeness.max()) >= alike:
            person = people[order[listed[int(likeness.max(0).argmax())]].name]
        else:
            person = order[first].name
            while person in taken:  # somebody has given another person this very name
                person += "'"
        people |= {order[i].name: person for i in members}
    return people


def read_identities(path: Path, clips: Sequence[CorpusClip]) -> dict[str, str]:
    """What somebody wrote down: clip name to person.

    Each line holds a video's file name (with or without its folders and ending) or a clip's name, then white
    space, then who it is. Empty lines and those that begin with ``#`` are passed over.

    Raises:
        Problem: the file cannot be read, or names a clip that is not there or nobody.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"The list of people {path} cannot be read: choose a text file (UTF-8).") from error
    names: dict[str, list[str]] = {}
    for clip in clips:
        source = Path(clip.source)
        whole = {clip.source, source.name, source.stem, str(source.with_suffix("").as_posix())}
        for word in whole:
            names.setdefault(word, []).append(clip.name)
        if clip.name not in whole:
            names.setdefault(clip.name, []).append(clip.name)
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        # File names may hold spaces: the longest known one that the line begins with is meant.
        known = [word for word in names if line.startswith(word) and line[len(word) :][:1].isspace()]
        if not known:
            raise Problem(
                f"Line {number} of {path} does not begin with a clip of this corpus and go on with a name: "
                f"{line!r}. Write, for example: {clips[0].source if clips else 'clip.mp4'} Ann."
            )
        word = max(known, key=len)
        found |= dict.fromkeys(names[word], line[len(word) :].strip())
    return found
