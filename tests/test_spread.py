"""The order in which the tests begin, and what a worker takes whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from tests.spread import LONGEST, WHOLE, longest_first, unit

ROOT = Path(__file__).parents[1]


def test_every_unit_that_is_named_is_there() -> None:
    assert len(set(LONGEST)) == len(LONGEST)
    for name in LONGEST:
        assert (ROOT / name).exists(), name
        assert unit(f"{name}::test_it[a/b::c]" if name.endswith(".py") else f"{name}test_x.py::test") == name
    assert set(WHOLE) <= set(LONGEST)


def test_the_longest_begin_and_nothing_else_changes_places() -> None:
    names = [
        "tests/a.py::one",
        f"{LONGEST[2]}::one",
        f"{WHOLE[0]}test_b.py::one",
        f"{LONGEST[2]}::two",
        "tests/a.py::two",
        f"{WHOLE[0]}test_a.py::one",
        f"{LONGEST[0]}::one",
    ]
    items = [SimpleNamespace(nodeid=name) for name in names]
    longest_first(items)  # type: ignore[arg-type]
    assert [item.nodeid for item in items] == [names[place] for place in (6, 2, 5, 1, 3, 0, 4)]
