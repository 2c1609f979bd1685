"""Wishes for colours and light become edits, or a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.assets import AssetLibrary
from studio.domain.edits import Recolour, Relight
from studio.domain.problem import Problem
from studio.domain.progress import silent
from studio.domain.region_colours import RegionColour, RegionColours
from studio.editing.colours import (
    LIGHTS,
    LOOKS,
    RECOLOUR,
    RELIGHT,
    RecolourWish,
    RelightWish,
    lab_of,
)
from studio.editing.method import Workplace

OWN: RegionColours = {
    "skin": RegionColour((65.0, 12.0, 18.0), 0.10),
    "hair": RegionColour((20.0, 4.0, 6.0), 0.08),
    "lips": RegionColour((50.0, 25.0, 12.0), 0.004),
    "eyes": RegionColour((35.0, 3.0, 5.0), 0.0008),
    "person": RegionColour((40.0, 6.0, 9.0), 0.40),
}


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(AssetLibrary(tmp_path), tmp_path, silent, colours=lambda: OWN)


def test_a_colour_is_reached_from_the_persons_own(workplace: Workplace):
    edit = RECOLOUR.find(None, RecolourWish("hair", "#7A3B10"), workplace)
    assert isinstance(edit.effect, Recolour)
    assert edit.effect.region == "hair"
    assert np.allclose(np.add(edit.effect.shift, OWN["hair"].lab), lab_of("#7a3b10"), atol=1e-4)
    assert (edit.method, edit.space, edit.suggested) == ("recolour", "colour", (0.0, 1.0))


def test_lab_is_that_of_the_standard():
    assert lab_of("#ffffff") == pytest.approx((100.0, 0.0, 0.0), abs=0.02)
    assert lab_of("#ff0000") == pytest.approx((53.24, 80.09, 67.20), abs=0.05)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_every_look_can_be_had_by_its_name(look, workplace: Workplace):
    edit = RECOLOUR.find(None, RecolourWish(to=look.name), workplace)
    assert isinstance(edit.effect, Recolour)
    assert (edit.name, edit.title, edit.effect.region) == (look.name, look.title, look.region)
    own = OWN[look.region].lab
    assert np.allclose(np.add(edit.effect.shift, own), look.colour(own), atol=1e-4)
    if look.to and not look.keeps:
        assert look.colour(own) == pytest.approx(lab_of(look.to))


@pytest.mark.parametrize("look", [look for look in LOOKS if look.keeps], ids=lambda look: look.name)
def test_a_look_keeps_some_of_whether_hair_is_dark_or_fair(look):
    wanted = lab_of(look.to)
    dark, alike, fair = (look.colour((own, 4.0, 9.0)) for own in (8.0, wanted[0], 75.0))
    assert alike == pytest.approx(wanted)
    assert dark[0] < wanted[0] < fair[0]
    assert dark[0] == pytest.approx(wanted[0] + look.keeps * (8.0 - wanted[0]))
    hues = [np.arctan2(one[2], one[1]) for one in (dark, alike, fair)]
    assert np.allclose(hues, hues[1])
    chromas = [float(np.hypot(one[1], one[2])) for one in (dark, alike, fair)]
    assert chromas[0] < chromas[1] == pytest.approx(chromas[2])


@pytest.mark.parametrize("light", LIGHTS, ids=lambda light: light.name)
def test_every_light_can_be_had_by_its_name(light, workplace: Workplace):
    edit = RELIGHT.find(None, RelightWish(light.name), workplace)
    assert edit.effect.__class__ is Relight
    assert edit.name == light.name


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (RecolourWish("hair", "auburnish"), "is not a colour: write one as in #7a3b10, or name one of blond"),
        (RecolourWish("hair", "#12345"), "is not a colour"),
        (RecolourWish("hair"), "Say which colour the hair should have"),
        (RelightWish("own"), "needs a direction or an ambient"),
    ],
)
def test_what_cannot_be_is_said(wish, sentence: str, workplace: Workplace):
    spec = RELIGHT if isinstance(wish, RelightWish) else RECOLOUR
    with pytest.raises(Problem, match=sentence):
        spec.find(None, wish, workplace)


def test_a_region_that_is_not_there_is_not_coloured(workplace: Workplace):
    bald: RegionColours = {**OWN, "hair": RegionColour((0.0, 0.0, 0.0), 0.001)}
    with pytest.raises(Problem, match="hardly any hair"):
        RECOLOUR.find(None, RecolourWish(to="blond_hair"), replace(workplace, colours=lambda: bald))
