"""The instant engine opens an avatar with its edits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.edits import Edit, EditStack, ShapeShift
from studio.domain.problem import Problem
from studio.engines.instant.spec import SPEC
from studio.warping.warp_files import save_parts
from tests.warping.average_person import STAGE, ask, average_person, motion_of, parts_from, pattern
from tests.warping.test_reshape import asking, shape, some_identity


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    folder = tmp_path_factory.mktemp("instant")
    save_parts(folder, parts_from(average_person(), motion_of([0.0]), pattern(1)[None]))
    return Avatar("Somebody", "instant", "0", folder, STAGE)


def test_an_edited_avatar_shows_the_edit_and_has_its_control(avatar: Avatar):
    edited = replace(avatar, edits=EditStack((shape("one", some_identity(1), 1.0),)))
    plain, engine = SPEC.load(avatar), SPEC.load(edited)
    assert engine.sheet.names == (*plain.sheet.names, "edit_one")
    motion = motion_of([5.0])
    filmed = plain.render(ask(motion)).image
    assert np.abs(engine.render(ask(motion)).image.astype(int) - filmed).max() > 20
    assert np.array_equal(engine.render(asking(motion, one=0.0)).image, filmed)


def test_an_edit_of_another_head_model_is_refused_when_the_avatar_is_opened(avatar: Avatar):
    other = Edit("one", "Long nose", "shape", ShapeShift(np.ones(3, np.float32), "flame-2020"))
    with pytest.raises(Problem, match="“Long nose” was made for the head model “flame-2020”"):
        SPEC.load(replace(avatar, edits=EditStack((other,))))
