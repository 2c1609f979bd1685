"""Variants are data: each names settings that exist and changes them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pipelines.ablations import ABLATIONS, with_changes
from pipelines.pick_pivots import PivotSettings
from pipelines.recipes import RECIPES, settings_for
from studio.domain.problem import Problem
from studio.engines.catalog import ENGINES


@dataclass(frozen=True)
class Inner:
    weight: float = 0.1
    other: int = 3


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    name: str = "a"


def test_fields_of_fields_are_changed_and_nothing_else() -> None:
    stages = {"pivots": PivotSettings(count=7), "pvp": Outer(Inner(other=5), "b")}
    changed = with_changes(stages, {"pvp.inner.weight": 0.0, "pivots.choice": "random"})
    assert changed == {
        "pivots": PivotSettings(count=7, choice="random"),
        "pvp": Outer(Inner(0.0, 5), "b"),
    }
    assert stages["pvp"] == Outer(Inner(other=5), "b")


@pytest.mark.parametrize("place", ["pvp.inner.wait", "pvp.name.weight", "tune.inner.weight", "pvp"])
def test_a_setting_that_is_not_there_is_a_defect(place: str) -> None:
    with pytest.raises(KeyError, match=place):
        with_changes({"pvp": Outer()}, {place: 1})


@pytest.mark.parametrize("engine", [engine for engine in ABLATIONS if engine in RECIPES])
def test_every_variant_changes_what_its_engine_does_and_no_tracking(engine: str) -> None:
    """With one of its presets at least: a draft may do without what a variant takes out."""
    presets = []
    for preset in ENGINES[engine].presets:
        try:
            presets.append(settings_for(engine, preset))
        except Problem as problem:
            pytest.skip(str(problem))
    for changes in ABLATIONS[engine].values():
        assert any(with_changes(stages, changes) != stages for stages in presets)
        assert not any(place.startswith("track.") for place in changes)
