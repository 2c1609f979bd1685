"""Which of somebody's avatars is shown first where nobody has said which, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from pipelines.build_job import BAKED
from studio.domain.avatar import Avatar
from studio.engines.catalog import ENGINES

Why = Literal["chosen", "remembered", "finished", "only", "learnt most", "newest", "original"]
"""Why an avatar is shown: somebody chose it just now, or the last time; it has just been finished; there is
no other; it learnt more about the person than the others; it is the newest of those that learnt most; the
others are copies with edits baked in."""


class Footing(IntEnum):
    """What an avatar knows of its person, from the least."""

    UNKNOWN = 0
    """Of an engine that this program does not have."""
    PICTURE = 1
    """One picture; the rest is guessed, or comes from other people."""
    FRAMES = 2
    """Many frames of a clip, as they are."""
    TRAINED = 3
    """A network trained on this one person."""


@dataclass(frozen=True)
class First:
    """An avatar to begin with."""

    avatar: Avatar
    """Which one."""
    why: Why
    """See :data:`Why`."""


def footing(avatar: Avatar) -> Footing:
    """What an avatar knows of its person."""
    spec = ENGINES.get(avatar.engine)
    if spec is None:
        return Footing.UNKNOWN
    if not spec.from_photo:
        return Footing.TRAINED
    first, past = avatar.lineage.get("learnt_from", (0, 0))
    return Footing.PICTURE if past - first == 1 else Footing.FRAMES


def first_avatar(avatars: Iterable[Avatar], remembered: str = "") -> First | None:
    """The avatar to begin with.

    What somebody chose before comes first. Otherwise copies with baked edits come after originals, and
    avatars that were made to be judged, from a part of the clip, after those that saw all of it; of the rest
    the one that knows most of the person, of equals the newest.

    Args:
        avatars: oldest first.
        remembered: name of the folder of the one that was chosen the last time; empty for none.
    """
    found = list(avatars)
    if not found:
        return None
    again = next((avatar for avatar in found if avatar.folder.name == remembered), None)
    if again is not None:
        return First(again, "only" if len(found) == 1 else "remembered")

    def worth(avatar: Avatar) -> tuple[bool, bool, Footing]:
        return BAKED not in avatar.lineage, not avatar.lineage.get("held_out"), footing(avatar)

    best = max(map(worth, found))
    equals = [avatar for avatar in found if worth(avatar) == best]
    if len(found) == 1:
        return First(found[0], "only")
    if len(equals) > 1:
        return First(equals[-1], "newest")
    copies = all(BAKED in avatar.lineage for avatar in found if avatar is not equals[0])
    return First(equals[0], "original" if copies else "learnt most")
