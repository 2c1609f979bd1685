"""The live picture shows an avatar's edits, at rest and as it is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.controls import ControlState
from studio.domain.edits import Edit, EditStack, ShapeShift
from studio.domain.rendering import RenderRequest
from studio.head import builtin_head
from studio.live.worker import conformed, open_engine
from tests.live.small_avatars import turned, write_avatar


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return write_avatar(tmp_path_factory.mktemp("live") / "avatar")


def _wide(**changes: object) -> EditStack:
    head = builtin_head()
    identity = np.zeros(head.identities, np.float32)
    identity[:4] = 2.0
    return EditStack((Edit("wide", "Wide", "shape", ShapeShift(identity, head.id), strength=0.5),)).changed(
        "wide", **changes
    )


def _drawn(avatar: Avatar, request: RenderRequest, **values: float) -> np.ndarray:
    engine, opened = open_engine(avatar)
    state = request.state
    asked = ControlState((*state.names, *values), np.array([*state.values, *values.values()], np.float32))
    image = engine.render(conformed(replace(request, state=asked), opened.sheet, opened.layers)).image
    engine.close()
    return image.astype(int)


def test_edits_are_controls_of_the_picture(avatar: Avatar) -> None:
    _, opened = open_engine(replace(avatar, edits=_wide()))
    assert opened.sheet.controls[-1].name == "edit_wide"
    assert opened.sheet.controls[-1].default == 0.5
    _, plain = open_engine(avatar)
    assert "edit_wide" not in plain.sheet.names


def test_a_request_that_does_not_name_an_edit_shows_it_as_it_rests(avatar: Avatar) -> None:
    request, plain = turned(4.0), _drawn(avatar, turned(4.0))
    worn = replace(avatar, edits=_wide())
    rest = _drawn(worn, request)
    assert np.abs(rest - plain).mean() > 0.2
    assert np.array_equal(_drawn(worn, request, edit_wide=0.5), rest)
    assert np.array_equal(_drawn(worn, request, edit_wide=0.0), plain)
    assert np.array_equal(_drawn(replace(avatar, edits=_wide(on=False)), request), plain)
    assert np.abs(_drawn(worn, request, edit_wide=1.0) - plain).mean() > np.abs(rest - plain).mean()
