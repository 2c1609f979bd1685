"""Ways to find edits that take a moment each, for testing what is around them without any generator."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.edit_avatar import free_name
from studio.domain.edits import Edit, ShapeShift
from studio.domain.problem import Problem
from studio.editing.method import MethodSpec, Workplace
from studio.head import builtin_head


@dataclass(frozen=True)
class FakeWish:
    """What is wished for."""

    prompt: str = "a face"
    """Becomes the title."""
    ticks: int = 1
    """Reports of progress."""
    seconds: float = 0.0
    """Length of one."""
    trouble: str = ""
    """What goes wrong when all but one are done."""
    file: Path | None = None
    """A file that is looked at."""


def find(person: object, wish: FakeWish, workplace: Workplace) -> Edit:
    """Counts in the cache, so that nothing is counted twice."""
    counter = workplace.cache / "counted"
    begun = int(counter.read_text()) if counter.exists() else 0
    for tick in range(begun, wish.ticks):
        workplace.progress(tick, wish.ticks, "counting")
        time.sleep(wish.seconds)
        if wish.trouble and tick == wish.ticks - 1:
            _trouble(wish.trouble)
        counter.write_text(str(tick + 1))
    head = builtin_head()
    identity = np.zeros(head.identities, np.float32)
    identity[0] = len(wish.prompt)
    return Edit(
        free_name(wish.prompt, ()),
        wish.prompt,
        "other",
        ShapeShift(identity, head.id),
        0.5,
        found={"begun": begun},
    )


def _trouble(kind: str) -> None:
    if kind == "problem":
        raise Problem("The wish cannot be met: wish for something else.")
    if kind == "memory":
        raise MemoryError
    raise ZeroDivisionError("a defect of ours")


def spec(id: str, generator: bool = False, missing: str | None = None) -> MethodSpec:
    """An entry of the catalog for :func:`find`."""
    place = "tests.editing.fake_methods"
    return MethodSpec(
        id=id,
        title=f"Fake {id}",
        summary="Nothing real.",
        spaces=("shape",),
        generator=generator,
        finder=f"{place}:find",
        wish=f"{place}:FakeWish",
        missing=lambda assets: missing,
    )
