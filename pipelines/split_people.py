"""Who is learnt from and who is kept for judging."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from studio.corpus.corpus import Split


def split_people(
    people: Mapping[str, str], share: float, before: Mapping[str, Split]
) -> tuple[dict[str, Split], list[str]]:
    """The side of every person.

    People stay where they were, so that what was trained on a corpus is never judged by somebody whom it has
    learnt from; new ones are dealt out by a hash of their names until the share is right.

    Args:
        people: clip name to person.
        share: of the people that is held out. With two people or more and a share above 0, at least one is
            held out and at least one is not.
        before: sides of clips that were dealt out earlier.

    Returns:
        Person to side, and who was on both sides until now: they are learnt from.
    """
    sides: dict[str, Split] = {}
    both = []
    for person in sorted(set(people.values())):
        known = {before[clip] for clip, who in people.items() if who == person and clip in before}
        if known == {"train", "held_out"}:
            both.append(person)
        if known:
            sides[person] = "train" if "train" in known else "held_out"
    everybody = sorted(set(people.values()), key=lambda name: hashlib.sha256(name.encode()).digest())
    wanted = round(share * len(everybody))
    if share > 0 and len(everybody) > 1:
        wanted = min(max(wanted, 1), len(everybody) - 1)
    left = wanted - sum(side == "held_out" for side in sides.values())
    for person in everybody:
        if person not in sides:
            sides[person] = "held_out" if left > 0 else "train"
            left -= 1
    return sides, both
