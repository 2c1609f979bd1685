"""Which avatar somebody sees first, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.first_avatar import Footing, first_avatar, footing
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View

STAGE = View(Similarity(1.0, 0.0, 0.0, 0.0), 64, 64)


def made(engine: str, name: str = "", learnt_from: tuple[int, int] = (0, 200), **lineage: Any) -> Avatar:
    return Avatar(
        "Ann",
        engine,
        name or engine,
        Path(f"{engine}-{name or engine}"),
        STAGE,
        {"learnt_from": list(learnt_from), **lineage},
    )


PHOTO, TOY = made("instant", "photo", (0, 1)), made("semantic", "toy", (17, 18))
FRAMES, TRAINED, VOLUME = made("instant", "frames"), made("pvp"), made("tri2plane")
PART = made("pvp", "part", held_out=0.2)
BAKED = made("pvp", "copy", baked={"from": "pvp"})
OTHER = made("of a newer program")


@pytest.mark.parametrize(
    ("avatar", "knows"),
    [
        (PHOTO, Footing.PICTURE),
        (TOY, Footing.PICTURE),
        (FRAMES, Footing.FRAMES),
        (TRAINED, Footing.TRAINED),
        (VOLUME, Footing.TRAINED),
        (OTHER, Footing.UNKNOWN),
    ],
    ids=lambda x: x.folder.name if isinstance(x, Avatar) else x.name,
)
def test_what_an_avatar_knows_of_its_person(avatar: Avatar, knows: Footing) -> None:
    assert footing(avatar) == knows


@pytest.mark.parametrize(
    ("avatars", "first", "why"),
    [
        ([FRAMES], FRAMES, "only"),
        ([PHOTO, TOY], TOY, "newest"),
        ([FRAMES, TOY], FRAMES, "learnt most"),
        ([TRAINED, FRAMES, TOY], TRAINED, "learnt most"),
        ([VOLUME, TRAINED, FRAMES], TRAINED, "newest"),
        ([FRAMES, PART], FRAMES, "learnt most"),
        ([TRAINED, PART], TRAINED, "learnt most"),
        ([TRAINED, BAKED], TRAINED, "original"),
        ([PART, BAKED], PART, "original"),
        ([TRAINED, BAKED, TOY], TRAINED, "learnt most"),
        ([FRAMES, OTHER], FRAMES, "learnt most"),
    ],
)
def test_who_learnt_most_comes_first(avatars: list[Avatar], first: Avatar, why: str) -> None:
    found = first_avatar(avatars)
    assert found is not None
    assert (found.avatar, found.why) == (first, why)


def test_what_was_chosen_before_comes_first_while_it_is_there() -> None:
    found = first_avatar([TRAINED, TOY], TOY.folder.name)
    assert found is not None
    assert (found.avatar, found.why) == (TOY, "remembered")
    gone = first_avatar([TRAINED, FRAMES], TOY.folder.name)
    assert gone is not None
    assert gone.avatar == TRAINED


def test_nobody_has_no_first_avatar() -> None:
    assert first_avatar([]) is None
