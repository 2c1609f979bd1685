"""Shape edits of a PVP avatar: a painter paints over the other shape, what draws by itself is reread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.edits import EditStack
from studio.engines.pvp.artefact import PvpParts, save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.spec import SPEC
from studio.warping.reshape import reread
from studio.warping.warper import Warper
from tests.engines.pvp.small_avatar import (
    constant_painter,
    moment,
    parts_of,
    random_painter,
    random_pretrained,
    write_base,
)
from tests.warping.average_person import STAGE, ask
from tests.warping.test_reshape import alike, asking, shape, some_identity

EDITS = EditStack((shape("one", some_identity(1)), shape("two", some_identity(2))))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


def both(parts: PvpParts) -> tuple[PvpEngine, PvpEngine]:
    return PvpEngine(parts, "cpu"), PvpEngine(parts, "cpu", EDITS)


@pytest.mark.parametrize("generator", [random_painter, random_pretrained])
def test_strength_zero_is_the_picture_without_edits(base: Path, generator):
    plain, edited = both(parts_of(base, generator()))
    assert edited.sheet.names == (*plain.sheet.names, "edit_one", "edit_two")
    first, second = plain.render(ask(moment())), edited.render(asking(moment(), one=0.0, two=0.0))
    assert np.array_equal(first.image, second.image)
    assert alike(first.alpha, second.alpha)


def test_what_draws_by_itself_is_reread(base: Path):
    parts = parts_of(base, random_pretrained())
    plain, edited = both(parts)
    filmed = plain.render(ask(moment()))
    request = asking(moment(), one=0.9, two=0.4)
    shown = edited.render(request)
    warper = Warper(parts.base, EDITS)
    posed = warper.posed(request.state)
    expected, cover = reread(
        *(filmed.image, filmed.alpha, warper.background(STAGE), warper.mesh.triangles),
        *(posed.own, posed.positions),
    )
    assert np.abs(shown.image.astype(int) - filmed.image).max() > 20
    assert np.array_equal(shown.image, expected)
    assert alike(shown.alpha, cover)


def test_a_painter_paints_over_the_other_shape(base: Path):
    # One colour is added everywhere: the rest of the picture is what warping draws of the other shape.
    parts = parts_of(base, constant_painter(0.1))
    edited = PvpEngine(parts, "cpu", EDITS)
    request = asking(moment(), one=0.9, two=0.4)
    warped = Warper(parts.base, EDITS).render(request).image.astype(int)
    added = edited.render(request).image.astype(int) - warped
    face = (slice(70, 120), slice(75, 120))
    assert np.abs(added[face] - 12.75).max() < 1.5
    assert np.abs(warped - Warper(parts.base).render(ask(moment())).image).max() > 20


def test_the_loader_hands_the_edits_on(base: Path, tmp_path: Path):
    save_pvp(tmp_path, parts_of(base, random_painter()), base)
    avatar = Avatar("Somebody", "pvp", "0", tmp_path, STAGE)
    edited = SPEC.load(replace(avatar, edits=EDITS))
    assert edited.sheet.names == (*SPEC.load(avatar).sheet.names, "edit_one", "edit_two")
