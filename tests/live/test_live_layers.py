"""Layers and the free camera through a live worker: asked for, drawn, and left out where there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.domain.camera import Similarity, View
from studio.domain.controls import HEAD_NAMES, ControlState
from studio.domain.free_camera import CAMERA_NAMES
from studio.domain.rendering import RenderRequest
from studio.engines.catalog import ENGINES
from studio.live.worker import conformed
from tests.live.ball_engine import NOSE, RIGHT, STAGE, TOP, Ball, centre_of, offered, sheet, write_ball
from tests.live.conftest import Watched


def asked(**values: float) -> RenderRequest:
    return RenderRequest(sheet().state(values), STAGE)


def test_requests_differ_by_layer_and_are_equal_by_value() -> None:
    assert asked() == asked()
    assert asked() != replace(asked(), layer="depth")
    assert hash(replace(asked(), layer="depth")) == hash(replace(asked(), layer="depth"))
    assert asked().layer == "picture"


def test_engines_without_a_volume_show_the_picture_and_nothing_else() -> None:
    for engine in ("instant", "pvp"):
        assert ENGINES[engine].layers == ("picture",)


def test_a_layer_that_is_not_offered_becomes_the_picture_and_the_camera_stays_where_it_is() -> None:
    request = replace(asked(yaw=7.0, orbit_yaw=20.0, lens=0.5), layer="normals")
    assert conformed(request, sheet(), ("picture", "normals")) == request
    head = sheet().controls[: len(HEAD_NAMES)]
    got = conformed(request, type(sheet())(head), ("picture",))
    assert got.layer == "picture"
    assert got.state.names == HEAD_NAMES
    assert got.state["yaw"] == 7.0
    back = conformed(RenderRequest(got.state, STAGE), sheet(), ("picture",))
    assert back.state == sheet().state({"yaw": 7.0})
    empty = RenderRequest(ControlState((), np.zeros(0, np.float32)), STAGE)
    assert conformed(empty, sheet(), ("picture",)).state == sheet().neutral()


@pytest.fixture
def ball(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: Watched) -> Watched:
    """A worker that shows the ball."""
    offered(monkeypatch)
    live.open(write_ball(tmp_path / "ball"))
    live.wait(lambda: live.newest() is not None or bool(live.problem))
    assert live.problem == ""
    return live


def test_what_an_engine_declares_comes_to_the_window_and_is_drawn(ball: Watched) -> None:
    assert ball.layers == ("picture", "depth", "normals")
    assert ball.sheet is not None
    assert ball.sheet.names[-len(CAMERA_NAMES) :] == CAMERA_NAMES
    request = asked(orbit_yaw=20.0, orbit_pitch=-10.0, dolly=1.2, pan_x=0.01, lens=0.6)
    drawn = Ball(ball.newest().avatar)  # type: ignore[union-attr]
    tickets = []
    for layer in ("picture", "depth", "normals"):
        wanted = replace(request, layer=layer)
        ticket = ball.ask(wanted)
        assert ball.ask(replace(request, layer=layer)) == ticket, "an equal request is no new work"
        frame = ball.frame(ticket)
        assert frame.request == wanted
        assert np.array_equal(frame.image, drawn.render(wanted).image)
        tickets.append(ticket)
    assert len(set(tickets)) == 3


def test_the_ball_is_seen_as_the_camera_says() -> None:
    """The engine that the tests of the window rely on: spots go where the free camera's words send them."""
    ball = Ball(None)  # type: ignore[arg-type]

    def spot(colour: tuple[int, int, int], **values: float) -> tuple[float, float]:
        return centre_of(ball.render(asked(**values)).image, colour)

    assert np.allclose(spot(NOSE), 0.5, atol=0.01)
    assert spot(NOSE, orbit_yaw=30.0)[0] < 0.4, "the camera goes right, the nose is seen at the left"
    assert spot(NOSE, orbit_pitch=30.0)[1] > 0.6
    assert np.allclose(spot(RIGHT, orbit_yaw=60.0, yaw=-30.0), 0.5, atol=0.01)
    assert spot(TOP, orbit_pitch=40.0, pitch=-50.0)[1] == pytest.approx(0.5, abs=0.01)
    assert np.allclose(spot(NOSE, orbit_yaw=25.0, orbit_pitch=15.0, yaw=25.0, pitch=15.0), 0.5, atol=0.01)
    assert spot(NOSE, pan_x=0.05, pan_y=0.05) == pytest.approx(
        (0.5 - 0.05 / 0.256, 0.5 + 0.05 / 0.256), abs=0.01
    )

    def wide(**values: float) -> float:
        """The ball's area in metres of its plane, as a share of its disc's."""
        seen = ball.render(asked(**values)).alpha
        assert seen is not None
        return (seen > 0).sum() / (750.0**2 * np.pi * 0.08**2)

    assert wide() == pytest.approx(1.0, abs=0.01)
    assert wide(dolly=0.5) == pytest.approx(0.25, abs=0.01)
    # A ball of radius r seen from a distance d has the outline d² r² / (d² − r²) in its middle's plane.
    assert wide(lens=1.0) == pytest.approx(0.25 / (0.25 - 0.08**2), abs=0.01)


def test_layers_follow_the_view_like_the_picture() -> None:
    ball, request = Ball(None), asked(orbit_yaw=20.0)  # type: ignore[arg-type]
    twice = View(Similarity(2.0, 0.0, 0.0, 0.0), 2 * STAGE.width, 2 * STAGE.height)
    for layer in ("depth", "normals"):
        small = ball.render(replace(request, layer=layer)).image.astype(int)
        large = ball.render(replace(request, layer=layer, view=twice)).image.astype(int)
        middle = np.abs(large[1::2, 1::2] - small)[60:130, 60:130]
        assert middle.max() <= 4
