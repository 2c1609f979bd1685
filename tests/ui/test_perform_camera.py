"""The free camera under real hands: orbits, pans, comes nearer, shows layers, is kept like any control."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from studio.domain.avatar import Avatar
from studio.domain.free_camera import CAMERA_NAMES
from studio.domain.rendering import RenderRequest
from studio.project.store import Store
from tests.live.ball_engine import NOSE, Ball, centre_of, offered, write_ball
from tests.ui.hands import turn_wheel
from ui.pages.perform import PerformPage
from ui.pages.timeline import TimelinePage
from ui.session import Session
from ui.widgets.viewport import Viewport

LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
PLAIN, SHIFT, ALT = (
    *(Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier),
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def balls(store: Store, session: Session, monkeypatch: pytest.MonkeyPatch) -> tuple[Avatar, Avatar]:
    """A subject with a ball that a camera goes around, which is open, and a flat one."""
    offered(monkeypatch)
    subject = store.add("Ball")
    flat = write_ball(subject.avatar("flat", "one"), "flat")
    ball = write_ball(subject.avatar("ball", "two"))
    session.open_subject(subject)
    session.open_avatar(ball)
    return ball, flat


@pytest.fixture
def page(balls, session: Session, qtbot) -> Iterator[PerformPage]:
    made = PerformPage(session)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    made.enter()
    qtbot.waitUntil(lambda: made.viewport.frame is not None)
    yield made
    made.leave()


def drag(qtbot, viewport: Viewport, button, keys, across: float, down: float) -> tuple[float, float]:
    """Drag by shares of the picture's width; what whole pixels made of it."""
    side = viewport.picture_rect().width()
    start = viewport.rect().center()
    way = QPoint(round(across * side), round(down * side))
    qtbot.mousePress(viewport, button, keys, start)
    qtbot.mouseMove(viewport, start + way / 2)
    qtbot.mouseMove(viewport, start + way)
    qtbot.mouseRelease(viewport, button, keys, start + way)
    return way.x() / side, way.y() / side


def asked(viewport: Viewport) -> RenderRequest:
    """What the picture on the screen is of."""
    frame = viewport.frame
    assert frame is not None
    return frame.request


def settled(qtbot, page: PerformPage) -> np.ndarray:
    """The picture once it is of the present pose and drawn as well as it can be."""

    def still() -> bool:
        request = asked(page.viewport)
        return request.state == page.posing.state() and request.quality == "full"

    qtbot.waitUntil(still)
    frame = page.viewport.frame
    assert frame is not None
    return frame.image


def test_hands_move_the_camera_and_the_picture_follows_them(page: PerformPage, qtbot) -> None:
    model, viewport = page.model, page.viewport
    groups = [section.group for section in page.controls.sections]
    assert groups[:2] == ["Head", "Camera"]
    assert all(page.controls.row(name).isVisible() for name in CAMERA_NAMES)
    assert "right button" in viewport.toolTip()

    for button, keys in ((RIGHT, PLAIN), (LEFT, ALT)):
        x, y = drag(qtbot, viewport, button, keys, 0.1, -0.05)
        assert model.pose == pytest.approx({"orbit_yaw": -100.0 * x, "orbit_pitch": 80.0 * y})
        nose = centre_of(settled(qtbot, page), NOSE)
        assert nose[0] > 0.53, "dragged to the right, the nose goes right"
        assert nose[1] < 0.49
        assert model.undo.count() == 1
        assert model.undo.undoText() == "Move the camera"
        page.undo.click()
        assert model.pose == {}

    model.put({"dolly": 1.3, "zoom": 0.8, "move_x": 0.02}, "")
    before = centre_of(settled(qtbot, page), NOSE)
    for button, keys in ((MIDDLE, PLAIN), (LEFT, SHIFT)):
        way = drag(qtbot, viewport, button, keys, -0.12, 0.08)
        assert model.pose.keys() == {"dolly", "zoom", "move_x", "pan_x", "pan_y"}
        after = centre_of(settled(qtbot, page), NOSE)
        assert np.subtract(after, before) == pytest.approx(way, abs=0.004), "it stays under the hand"
        model.undo.undo()

    model.reset_all()
    small = (settled(qtbot, page)[..., 0] > 60).mean()
    turn_wheel(viewport, 480)
    assert model.pose == pytest.approx({"dolly": 1.06**4})
    assert (settled(qtbot, page)[..., 0] > 60).mean() == pytest.approx(small * 1.06**8, rel=0.02)

    qtbot.keyClick(viewport, Qt.Key.Key_Right, ALT)
    model.put({"yaw": 9.0, "lens": 0.5}, "")
    assert model.pose.keys() == {"dolly", "orbit_yaw", "yaw", "lens"}
    qtbot.mouseDClick(viewport, LEFT, ALT, viewport.rect().center())
    qtbot.mouseRelease(viewport, LEFT, ALT, viewport.rect().center())
    assert model.pose == {"yaw": 9.0}
    assert model.undo.undoText() == "Reset the camera"
    model.undo.undo()
    qtbot.mouseDClick(viewport, LEFT, PLAIN, viewport.rect().center())
    qtbot.mouseRelease(viewport, LEFT, PLAIN, viewport.rect().center())
    assert model.pose.keys() == {"dolly", "orbit_yaw", "lens"}

    page.poses.keep("From the side", {"orbit_yaw": 40.0, "smile": 0.5})
    model.reset_all()
    page.poses.enter()  # as it is read again
    page.poses.button_of("From the side").click()
    assert page.posing.state()["orbit_yaw"] == 40.0


