"""Everybody in a corpus gets a name and a side."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipelines.prepare_settings import PrepareSettings
from pipelines.split_people import split_people
from pipelines.tell_people_apart import Measure, read_identities, same_people, vectors_of
from studio.corpus.corpus import Corpus, with_identities
from studio.domain.camera import Floats
from studio.domain.progress import Progress
from studio.project.atomic import write_bytes

FACES, PEOPLE = "faces.safetensors", "identities.txt"
"""In a corpus: what people were compared by, and a list by hand."""


def told_apart(
    corpus: Corpus,
    before: Corpus | None,
    settings: PrepareSettings,
    measure: Measure,
    identities: Path | None,
    progress: Progress,
) -> tuple[Corpus, list[str]]:
    """The corpus with everybody's name and side, and what is to be said about that."""
    file = corpus.folder / FACES
    known = _known_faces(file, measure.name)
    keys = {clip.name: f"{clip.name} {clip.checksum:08x}" for clip in corpus.clips}
    there = {clip.name: known[keys[clip.name]] for clip in corpus.clips if keys[clip.name] in known}
    vectors = vectors_of(corpus.clips, measure, there, progress)
    if len(there) < len(vectors) or len(known) > len(vectors):
        data = save({keys[name]: vector for name, vector in vectors.items()}, {"measure": measure.name})
        write_bytes(file, data)
    # A list by hand stays with the corpus, so that a later run need not be told again.
    kept = corpus.folder / PEOPLE
    named = {}
    if identities is not None or kept.is_file():
        named = read_identities(identities or kept, corpus.clips)
        if identities is not None:
            write_bytes(kept, identities.read_bytes())
    people = same_people(corpus.clips, vectors, measure.alike, named)
    stays = before is not None and before.held_out == settings.held_out
    sides, both = split_people(
        people,
        settings.held_out,
        {clip.name: clip.split for clip in before.clips} if before and stays else {},
    )
    said = measure.said
    if named:
        said = f"{said}; {len(set(named.values()))} people by a list"
    notes = [f"{who} was on both sides of the split and is now learnt from." for who in both]
    crowd = max((sum(1 for who in people.values() if who == one) for one in set(people.values())), default=0)
    if crowd > max(3, len(people) // 2):
        notes.append(
            f"{crowd} of {len(people)} clips count as one person by this measure: check that, and name them "
            "with --identities if they are several."
        )
    chosen = {name: (person, sides[person]) for name, person in people.items()}
    return with_identities(corpus, chosen, said), notes


def _known_faces(file: Path, measure: str) -> dict[str, Floats]:
    """What people were compared by before, by clip and content; nothing where that cannot be read."""
    try:
        with safe_open(file, "np") as stored:
            if (stored.metadata() or {}).get("measure") != measure:
                return {}
            return {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError):
        return {}