def test_layers_are_chosen_where_the_engine_has_them_and_the_pose_stays(
    page: PerformPage, balls: tuple[Avatar, Avatar], session: Session, qtbot
) -> None:
    ball, flat = balls
    drawn = Ball(ball)
    assert page.layers.isVisible()
    page.model.put({"orbit_yaw": 25.0}, "")
    count = page.model.undo.count()
    for layer in ("depth", "normals", "picture", "depth"):
        qtbot.mouseClick(page.layers.buttons[layer], LEFT)
        qtbot.waitUntil(lambda layer=layer: asked(page.viewport).layer == layer)
        image = settled(qtbot, page)
        assert np.array_equal(image, drawn.render(asked(page.viewport)).image)
        assert page.layers.buttons[layer].isChecked()
    assert page.model.undo.count() == count
    drag(qtbot, page.viewport, LEFT, PLAIN, 0.1, 0.0)
    settled(qtbot, page)
    assert asked(page.viewport).layer == "depth"

    session.open_avatar(flat)
    qtbot.waitUntil(lambda: page.posing.live.avatar == flat)
    assert not page.layers.isVisible()
    assert [s.group for s in page.controls.sections][:2] == ["Head", "Mouth"]
    page.model.reset_all()
    settled(qtbot, page)
    assert asked(page.viewport).layer == "picture"
    drag(qtbot, page.viewport, RIGHT, PLAIN, 0.1, 0.1)
    assert page.model.pose == {}
    x, y = drag(qtbot, page.viewport, LEFT, SHIFT, 0.1, 0.1)
    width = 192 / 750
    assert page.model.pose == pytest.approx({"move_x": x * width, "move_y": -y * width})
    turn_wheel(page.viewport, -120)
    assert page.model.pose["zoom"] == pytest.approx(1 / 1.06)

    session.open_avatar(ball)
    qtbot.waitUntil(lambda: page.posing.live.avatar == ball)
    settled(qtbot, page)
    qtbot.waitUntil(lambda: asked(page.viewport).layer == "depth")
    assert page.layers.buttons["depth"].isChecked()


def test_the_camera_has_keyframes_like_any_control(balls, session: Session, qtbot, tmp_path) -> None:
    from pipelines.control_file import read_control_file
    from pipelines.timeline_control_file import write_control_file
    from pipelines.timeline_evaluation import evaluate_timeline
    from studio.head import builtin_head

    page = TimelinePage(session)
    qtbot.addWidget(page)
    page.resize(1200, 800)
    page.show()
    page.enter()
    qtbot.waitUntil(lambda: page.isEnabled() and page.viewport.frame is not None)
    model = page.model
    model.go(30)
    x, y = drag(qtbot, page.viewport, RIGHT, PLAIN, -0.2, 0.0)
    assert y == 0.0
    (name,) = model.timeline.curves
    assert name == "orbit_yaw", "what has not moved gets no keyframe"
    (key,) = model.timeline.curves[name].keyframes
    assert (key.frame, key.value) == (30, pytest.approx(-100.0 * x))
    model.go(60)
    x, y = drag(qtbot, page.viewport, LEFT, SHIFT, 0.1, 0.1)
    assert model.value("pan_x") == pytest.approx(-x * 192 / 750)
    assert model.value("pan_y") == pytest.approx(y * 192 / 750)
    assert model.undo.count() == 2
    assert model.undo.undoText() == "Move the camera"

    def shows() -> bool:
        return asked(page.viewport).state == page.picture.state()

    qtbot.waitUntil(shows)
    write_control_file(tmp_path / "orbit.json", model.timeline, model.sheet, model.handles)
    played = read_control_file(tmp_path / "orbit.json", model.sheet, builtin_head().handles)
    track = evaluate_timeline(model.timeline, model.sheet, model.handles)
    assert played.names == track.names
    assert np.allclose(played.values, track.values, atol=1e-4)
    assert abs(track.values[30, track.names.index("orbit_yaw")]) > 15
    page.close_page()
